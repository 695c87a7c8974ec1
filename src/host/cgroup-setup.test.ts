import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroupLayout } from './cgroup/layout.ts';
import { planCgroupSetup } from './cgroup-setup.ts';
import { parseMountInfo } from './mount/mountinfo.ts';

const both = { mountMissing: true, favorDynmods: true };
const hybrid = (options: string): string => `32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw,nosuid,nodev,relatime - cgroup2 cgroup2 ${options}
`;
const plan = (text: string, v2Controllers: string, wanted = both) => {
  const mounts = parseMountInfo(text);
  return planCgroupSetup(cgroupLayout(mounts), mounts, v2Controllers, wanted);
};
const favor = (options: string[]) => ({
  target: '/sys/fs/cgroup/unified',
  flags: ['nosuid', 'nodev', 'relatime'],
  options,
});

test('hybrid: controllers left to v2 get a v1 mount beside it, under their v1 names', () => {
  assert.deepEqual(plan(hybrid('rw'), 'cpu io hugetlb dmem\n'), {
    mounts: [
      { controller: 'blkio', target: '/sys/fs/cgroup/blkio' },
      { controller: 'hugetlb', target: '/sys/fs/cgroup/hugetlb' },
    ],
    favor: favor([]),
  });
});

test('a remount keeps the flags in force and is not repeated', () => {
  assert.deepEqual(
    plan(hybrid('rw,nsdelegate,memory_recursiveprot'), '').favor,
    favor(['nsdelegate', 'memory_recursiveprot']),
  );
  assert.equal(plan(hybrid('rw,nsdelegate,favordynmods'), '').favor, undefined);
});

test('each is an option; pure v2 keeps its controllers; pure v1 needs neither', () => {
  assert.deepEqual(plan(hybrid('rw'), 'hugetlb', { mountMissing: false, favorDynmods: false }), {
    mounts: [],
    favor: undefined,
  });
  const v2 = plan('28 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n', 'cpu memory');
  assert.deepEqual(v2, { mounts: [], favor: { target: '/sys/fs/cgroup', flags: [], options: [] } });
  assert.deepEqual(plan('32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n', ''), {
    mounts: [],
    favor: undefined,
  });
});
