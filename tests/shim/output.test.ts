/** Output to several clients, slow ones among them: nothing is lost, and the container is never held up. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { isKind } from '../../src/core/errors.ts';
import type { Attachment } from '../../src/core/ports/runtime.ts';
import { textOf } from '../contracts/runtime.contract.ts';
import { createMachine, type ShimMachine } from './machine.ts';

const all = { stdin: false, stdout: true, stderr: true } as const;
const ctx = backgroundCtx();

interface Digest {
  readonly bytes: number;
  readonly sha: string;
}

async function digestOf(stream: Readable): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of stream) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha: hash.digest('hex') };
}

/** What `seq 1 n` prints. */
function digestOfSeq(n: number): Digest {
  const hash = createHash('sha256');
  let bytes = 0;
  for (let from = 1; from <= n; from += 10_000) {
    const count = Math.min(10_000, n - from + 1);
    const text = Array.from({ length: count }, (_, i) => `${from + i}\n`).join('');
    hash.update(text);
    bytes += text.length;
  }
  return { bytes, sha: hash.digest('hex') };
}

describe('output to clients', () => {
  let machine: ShimMachine;
  before(async () => {
    machine = await createMachine('crun');
  });
  after(() => machine.close());

  it('a client that does not read neither stalls 200 MB of output nor loses a byte of it', async () => {
    const count = 22_600_000;
    const spec = machine.spec(['/bin/seq', '1', String(count)], {
      attachments: [all, all],
      log: { path: undefined, maxSize: 0, maxFile: 1 },
    });
    const task = await machine.runtime.start(ctx, spec);
    const [fast, slow] = task.attachments as [Attachment, Attachment];
    const expected = digestOfSeq(count);
    assert.ok(expected.bytes > 190_000_000);
    // The container comes to its end although `slow` has read nothing.
    assert.deepEqual(await digestOf(fast.stdout), expected);
    assert.equal((await task.exit).exitCode, 0);
    // What waits for it lies in a file without a name.
    const files = readdirSync(`/proc/${task.shimPid}/fd`).map((fd) =>
      readlinkSync(`/proc/${task.shimPid}/fd/${fd}`),
    );
    assert.equal(files.filter((file) => file.endsWith('(deleted)')).length, 1);
    assert.deepEqual(await digestOf(slow.stdout), expected);
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${task.shimPid}/status`, 'utf8'))?.[1];
    assert.ok(Number(peak) < 1024, `the shim took ${peak} kB`);
    task.release();
    await machine.runtime.cleanup(ctx, spec);
  });

  it('a client that goes in the middle of the output does not disturb the others', async () => {
    const count = 3_000_000;
    const spec = machine.spec(['/bin/seq', '1', String(count)], {
      attachments: [all, all, all],
      log: { path: undefined, maxSize: 0, maxFile: 1 },
    });
    const task = await machine.runtime.start(ctx, spec);
    const [reader, leaver, sleeper] = task.attachments as [Attachment, Attachment, Attachment];
    leaver.stdout.once('data', () => leaver.detach());
    assert.deepEqual(await digestOf(reader.stdout), digestOfSeq(count));
    sleeper.detach();
    assert.equal((await task.exit).exitCode, 0);
    task.release();
    await machine.runtime.cleanup(ctx, spec);
  });

  it('clients that come and go during a flood get whole pieces', async () => {
    const spec = machine.spec(['/bin/sh', '-c', 'while :; do echo 0123456789; done'], {
      log: { path: undefined, maxSize: 0, maxFile: 1 },
    });
    const task = await machine.runtime.start(ctx, spec);
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const attachment = await task.attach(all);
        let text = '';
        for await (const chunk of attachment.stdout) {
          text += String(chunk);
          if (text.length > 200_000) break;
        }
        attachment.detach();
        assert.match(text, /^[0-9]*\n(0123456789\n)+[0-9]*$/);
      }),
    );
    await machine.finish(spec, task);
  });

  it('an attachment after the exit ends at once', async () => {
    const spec = machine.spec(['/bin/true']);
    const task = await machine.runtime.start(ctx, spec);
    await task.exit;
    const late = await task.attach(all);
    assert.equal((await digestOf(late.stdout)).bytes, 0);
    task.release();
    await machine.runtime.cleanup(ctx, spec);
    await assert.rejects(
      task.attach(all),
      (error) => isKind(error, 'conflict') && /is not running/.test(error.message),
    );
  });

  it('stdin holds back its own client only, and loses nothing', async () => {
    const both = { stdin: true, stdout: true, stderr: true } as const;
    // The process takes 1 byte of stdin, then waits for a signal file before it takes the rest.
    const script = 'dd bs=1 count=1 2>/dev/null; while [ ! -e /tmp/go ]; do sleep 0.01; done; cat';
    const spec = machine.spec(['/bin/sh', '-c', script], {
      openStdin: true,
      stdinOnce: true,
      attachments: [both, all],
    });
    const task = await machine.runtime.start(ctx, spec);
    const [feeder, watcher] = task.attachments as [Attachment, Attachment];
    assert.ok(feeder.stdin);
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let sent = 0;
    let isHeldBack = false;
    while (!isHeldBack && sent < 1000 * chunk.length) {
      sent += chunk.length;
      if (!feeder.stdin.write(chunk)) {
        isHeldBack = await Promise.race([
          once(feeder.stdin, 'drain').then(() => false),
          new Promise<boolean>((resolve) => {
            setTimeout(() => resolve(true), 300);
          }),
        ]);
      }
    }
    assert.ok(isHeldBack, 'the writer was never held back');
    // The shim serves others meanwhile.
    const other = await task.attach(all);
    other.detach();
    const go = await task.exec(ctx, {
      execId: 'go',
      process: machine.process(['/bin/sh', '-c', 'echo > /tmp/go']),
      terminal: false,
      openStdin: false,
      attach: undefined,
    });
    assert.equal((await go.exit).exitCode, 0);
    feeder.stdin.end();
    const [one, two] = await Promise.all([digestOf(feeder.stdout), digestOf(watcher.stdout)]);
    assert.equal(one.bytes, sent);
    assert.deepEqual(one, two);
    await task.exit;
    task.release();
    await machine.runtime.cleanup(ctx, spec);
  });

  it('a container that starts again keeps its socket although its former shim still feeds a slow client', async () => {
    const first = machine.spec(['/bin/seq', '1', '500000'], { attachments: [all] });
    const old = await machine.runtime.start(ctx, first);
    await old.exit;
    old.release();
    await machine.runtime.cleanup(ctx, first);
    const again = machine.spec(['/bin/sleep', '1000']);
    const task = await machine.runtime.start(ctx, { ...again, containerId: first.containerId });
    assert.deepEqual(await digestOf((old.attachments[0] as Attachment).stdout), digestOfSeq(500_000));
    while (existsSync(`/proc/${old.shimPid}`)) await delay(5);
    (await task.attach(all)).detach();
    await machine.finish({ ...again, containerId: first.containerId }, task);
  });

  it('a process without root may open its stdout and stderr by name', async () => {
    for (const runtime of ['crun', 'runc']) {
      const script = 'id -u; echo one > /dev/stdout; echo two > /proc/self/fd/2';
      const user = { uid: 1000, gid: 1000 };
      const spec = machine.spec(['/bin/sh', '-c', script], { runtime, attachments: [all] });
      const document = spec.ociSpec as { process: object };
      const withUser = { ...document, process: { ...document.process, user } };
      const task = await machine.runtime.start(ctx, { ...spec, ociSpec: withUser });
      const [attachment] = task.attachments as [Attachment];
      const [out, err] = await Promise.all([textOf(attachment.stdout), textOf(attachment.stderr)]);
      assert.deepEqual([out, err], ['1000\none\n', 'two\n'], runtime);
      await machine.finish(spec, task);
    }
  });

  it('many execs at once keep their outputs and codes apart', async () => {
    const spec = machine.spec(['/bin/sleep', '1000']);
    const task = await machine.runtime.start(ctx, spec);
    const descriptors = (): number => readdirSync(`/proc/${task.shimPid}/fd`).length;
    const before = descriptors();
    const results = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const exec = await task.exec(ctx, {
          execId: `e${i}`,
          process: machine.process(['/bin/sh', '-c', `echo ${i}; exit ${i}`]),
          terminal: false,
          openStdin: false,
          attach: all,
        });
        assert.ok(exec.attachment);
        const text = [];
        for await (const chunk of exec.attachment.stdout) text.push(String(chunk));
        return [text.join(''), (await exec.exit).exitCode];
      }),
    );
    assert.deepEqual(
      results,
      Array.from({ length: 40 }, (_, i) => [`${i}\n`, i]),
    );
    // Nothing is left of them in the shim: as many descriptors as before.
    while (descriptors() > before) await delay(5);
    assert.equal(descriptors(), before);
    await machine.finish(spec, task);
  });
});
