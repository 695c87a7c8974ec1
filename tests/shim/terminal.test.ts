import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Readable } from 'node:stream';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { textOf } from '../contracts/runtime.contract.ts';
import { createMachine, type ShimMachine } from './machine.ts';

const everything = { stdin: true, stdout: true, stderr: true } as const;
const ctx = backgroundCtx();

/** Reads until the text matches; what was read before stays part of it. */
async function readUntil(stream: Readable, pattern: RegExp): Promise<string> {
  let text = '';
  for (;;) {
    const chunk = stream.read() as Buffer | null;
    if (chunk === null) {
      await new Promise((resolve) => {
        stream.once('readable', resolve);
      });
      continue;
    }
    text += String(chunk);
    if (pattern.test(text)) return text;
  }
}

for (const runtimeName of ['crun', 'runc']) {
  describe(`terminals (${runtimeName})`, () => {
    let machine: ShimMachine;
    before(async () => {
      machine = await createMachine(runtimeName);
    });
    after(() => machine.close());

    it('gives the container a terminal of the size asked for, and resizes it', async () => {
      const spec = machine.spec(['/bin/sh'], {
        terminal: true,
        openStdin: true,
        consoleSize: [33, 99],
        attachments: [everything],
      });
      const task = await machine.runtime.start(ctx, spec);
      const [attachment] = task.attachments;
      assert.ok(attachment?.stdin);
      attachment.stdin.write('stty -echo; tty; stty size\n');
      assert.match(await readUntil(attachment.stdout, /\d+ \d+\r\n/), /\/dev\/(pts\/0|console)\r\n33 99\r\n/);
      await task.resize(40, 120);
      attachment.stdin.write('stty size\n');
      await readUntil(attachment.stdout, /40 120\r\n/);
      const rest = textOf(attachment.stdout);
      attachment.stdin.write('exit 4\n');
      assert.equal((await task.exit).exitCode, 4);
      await rest;
      const log = await machine.readLog(spec);
      assert.match(log, /"log":"33 99\\r\\n","stream":"stdout"/);
      task.release();
      await machine.runtime.cleanup(ctx, spec);
    });

    it('gives an exec a terminal of its own', async () => {
      const spec = machine.spec(['/bin/sleep', '1000']);
      const task = await machine.runtime.start(ctx, spec);
      const exec = await task.exec(ctx, {
        execId: 'tty',
        process: machine.process(['/bin/sh'], true),
        terminal: true,
        consoleSize: [24, 80],
        openStdin: true,
        attach: everything,
      });
      assert.ok(exec.attachment?.stdin);
      exec.attachment.stdin.write('stty -echo; stty size\n');
      await readUntil(exec.attachment.stdout, /24 80\r\n/);
      await exec.resize(50, 150);
      exec.attachment.stdin.write('stty size\n');
      await readUntil(exec.attachment.stdout, /50 150\r\n/);
      exec.attachment.stdin.write('exit 9\n');
      await textOf(exec.attachment.stdout);
      assert.deepEqual(await exec.exit, { exitCode: 9 });
      await machine.finish(spec, task);
    });

    it('tells the size to a program that asks first thing, and nothing of how it was told', async () => {
      const spec = machine.spec(['/bin/sleep', '1000']);
      const task = await machine.runtime.start(ctx, spec);
      // Many at once: the runtime's two processes go on at the same time then, and one of them is late.
      const sizes = await Promise.all(
        Array.from({ length: 24 }, async (_, index) => {
          const exec = await task.exec(ctx, {
            execId: `size-${index}`,
            process: machine.process(['/bin/stty', 'size'], true),
            terminal: true,
            consoleSize: [20 + index, 180],
            openStdin: false,
            attach: everything,
          });
          assert.ok(exec.attachment);
          return await textOf(exec.attachment.stdout);
        }),
      );
      assert.deepEqual(
        sizes,
        Array.from({ length: 24 }, (_, index) => `${20 + index} 180\r\n`),
      );
      const exec = await task.exec(ctx, {
        execId: 'environment',
        process: machine.process(['/bin/cat', '/proc/self/environ'], true),
        terminal: true,
        consoleSize: [24, 80],
        openStdin: false,
        attach: everything,
      });
      assert.ok(exec.attachment);
      const environment = (await textOf(exec.attachment.stdout)).replace(/HOME=[^\0]*\0/, '');
      assert.equal(environment, 'PATH=/bin\0TERM=xterm\0');
      await machine.finish(spec, task);
    });

    it('delivers what was written just before the exit', async () => {
      const spec = machine.spec(['/bin/seq', '1', '5000'], { terminal: true, attachments: [everything] });
      const task = await machine.runtime.start(ctx, spec);
      assert.ok(task.attachments[0]);
      const text = await textOf(task.attachments[0].stdout);
      assert.equal(text, Array.from({ length: 5000 }, (_, i) => `${i + 1}\r\n`).join(''));
      await machine.finish(spec, task);
    });

    it('reports a missing command although there is a terminal', async () => {
      const spec = machine.spec(['nosuch'], { terminal: true });
      await assert.rejects(
        machine.runtime.start(ctx, spec),
        /exec: "nosuch": executable file not found in \$PATH/,
      );
      assert.ok(!(await machine.runtime.list()).includes(spec.containerId));
    });
  });
}
