/**
 * What every Runtime must do. Run on the fake and, as root, on the shim with each installed OCI runtime. Commands stay within what a
 * busybox rootfs and the fake both know.
 */
import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Readable } from 'node:stream';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { isKind } from '../../src/core/errors.ts';
import type { Runtime, Task, TaskSpec } from '../../src/core/ports/runtime.ts';

export interface RuntimeHarness {
  readonly runtime: Runtime;
  /** The runtime of a restarted daemon over the same machine. */
  restart(): Promise<Runtime>;
  /** A spec with a fresh container id whose first process is `args`. */
  spec(args: readonly string[], changes?: Partial<TaskSpec>): TaskSpec;
  /** A `process` object for exec. */
  process(args: readonly string[], terminal?: boolean): unknown;
  readLog(spec: TaskSpec): Promise<string>;
  /** A directory for a checkpoint, where the implementation can make one with this runtime; else what it says it lacks. */
  readonly checkpoints: { readonly directory: string } | { readonly problem: RegExp };
  close(): Promise<void>;
}

const withStdin = { stdin: true, stdout: true, stderr: true } as const;
const all = { stdin: false, stdout: true, stderr: true } as const;
const ctx = backgroundCtx();

export async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString();
}

async function finish(runtime: Runtime, spec: TaskSpec, task: Task): Promise<void> {
  await task.signal(9);
  await task.exit;
  task.release();
  await runtime.cleanup(ctx, spec);
}

