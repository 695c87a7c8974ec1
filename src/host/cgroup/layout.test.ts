import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountInfo } from '../mount/mountinfo.ts';
import { cgroupLayout } from './layout.ts';

const layoutOf = (text: string) => cgroupLayout(parseMountInfo(text));

const v1 = `32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
44 31 0:32 / /elsewhere/memory rw - cgroup cgroup rw,memory
`;
const controllers = {
  cpu: '/sys/fs/cgroup/cpu,cpuacct',
  cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
  memory: '/sys/fs/cgroup/memory',
  'name=systemd': '/sys/fs/cgroup/systemd',
};

test('v1: joined controllers, named hierarchies, first mount of each', () => {
  assert.deepEqual(layoutOf(v1), { version: 1, controllers, unified: undefined });
});

test('hybrid', () => {
  const unified = '/sys/fs/cgroup/unified';
  assert.deepEqual(layoutOf(`${v1}41 31 0:38 / ${unified} rw - cgroup2 cgroup2 rw,nsdelegate\n`), {
    version: 'hybrid',
    controllers: { ...controllers, unified },
    unified,
  });
});

test('v2', () => {
  assert.deepEqual(
    layoutOf('28 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n'),
    {
      version: 2,
      controllers: {},
      unified: '/sys/fs/cgroup',
    },
  );
});

test('none mounted', () => {
  assert.deepEqual(layoutOf(''), { version: 2, controllers: {}, unified: undefined });
});
