// timeout: 300
/** The contract suite and the noisy cases once more, with the shim under valgrind: no invalid access, no leak, no open descriptor. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { Attachment } from '../../src/core/ports/runtime.ts';
import { runtimeContract, textOf } from '../contracts/runtime.contract.ts';
import { createMachine, type ShimMachine } from './machine.ts';

const ctx = backgroundCtx();
const tools = mkdtempSync(join(tmpdir(), 'slip-'));
const shimPath = join(tools, 'slipway-shim');

/** Builds the shim with symbols, and a wrapper that runs it under valgrind with a report a process. */
function prepare(): void {
  const source = join(import.meta.dirname, '../../native/shim');
  execFileSync('make', ['-s', '-C', source, 'debug', `OUT=${join(tools, 'shim-debug')}`]);
  const options =
    '--quiet --vgdb=no --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect --child-silent-after-fork=yes';
  writeFileSync(
    shimPath,
    `#!/bin/sh\nexec valgrind ${options} --log-file=${tools}/report.%p ${tools}/shim-debug "$@"\n`,
  );
  chmodSync(shimPath, 0o755);
}

function reports(): string[] {
  return readdirSync(tools)
    .filter((name) => name.startsWith('report.'))
    .map((name) => readFileSync(join(tools, name), 'utf8'));
}

prepare();

runtimeContract('shim under valgrind', async () => {
  const machine = await createMachine('crun', { shimPath });
  const checkpoints = { problem: /the runtime crun .* does not do them on this host/ };
  return { ...machine, checkpoints, restart: () => machine.newRuntime() };
});

describe('valgrind', () => {
  let machine: ShimMachine;
  before(async () => {
    machine = await createMachine('crun', { shimPath });
  });
  after(async () => {
    await machine.close();
    rmSync(tools, { recursive: true });
  });

  it('a flood with rotation, a slow client and one that goes', async () => {
    const all = { stdin: false, stdout: true, stderr: true } as const;
    const base = machine.spec(['/bin/sh', '-c', 'seq 1 300000; seq 1 1000 >&2'], {
      attachments: [all, all, all],
    });
    const task = await machine.runtime.start(ctx, {
      ...base,
      log: { ...base.log, maxSize: 100_000, maxFile: 3 },
    });
    const [reader, slow, leaver] = task.attachments as [Attachment, Attachment, Attachment];
    leaver.stdout.once('data', () => leaver.detach());
    const [out, err] = await Promise.all([textOf(reader.stdout), textOf(reader.stderr)]);
    assert.ok(out.endsWith('\n300000\n') && err.endsWith('\n1000\n'));
    await task.exit;
    assert.ok((await textOf(slow.stdout)).endsWith('\n300000\n'));
    task.release();
    await machine.runtime.cleanup(ctx, base);
  });

  it('a terminal, an exec with a terminal, a failing exec and a failing start', async () => {
    const both = { stdin: true, stdout: true, stderr: true } as const;
    const spec = machine.spec(['/bin/cat'], { terminal: true, openStdin: true, attachments: [both] });
    const task = await machine.runtime.start(ctx, spec);
    await task.resize(10, 20);
    const exec = await task.exec(ctx, {
      execId: 'tty',
      // crun 1.8 sets the size while the process starts already.
      process: machine.process(
        ['/bin/sh', '-c', 'until stty size >/dev/null 2>&1; do :; done; stty size; exit 3'],
        true,
      ),
      terminal: true,
      consoleSize: [11, 22],
      openStdin: true,
      attach: both,
    });
    assert.ok(exec.attachment);
    assert.equal(await textOf(exec.attachment.stdout), '11 22\r\n');
    assert.equal((await exec.exit).exitCode, 3);
    await assert.rejects(
      task.exec(ctx, {
        execId: 'missing',
        process: machine.process(['nosuch']),
        terminal: false,
        openStdin: false,
        attach: both,
      }),
    );
    await machine.finish(spec, task);
    await assert.rejects(machine.runtime.start(ctx, machine.spec(['nosuch'], { terminal: true })));
  });

  it('a log that is held until it is sent on, and one that nobody takes', async () => {
    // More than the pipe holds, in lines of 750 bytes.
    const script = 'yes "$(seq -w 1 250 | tr -d "\\n")" | head -n 5000';
    const base = machine.spec(['/bin/sh', '-c', script]);
    const path = base.log.path ?? '';
    const spec = { ...base, log: { path, maxSize: 200_000, maxFile: 3, unsentMax: 600_000 } };
    const files = (): number =>
      readdirSync(dirname(path)).filter((name) => /^json\.log\.\d+$/.test(name)).length;
    const cursor = (segment: number): void =>
      writeFileSync(`${path}.cursor`, `1 ${String(segment).padStart(20, '0')} ${'0'.repeat(20)}\n`);
    cursor(1);
    const task = await machine.runtime.start(ctx, spec);
    const run = { isOver: false };
    void task.exit.then(() => (run.isOver = true));
    for (let sent = 0; !run.isOver; sent += 1) {
      while (!run.isOver && files() < sent + 2) await delay(5);
      cursor(sent + 2);
    }
    const lost = (): number =>
      (JSON.parse(readFileSync(spec.exitPath, 'utf8')) as { lostLogLines: number }).lostLogLines;
    assert.equal(lost(), 0);
    task.release();
    await machine.runtime.cleanup(ctx, spec);
    const again = await machine.runtime.start(ctx, spec);
    await again.exit;
    assert.ok(lost() > 0);
    again.release();
    await machine.runtime.cleanup(ctx, spec);
  });

  it('has found nothing', async () => {
    const found = reports();
    assert.ok(found.length > 10, 'valgrind has run');
    assert.equal(found.join(''), '');
  });
});
