import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runProgram } from './run-program.ts';

test('what a program wrote before its exit is told, however many run at once', async () => {
  const script = 'printf out; printf err >&2; exit 3';
  const all = await Promise.all(Array.from({ length: 60 }, () => runProgram('/bin/sh', ['-c', script])));
  for (const one of all) assert.deepEqual(one, { status: 3, stdout: 'out', stderr: 'err' });
});

test('it does not wait for what the program left running with its output open', async () => {
  const done = await runProgram('/bin/sh', ['-c', 'echo begun; sleep 1000 & echo $!']);
  const [said, pid] = done.stdout.split('\n');
  assert.equal(said, 'begun');
  process.kill(Number(pid), 'SIGKILL');
});