/** Declares the suite; `create` makes a machine of its own for it. */
export function runtimeContract(name: string, create: () => Promise<RuntimeHarness>): void {
  describe(`Runtime contract: ${name}`, () => {
    let harness: RuntimeHarness;
    before(async () => {
      harness = await create();
    });
    after(async () => {
      await harness.close();
    });

    it('runs a command, delivers its output from the first byte and its exit code', async () => {
      const spec = harness.spec(['/bin/sh', '-c', 'echo out; echo err >&2; exit 3'], { attachments: [all] });
      const task = await harness.runtime.start(ctx, spec);
      assert.ok(task.pid > 0);
      assert.match(task.pidStartTicks, /^\d+$/);
      const [attachment] = task.attachments;
      assert.ok(attachment);
      const [out, err] = await Promise.all([textOf(attachment.stdout), textOf(attachment.stderr)]);
      assert.equal(out, 'out\n');
      assert.equal(err, 'err\n');
      const exit = await task.exit;
      assert.equal(exit.exitCode, 3);
      assert.equal(exit.oomKilled, false);
      assert.ok(Math.abs(Number(exit.exitedAtNano / 1_000_000n) - Date.now()) < 60_000);
      const log = await harness.readLog(spec);
      assert.match(log, /"log":"out\\n","stream":"stdout"/);
      assert.match(log, /"log":"err\\n","stream":"stderr"/);
      task.release();
      await harness.runtime.cleanup(ctx, spec);
    });

    it("refuses a missing command as notFound in Docker's words, and leaves nothing behind", async () => {
      const spec = harness.spec(['/bin/nosuch']);
      await assert.rejects(harness.runtime.start(ctx, spec), (error) => {
        assert.ok(isKind(error, 'notFound'));
        assert.match(error.message, /exec: "\/bin\/nosuch": .*no such file or directory/);
        return true;
      });
      const named = harness.spec(['nosuch']);
      await assert.rejects(
        harness.runtime.start(ctx, named),
        /exec: "nosuch": executable file not found in \$PATH/,
      );
      assert.ok(!(await harness.runtime.list()).includes(spec.containerId));
    });

    it('feeds stdin and closes it when the client ends it (stdin once)', async () => {
      const spec = harness.spec(['/bin/cat'], {
        openStdin: true,
        stdinOnce: true,
        attachments: [{ stdin: true, stdout: true, stderr: true }],
      });
      const task = await harness.runtime.start(ctx, spec);
      const [attachment] = task.attachments;
      assert.ok(attachment?.stdin);
      attachment.stdin.write('one\n');
      attachment.stdin.end('two\n');
      assert.equal(await textOf(attachment.stdout), 'one\ntwo\n');
      assert.equal((await task.exit).exitCode, 0);
      task.release();
      await harness.runtime.cleanup(ctx, spec);
    });

    it('keeps stdin open without stdin once, for the next client', async () => {
      const spec = harness.spec(['/bin/cat'], { openStdin: true });
      const task = await harness.runtime.start(ctx, spec);
      const first = await task.attach({ stdin: true, stdout: true, stderr: true });
      first.stdin?.end('one\n');
      assert.equal(String(await readSome(first.stdout)), 'one\n');
      first.detach();
      const second = await task.attach({ stdin: true, stdout: true, stderr: true });
      second.stdin?.write('two\n');
      assert.equal(String(await readSome(second.stdout)), 'two\n');
      second.detach();
      await finish(harness.runtime, spec, task);
    });

    it('gives every attached client the whole output', async () => {
      const spec = harness.spec(['/bin/cat'], {
        openStdin: true,
        stdinOnce: true,
        attachments: [{ stdin: true, stdout: true, stderr: false }, all, all],
      });
      const task = await harness.runtime.start(ctx, spec);
      const texts = Promise.all(task.attachments.map((attachment) => textOf(attachment.stdout)));
      task.attachments[0]?.stdin?.end('shared\n');
      assert.deepEqual(await texts, ['shared\n', 'shared\n', 'shared\n']);
      await task.exit;
      task.release();
      await harness.runtime.cleanup(ctx, spec);
    });

    it('signals: SIGKILL ends with 137; signalling the dead succeeds', async () => {
      const spec = harness.spec(['/bin/sleep', '1000']);
      const task = await harness.runtime.start(ctx, spec);
      await task.signal(9);
      assert.equal((await task.exit).exitCode, 137);
      await task.signal(9);
      task.release();
      await harness.runtime.cleanup(ctx, spec);
    });

    it('executes further processes with their own output, stdin, code and signals', async () => {
      const spec = harness.spec(['/bin/sleep', '1000']);
      const task = await harness.runtime.start(ctx, spec);
      const exec = (execId: string, args: string[], stdin = false) =>
        task.exec(ctx, {
          execId,
          process: harness.process(args),
          terminal: false,
          openStdin: stdin,
          attach: { stdin, stdout: true, stderr: true },
        });
      const one = await exec('one', ['/bin/sh', '-c', 'echo out; echo err >&2; exit 7']);
      assert.ok(one.attachment && one.pid > 0 && one.pid !== task.pid);
      const [out, err] = await Promise.all([textOf(one.attachment.stdout), textOf(one.attachment.stderr)]);
      assert.deepEqual([out, err, (await one.exit).exitCode], ['out\n', 'err\n', 7]);

      const two = await exec('two', ['/bin/cat'], true);
      two.attachment?.stdin?.end('through\n');
      assert.ok(two.attachment);
      assert.equal(await textOf(two.attachment.stdout), 'through\n');
      assert.equal((await two.exit).exitCode, 0);

      const three = await exec('three', ['/bin/sleep', '1000']);
      await task.signal(15, 'three');
      assert.equal((await three.exit).exitCode, 143);

      await assert.rejects(exec('four', ['nosuch']), (error) => {
        assert.ok(isKind(error, 'notFound'));
        assert.match(error.message, /exec: "nosuch": executable file not found in \$PATH/);
        return true;
      });
      const log = await harness.readLog(spec);
      assert.equal(log, '', 'the output of exec is not logged');
      await finish(harness.runtime, spec, task);
    });

    it('pauses and resumes, idempotently', async () => {
      const spec = harness.spec(['/bin/cat'], {
        openStdin: true,
        attachments: [{ stdin: true, stdout: true, stderr: true }],
      });
      const task = await harness.runtime.start(ctx, spec);
      await task.pause();
      await task.pause();
      await task.resume();
      await task.resume();
      const [attachment] = task.attachments;
      assert.ok(attachment);
      attachment.stdin?.write('alive\n');
      assert.equal(String(await readSome(attachment.stdout)), 'alive\n');
      await finish(harness.runtime, spec, task);
    });

    it('recovers a running task, an exit that happened meanwhile, and nothing', async () => {
      const running = harness.spec(['/bin/cat'], { openStdin: true });
      const ended = harness.spec(['/bin/sh', '-c', 'exit 5']);
      const first = await harness.runtime.start(ctx, running);
      await (
        await harness.runtime.start(ctx, ended)
      ).exit;
      const restarted = await harness.restart();

      const live = await restarted.recover(ctx, running);
      assert.ok(live.state === 'running');
      assert.equal(live.task.pid, first.pid);
      assert.equal(live.task.pidStartTicks, first.pidStartTicks);
      assert.deepEqual(live.task.attachments, []);
      const attachment = await live.task.attach({ stdin: true, stdout: true, stderr: true });
      attachment.stdin?.write('again\n');
      assert.equal(String(await readSome(attachment.stdout)), 'again\n');

      const dead = await restarted.recover(ctx, ended);
      assert.ok(dead.state === 'exited');
      assert.equal(dead.exit.exitCode, 5);
      await restarted.cleanup(ctx, ended);
      await finish(restarted, running, live.task);

      const never = harness.spec(['/bin/true']);
      assert.deepEqual(await restarted.recover(ctx, never), { state: 'gone' });
    });

    it('lists what exists and cleans up twice', async () => {
      const spec = harness.spec(['/bin/sleep', '1000']);
      const task = await harness.runtime.start(ctx, spec);
      assert.ok((await harness.runtime.list()).includes(spec.containerId));
      await finish(harness.runtime, spec, task);
      assert.ok(!(await harness.runtime.list()).includes(spec.containerId));
      await harness.runtime.cleanup(ctx, spec);
    });

    it('checkpoints a process that goes on, and restores it with streams, exec and exit code', async () => {
      const { checkpoints } = harness;
      const spec = harness.spec(['/bin/sh', '-c', 'cat; exit 4'], { openStdin: true, stdinOnce: true });
      const problem = await harness.runtime.checkpointProblem(spec.runtime);
      if ('problem' in checkpoints) {
        assert.match(problem ?? 'nothing', checkpoints.problem);
        return;
      }
      assert.equal(problem, undefined);
      const images = join(checkpoints.directory, spec.containerId);
      await mkdir(images);
      const task = await harness.runtime.start(ctx, spec);
      await task.checkpoint(ctx, images);
      assert.ok((await readdir(images)).includes('inventory.img'));
      await task.pause();
      await task.resume();
      await finish(harness.runtime, spec, task);

      const restored = await harness.runtime.start(ctx, {
        ...spec,
        restoreFrom: images,
        attachments: [withStdin],
      });
      assert.notEqual(restored.pidStartTicks, task.pidStartTicks);
      const [attachment] = restored.attachments;
      assert.ok(attachment);
      attachment.stdin?.write('back again\n');
      assert.equal(String(await readSome(attachment.stdout)), 'back again\n');
      const process = harness.process(['/bin/sh', '-c', 'exit 9']);
      const exec = await restored.exec(ctx, {
        execId: 'after',
        process,
        terminal: false,
        openStdin: false,
        attach: undefined,
      });
      assert.equal((await exec.exit).exitCode, 9);
      await restored.pause();
      await restored.resume();
      const recovered = await (await harness.restart()).recover(ctx, spec);
      assert.ok(recovered.state === 'running');
      assert.equal(recovered.task.pid, restored.pid);
      // The process ends by itself when its stdin does, with a code of its own.
      attachment.stdin?.end();
      assert.equal((await restored.exit).exitCode, 4);
      assert.match(await harness.readLog(spec), /back again/);
      restored.release();
      await harness.runtime.cleanup(ctx, spec);
    });

    it('refuses to restore what is no checkpoint, and leaves nothing behind', async () => {
      const { checkpoints } = harness;
      if ('problem' in checkpoints) return;
      const spec = harness.spec(['/bin/cat']);
      const images = join(checkpoints.directory, spec.containerId);
      await mkdir(images);
      await assert.rejects(harness.runtime.start(ctx, { ...spec, restoreFrom: images }), (error) => {
        assert.ok(isKind(error, 'internal'));
        assert.match(error.message, /^OCI runtime restore failed: .*: unknown$/s);
        return true;
      });
      assert.ok(!(await harness.runtime.list()).includes(spec.containerId));
    });

    it('refuses an unknown runtime', async () => {
      const spec = harness.spec(['/bin/true'], { runtime: 'nosuch' });
      await assert.rejects(harness.runtime.start(ctx, spec), /unknown or invalid runtime name: nosuch/);
    });
  });
}

/** The next chunk of a stream, without closing it. */
export function readSome(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const onReadable = (): void => {
      const chunk = stream.read() as Buffer | null;
      if (chunk === null) return;
      done();
      resolve(chunk);
    };
    const onEnd = (): void => {
      done();
      reject(new Error('the stream ended'));
    };
    const done = (): void => {
      stream.off('readable', onReadable).off('end', onEnd);
    };
    stream.on('readable', onReadable).on('end', onEnd);
    onReadable();
  });
}
