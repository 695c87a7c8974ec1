/** What a container's process inherits, against literal lists: nothing of the daemon's or the shim's own. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { createMachine, type ShimMachine } from './machine.ts';

const ctx = backgroundCtx();

function statusOf(pid: number, field: string): string {
  const found = new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return found?.[1] ?? '';
}

for (const runtimeName of ['crun', 'runc']) {
  describe(`what a container's process inherits (${runtimeName})`, () => {
    let machine: ShimMachine;
    before(async () => {
      machine = await createMachine(runtimeName);
    });
    after(() => machine.close());

    const check = async (pid: number, withStdin: boolean): Promise<void> => {
      // crun's exec answers when the process exists, a moment before it has become the program.
      while (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('/bin/sleep')) await setImmediate();
      const descriptors = readdirSync(`/proc/${pid}/fd`).map((fd) => [
        fd,
        readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:\[\d+\]/, ''),
      ]);
      assert.deepEqual(descriptors, [
        ['0', withStdin ? 'pipe' : '/dev/null'],
        ['1', 'pipe'],
        ['2', 'pipe'],
      ]);
      for (const field of ['SigBlk', 'SigIgn', 'SigCgt'])
        assert.equal(BigInt(`0x${statusOf(pid, field)}`), 0n, field);
      assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'), '0\n');
      assert.equal(statusOf(pid, 'Umask'), '0022');
      assert.equal(
        readFileSync(`/proc/${pid}/environ`, 'utf8').replace(/HOME=[^\0]*\0/, ''),
        'PATH=/bin\0TERM=xterm\0',
      );
      // The limits that this process was started with; Node raises its own soft limit of open files.
      const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
      const own = readFileSync(`/proc/${process.ppid}/limits`, 'utf8');
      const line = (text: string): string | undefined => /^Max open files.*$/m.exec(text)?.[0];
      assert.equal(line(limits)?.split(/\s+/)[4], line(own)?.split(/\s+/)[4]);
    };

    it('for the first process and for an exec', async () => {
      const spec = machine.spec(['/bin/sleep', '1000'], {
        openStdin: true,
        attachments: [{ stdin: true, stdout: true, stderr: true }],
      });
      const task = await machine.runtime.start(ctx, spec);
      await check(task.pid, true);
      const exec = await task.exec(ctx, {
        execId: 'one',
        process: machine.process(['/bin/sleep', '1000']),
        terminal: false,
        openStdin: false,
        attach: undefined,
      });
      await check(exec.pid, false);
      await machine.finish(spec, task);
    });

    it('and the shim itself is small, protected, in a session of its own and nowhere', async () => {
      const spec = machine.spec(['/bin/sleep', '1000']);
      const task = await machine.runtime.start(ctx, spec);
      const pid = task.shimPid;
      assert.ok(Number.parseInt(statusOf(pid, 'VmRSS'), 10) < 1024, `RSS ${statusOf(pid, 'VmRSS')}`);
      // Only CAP_SYS_RESOURCE may lower it.
      const mayProtect = (BigInt(`0x${statusOf(process.pid, 'CapEff')}`) >> 24n) & 1n;
      assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'), mayProtect ? '-999\n' : '0\n');
      assert.equal(readlinkSync(`/proc/${pid}/cwd`), '/');
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ');
      assert.equal(stat?.[3], String(pid), 'session');
      const kinds = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
      const foreign = kinds.filter((kind) => !/^(\/dev\/null|pipe:|socket:|anon_inode:)/.test(kind));
      assert.deepEqual(foreign.sort(), [`${spec.exitPath}.new`, spec.log.path]);
      await machine.finish(spec, task);
    });
  });
}
