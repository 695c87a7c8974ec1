import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPidfd, parseProcessStat, readProcessStat } from './pidfd.ts';

test('/proc/PID/stat: the command may hold spaces and parentheses', () => {
  const rest = 'S 10 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 123456 1000 200';
  assert.deepEqual(parseProcessStat(`42 (a) b (c)) ${rest}\n`), {
    pid: 42,
    ppid: 10,
    startTicks: '123456',
    state: 'S',
    command: 'a) b (c)',
  });
  assert.equal(parseProcessStat('42 (short) S 1'), undefined);
  assert.equal(parseProcessStat(''), undefined);
});

test('our own process is found, one that cannot be is not', () => {
  assert.equal(readProcessStat(process.pid)?.ppid, process.ppid);
  assert.equal(readProcessStat(2 ** 22 + 1), undefined);
  assert.equal(openPidfd(2 ** 22 + 1), -1);
  assert.equal(openPidfd(0), -1);
  assert.equal(openPidfd(process.pid, '1'), -1);
});
