import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { socketpair } from '../process/socketpair.ts';
import { unreadOutput } from './unread-output.ts';

test('what the other end has not read counts, until it has read all', () => {
  const [ours, theirs] = socketpair();
  assert.equal(unreadOutput(ours), 0);
  writeSync(ours, 'twelve bytes');
  assert.ok(unreadOutput(ours) >= 12);
  const half = Buffer.alloc(6);
  readSync(theirs, half);
  assert.ok(unreadOutput(ours) > 0);
  readSync(theirs, half);
  assert.equal(unreadOutput(ours), 0);
  for (const fd of [ours, theirs]) closeSync(fd);
});

test('of what is no socket nothing is known', () => {
  const fd = openSync('/dev/null', 'w');
  assert.equal(unreadOutput(fd), 0);
  closeSync(fd);
  assert.equal(unreadOutput(-1), 0);
});
