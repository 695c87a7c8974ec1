/**
 * The part of a daemon that crash.test.ts kills: starts containers that print numbers, reads their output, executes in them. Each
 * container is announced on stdout before its start, as the daemon's record is written before the effect.
 */
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { Task } from '../../src/core/ports/runtime.ts';
import { createMachine } from './machine.ts';

const [, , directory = '', runtimeName = 'crun'] = process.argv;
const ctx = backgroundCtx();
const machine = await createMachine(runtimeName, { directory });
const all = { stdin: true, stdout: true, stderr: true } as const;

async function execInLoop(task: Task): Promise<void> {
  for (let i = 0; ; i += 1) {
    const exec = await task.exec(ctx, {
      execId: `e${i}`,
      process: machine.process(['/bin/echo', 'exec']),
      terminal: false,
      openStdin: false,
      attach: all,
    });
    exec.attachment?.stdout.resume();
    await exec.exit;
  }
}

async function runOne(index: number): Promise<void> {
  // Odd ones end by themselves, with a code that tells which.
  const script =
    index % 2 === 1
      ? `seq 1 20000; exit ${index}`
      : 'i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); echo $i; done; sleep 1000';
  const spec = machine.spec(['/bin/sh', '-c', script], { openStdin: true, attachments: [all] });
  process.stdout.write(`${JSON.stringify({ index, spec })}\n`);
  const task = await machine.runtime.start(ctx, spec);
  task.attachments[0]?.stdout.resume();
  process.stdout.write(`${JSON.stringify({ started: spec.containerId, pid: task.pid })}\n`);
  if (index % 4 === 0) await execInLoop(task);
}

await Promise.all(Array.from({ length: 8 }, (_, index) => runOne(index)));
