import assert from 'node:assert/strict';
import { test } from 'node:test';
import { absoluteOverlayData, planMount } from './plan.ts';

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

test('relative overlay paths are made absolute, others stay', () => {
  assert.equal(
    absoluteOverlayData(
      'lowerdir=l/A:/abs:l/B\\:C,upperdir=x/diff,workdir=x/work,volatile,index=off',
      '/data',
    ),
    'lowerdir=/data/l/A:/abs:/data/l/B\\:C,upperdir=/data/x/diff,workdir=/data/x/work,volatile,index=off',
  );
});

test('what does not fit in a page, or would need escaping, needs a working directory', () => {
  const lower = Array.from({ length: 100 }, (_, at) => `l/${String(at).padStart(26, 'X')}`).join(':');
  assert.equal(absoluteOverlayData(`lowerdir=${lower}`, '/var/lib/slipway/overlay2'), undefined);
  assert.equal(absoluteOverlayData('lowerdir=a', '/with:colon'), undefined);
});
