import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planMount } from './plan.ts';

const request = (flags: string[], fstype = '', data?: string) => ({
  source: 'src',
  target: '/t',
  fstype,
  flags,
  ...(data === undefined ? {} : { data }),
});

test('a filesystem with flags and data is one call', () => {
  assert.deepEqual(planMount(request(['nosuid', 'nodev', 'noexec', 'relatime'], 'tmpfs', 'size=1m')), [
    { source: 'src', target: '/t', fstype: 'tmpfs', flags: 0x2 | 0x4 | 0x8 | 0x200000, data: 'size=1m' },
  ]);
});

test('a read-only bind is bound first and restricted by a remount', () => {
  assert.deepEqual(planMount(request(['rbind', 'ro'])), [
    { source: 'src', target: '/t', fstype: '', flags: 0x1000 | 0x4000, data: null },
    { source: '', target: '/t', fstype: '', flags: 0x1 | 0x1000 | 0x20, data: null },
  ]);
  assert.equal(planMount(request(['bind', 'rw'])).length, 1);
});

test('propagation is set by calls of its own', () => {
  assert.deepEqual(
    planMount(request(['bind', 'rprivate'])).map(({ flags }) => flags),
    [0x1000, 0x40000 | 0x4000],
  );
  assert.deepEqual(
    planMount(request(['rshared'])).map(({ flags }) => flags),
    [0x100000 | 0x4000],
  );
  assert.deepEqual(
    planMount(request(['private'], 'tmpfs')).map(({ flags }) => flags),
    [0, 0x40000],
  );
});

test('an unknown flag is refused', () => {
  assert.throws(() => planMount(request(['nosuchflag'])), /invalid mount flag: nosuchflag/);
});
