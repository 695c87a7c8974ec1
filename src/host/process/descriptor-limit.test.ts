import assert from 'node:assert/strict';
import { test } from 'node:test';
import { childLimit } from './descriptor-limit.ts';

test('children get the recorded soft limit, never more than the hard one', () => {
  const own = { soft: 4096n, hard: 4096n };
  assert.equal(childLimit('2048', own).soft, 2048n);
  assert.equal(childLimit('1048576', own).soft, 4096n);
  assert.equal(childLimit('unlimited', own).soft, 4096n);
  assert.equal(childLimit(undefined, own).soft, 1024n);
  assert.equal(childLimit('garbage', own).soft, 1024n);
  assert.equal(childLimit('2048', own).hard, 4096n);
});
