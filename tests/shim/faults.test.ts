/** What goes wrong around a shim, and that the container, its record and the machine come through it. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { isKind } from '../../src/core/errors.ts';
import type { Attachment, TaskSpec } from '../../src/core/ports/runtime.ts';
import { textOf } from '../contracts/runtime.contract.ts';
import { createMachine, type ShimMachine } from './machine.ts';

const ctx = backgroundCtx();
const all = { stdin: false, stdout: true, stderr: true } as const;

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

for (const runtimeName of ['crun', 'runc']) {
  describe(`faults (${runtimeName})`, () => {
    let machine: ShimMachine;
    before(async () => {
      machine = await createMachine(runtimeName);
    });
    after(() => machine.close());

    /** Nothing of the container is left anywhere. */
    const assertGone = async (spec: TaskSpec): Promise<void> => {
      assert.ok(!(await machine.runtime.list()).includes(spec.containerId), 'still listed');
      assert.equal(existsSync(spec.bundle), false, 'bundle');
      assert.deepEqual(readdirSync(join(machine.directory, 'run/shim')), [], 'sockets');
      assert.deepEqual(
        spec.cgroupPaths.filter((path) => existsSync(path)),
        [],
        'cgroups',
      );
    };

    const failsWith = async (
      spec: TaskSpec,
      kind: Parameters<typeof isKind>[1],
      message: RegExp,
    ): Promise<void> => {
      await assert.rejects(machine.runtime.start(ctx, spec), (error) => {
        assert.ok(error instanceof Error);
        assert.match(error.message, message);
        assert.ok(isKind(error, kind), `kind of: ${error.message}`);
        return true;
      });
      await assertGone(spec);
    };

    it('an OCI runtime that is missing', () =>
      failsWith(
        machine.spec(['/bin/true'], { runtime: 'absent' }),
        'internal',
        /exec \/usr\/bin\/no-such-runtime: no such file/,
      ));

    it('a command that is no program', () =>
      failsWith(
        machine.spec(['/etc/plain']),
        'notFound',
        /exec: "\/etc\/plain": permission denied: unknown$/,
      ));

    it('a command that is a directory', () =>
      failsWith(
        machine.spec(['/etc']),
        'notFound',
        /exec: "\/etc": (permission denied|is a directory): unknown$/,
      ));

    it('a rootfs that is missing', () => {
      const spec = machine.spec(['/bin/true']);
      const document = { ...(spec.ociSpec as object), root: { path: '/no/such/rootfs' } };
      return failsWith({ ...spec, ociSpec: document }, 'internal', /OCI runtime create failed: .*rootfs/i);
    });

    it('a log that cannot be opened', () => {
      const spec = machine.spec(['/bin/true']);
      const log = { ...spec.log, path: join(machine.directory, 'no/such/json.log') };
      return failsWith(
        { ...spec, log },
        'internal',
        /failed to initialize logging driver: open \S+: no such file/,
      );
    });

    it('a start that is cancelled leaves nothing', async () => {
      const spec = machine.spec(['/bin/sleep', '1000']);
      const controller = new AbortController();
      const start = machine.runtime.start({ ...ctx, signal: controller.signal }, spec);
      controller.abort();
      await assert.rejects(start, /was cancelled/);
      await assertGone(spec);
    });

    it('a shim that is killed: the container is ended, and said to be', async () => {
      const spec = machine.spec(['/bin/sleep', '1000'], { attachments: [all] });
      const task = await machine.runtime.start(ctx, spec);
      process.kill(task.shimPid, 'SIGKILL');
      const exit = await task.exit;
      assert.equal(exit.exitCode, 137);
      await assert.rejects(
        textOf((task.attachments[0] as Attachment).stdout),
        /connection to the shim .* broke/,
      );
      while (isAlive(task.pid)) await delay(2);
      await machine.runtime.cleanup(ctx, spec);
      await assertGone(spec);
    });

    it('a shim that was killed while there was no daemon', async () => {
      const spec = machine.spec(['/bin/sleep', '1000']);
      const task = await machine.runtime.start(ctx, spec);
      const restarted = await machine.newRuntime();
      process.kill(task.shimPid, 'SIGKILL');
      await task.exit;
      const found = await restarted.recover(ctx, spec);
      assert.ok(found.state === 'exited');
      assert.equal(found.exit.exitCode, 137);
      await restarted.cleanup(ctx, spec);
      await assertGone(spec);
    });

    it('a process that breaks the memory limit is said to be OOM-killed', async () => {
      const limit = 16 * 1024 * 1024;
      const spec = machine.spec(
        ['/bin/dd', 'if=/dev/zero', 'of=/dev/null', 'bs=128M', 'count=1'],
        undefined,
        {
          resources: { memory: { limit, swap: limit } },
        },
      );
      const task = await machine.runtime.start(ctx, spec);
      const exit = await task.exit;
      assert.deepEqual([exit.exitCode, exit.oomKilled], [137, true]);
      await machine.finish(spec, task);
    });

    it('so it is when systemd has taken the cgroup away before its counts were read', async () => {
      const slice = join(machine.directory, 'memory/some.slice');
      const scope = join(slice, 'one.scope');
      const counts = (folder: string, kills: number, hits = 0, refused = 0): void => {
        mkdirSync(folder, { recursive: true });
        const lines = ['low 0', 'high 0', `max ${hits}`, `oom ${refused}`, `oom_kill ${kills}`, ''];
        writeFileSync(join(folder, 'memory.events'), lines.join('\n'));
      };
      /** The last that the shim sees of the scope, kills in the slice meanwhile, how the container ends. */
      const cases = [
        { hits: 3, refused: 1, later: 5, signal: 9, oomKilled: true },
        { hits: 3, refused: 0, later: 6, signal: 9, oomKilled: true },
        { hits: 3, refused: 0, later: 5, signal: 9, oomKilled: false },
        { hits: 0, refused: 0, later: 6, signal: 9, oomKilled: false },
        { hits: 3, refused: 1, later: 6, signal: 2, oomKilled: false },
      ];
      for (const { hits, refused, later, signal, oomKilled } of cases) {
        counts(slice, 5);
        counts(scope, 0, hits, refused);
        const script = 'trap "exit 3" INT; echo ready; while :; do sleep 0.1; done';
        const plain = machine.spec(['/bin/sh', '-c', script], { attachments: [all] });
        const spec = { ...plain, cgroupPaths: [...plain.cgroupPaths, scope] };
        const task = await machine.runtime.start(ctx, spec);
        // Before its trap is set the first process of a namespace hears nothing of a signal.
        assert.equal(String(await once((task.attachments[0] as Attachment).stdout, 'data')), 'ready\n');
        rmSync(scope, { recursive: true });
        counts(slice, later);
        await task.signal(signal);
        assert.equal(
          (await task.exit).oomKilled,
          oomKilled,
          JSON.stringify({ hits, refused, later, signal }),
        );
        await machine.finish(plain, task);
      }
    });

    it('processes and cgroups that outlive the first process are removed', async () => {
      const script = 'sleep 1000 & mkdir -p /sys/inner; exit 0';
      const namespaces = ['ipc', 'uts', 'mount', 'network'].map((type) => ({ type }));
      const spec = machine.spec(['/bin/sh', '-c', script], undefined, { namespaces });
      const task = await machine.runtime.start(ctx, spec);
      assert.equal((await task.exit).exitCode, 0);
      for (const path of spec.cgroupPaths)
        if (existsSync(path)) mkdirSync(join(path, 'inner/deeper'), { recursive: true });
      task.release();
      await machine.runtime.cleanup(ctx, spec);
      await assertGone(spec);
    });

    it('a full disk does not hold up the exit record: its room was taken at the start', async () => {
      const disk = join(machine.directory, 'full');
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
      try {
        const base = machine.spec(['/bin/sh', '-c', 'cat; exit 6'], {
          openStdin: true,
          stdinOnce: true,
          attachments: [{ stdin: true, stdout: true, stderr: true }],
        });
        const spec: TaskSpec = { ...base, exitPath: join(disk, 'data/exit.json') };
        const task = await machine.runtime.start(ctx, spec);
        const filled = spawnSync('dd', ['if=/dev/zero', `of=${join(disk, 'rest')}`], { encoding: 'utf8' });
        assert.match(filled.stderr, /No space left/);
        task.attachments[0]?.stdin?.end();
        assert.equal((await task.exit).exitCode, 6);
        assert.equal((JSON.parse(readFileSync(spec.exitPath, 'utf8')) as { exitCode: number }).exitCode, 6);
        await machine.finish(spec, task);
      } finally {
        execFileSync('umount', ['-l', disk]);
        rmSync(disk, { recursive: true });
      }
    });

    it('nobody hears of an exit that cannot be recorded, until it can', async () => {
      const base = machine.spec(['/bin/sh', '-c', 'cat; exit 6'], {
        openStdin: true,
        stdinOnce: true,
        attachments: [{ stdin: true, stdout: true, stderr: true }],
      });
      const directory = join(machine.directory, 'records');
      const spec: TaskSpec = { ...base, exitPath: join(directory, 'exit.json') };
      const task = await machine.runtime.start(ctx, spec);
      renameSync(directory, `${directory}-away`);
      let exited = false;
      void task.exit.then(() => {
        exited = true;
      });
      task.attachments[0]?.stdin?.end();
      while (isAlive(task.pid)) await delay(2);
      await delay(50);
      assert.equal(exited, false);
      renameSync(`${directory}-away`, directory);
      assert.equal((await task.exit).exitCode, 6);
      assert.equal((JSON.parse(readFileSync(spec.exitPath, 'utf8')) as { exitCode: number }).exitCode, 6);
      await machine.finish(spec, task);
      rmSync(directory, { recursive: true });
    });

    it('a shim whose container was removed meanwhile ends with it', async () => {
      const spec = machine.spec(['/bin/sleep', '1000']);
      const [root, socket] = [join(machine.directory, 'alone'), join(machine.directory, 'alone.sock')];
      const data = join(machine.directory, 'removed');
      for (const path of [root, data, spec.bundle]) mkdirSync(path, { recursive: true });
      writeFileSync(join(spec.bundle, 'config.json'), JSON.stringify(spec.ociSpec));
      const program = runtimeName === 'crun' ? '/usr/bin/crun' : '/usr/sbin/runc';
      const named = ['--id', spec.containerId, '--bundle', spec.bundle, '--socket', socket];
      const runtime = ['--runtime', program, '--runtime-root', root];
      const record = ['--exit-record', join(data, 'exit.json'), '--control', '0'];
      const shim = spawn(machine.shimPath, [...named, ...runtime, ...record], { stdio: 'ignore' });
      const ended = once(shim, 'exit');
      const state = join(spec.bundle, 'shim.json');
      while (!existsSync(state)) await delay(5);
      const { pid } = JSON.parse(readFileSync(state, 'utf8')) as { pid: number };
      for (const path of [data, spec.bundle]) rmSync(path, { recursive: true });
      process.kill(pid, 'SIGKILL');
      assert.deepEqual(await ended, [0, null]);
      execFileSync(program, ['--root', root, 'delete', '--force', spec.containerId]);
      rmSync(root, { recursive: true });
    });

    it('a full disk cuts the slow client with an error, not the container', async () => {
      const disk = join(machine.directory, 'spill');
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
      try {
        const count = 400_000;
        const base = machine.spec(['/bin/seq', '1', String(count)], { attachments: [all] });
        const spec: TaskSpec = { ...base, exitPath: join(disk, 'data/exit.json') };
        const task = await machine.runtime.start(ctx, spec);
        assert.equal((await task.exit).exitCode, 0);
        assert.equal((await machine.readLog(spec)).split('\n').length - 1, count);
        const expected = Array.from({ length: count }, (_, index) => `${index + 1}\n`).join('');
        let kept = '';
        await assert.rejects(async () => {
          for await (const chunk of (task.attachments[0] as Attachment).stdout) kept += String(chunk);
        }, /read too slowly/);
        assert.ok(kept.length > 1_000_000 && expected.startsWith(kept), 'what came is an unbroken beginning');
        await machine.finish(spec, task);
      } finally {
        execFileSync('umount', ['-l', disk]);
        rmSync(disk, { recursive: true });
      }
    });

    it('a state file that is damaged is no trap', async () => {
      const spec = machine.spec(['/bin/true']);
      mkdirSync(dirname(join(spec.bundle, 'shim.json')), { recursive: true });
      execFileSync('sh', [
        '-c',
        `printf '{"pid":"x' > ${join(spec.bundle, 'shim.json')}; printf '[' > ${spec.exitPath}`,
      ]);
      assert.deepEqual(await machine.runtime.recover(ctx, spec), { state: 'gone' });
      await machine.runtime.cleanup(ctx, spec);
      await assertGone(spec);
    });
  });
}
