import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostConfig } from '../../core/model/container-spec.ts';
import type { CgroupLayout } from '../../core/ports/host.ts';
import { abilitiesOf } from './abilities.ts';
import { blockToIoWeight, lateWrites, limitWrites, sharesToWeight, type CgroupPlace } from './cgroup-plan.ts';
import { cgroupDirectories } from './cgroups.ts';
import { discardUnsupported, listNumbers } from './discard.ts';

const all: HostConfig = {
  CpuShares: 1024,
  NanoCpus: 5e8,
  CpusetCpus: '0',
  CpusetMems: '0',
  Memory: 100,
  MemorySwap: 150,
  MemoryReservation: 50,
  MemorySwappiness: 10,
  PidsLimit: 7,
  BlkioWeight: 300,
  BlkioWeightDevice: [{ Path: '/dev/a', Weight: 400 }],
  BlkioDeviceReadBps: [{ Path: '/dev/a', Rate: 1000 }],
  BlkioDeviceWriteBps: [{ Path: '/dev/b', Rate: 2000 }],
  BlkioDeviceReadIOps: [{ Path: '/dev/a', Rate: 3 }],
  BlkioDeviceWriteIOps: [{ Path: '/dev/a', Rate: 4 }],
};

function place(layout: CgroupLayout, bfqFiles = false): CgroupPlace {
  return {
    layout,
    paths: cgroupDirectories(layout, '/slipway/x'),
    bfqFiles,
    numbersOf: (path) => (path === '/dev/a' ? '8:0' : '8:16'),
  };
}

const v2: CgroupLayout = { version: 2, controllers: {}, unified: '/c' };
const v1: CgroupLayout = {
  version: 1,
  controllers: {
    cpu: '/c/cpu',
    cpuset: '/c/cpuset',
    memory: '/c/memory',
    pids: '/c/pids',
    blkio: '/c/blkio',
  },
  unified: undefined,
};
/** systemd's mixed layout: the v2 hierarchy is there and holds no controller but those that v1 lacks. */
const hybrid: CgroupLayout = {
  version: 'hybrid',
  controllers: {
    cpu: '/c/cpu,cpuacct',
    cpuacct: '/c/cpu,cpuacct',
    memory: '/c/memory',
    'name=systemd': '/c/systemd',
  },
  unified: '/c/unified',
};

const written = (where: CgroupPlace, before: HostConfig, after: HostConfig): readonly string[] =>
  limitWrites(where, before, after).map((write) => `${write.directory}/${write.file}=${write.value}`);

test('v2: every limit in the one directory', () => {
  assert.deepEqual(written(place(v2), {}, all), [
    '/c/slipway/x/cpu.max=50000 100000',
    '/c/slipway/x/cpu.weight=39',
    '/c/slipway/x/cpuset.cpus=0',
    '/c/slipway/x/cpuset.mems=0',
    '/c/slipway/x/memory.swap.max=50',
    '/c/slipway/x/memory.max=100',
    '/c/slipway/x/memory.low=50',
    '/c/slipway/x/pids.max=7',
    '/c/slipway/x/io.bfq.weight=300',
    '/c/slipway/x/io.weight=default 2930',
    '/c/slipway/x/io.bfq.weight=8:0 400',
    '/c/slipway/x/io.weight=8:0 3940',
    '/c/slipway/x/io.max=8:0 rbps=1000',
    '/c/slipway/x/io.max=8:16 wbps=2000',
    '/c/slipway/x/io.max=8:0 riops=3',
    '/c/slipway/x/io.max=8:0 wiops=4',
  ]);
});

test('v1: every limit in the directory of its controller', () => {
  assert.deepEqual(written(place(v1), {}, { ...all, CpuRealtimeRuntime: 5, OomKillDisable: true }), [
    '/c/cpu/slipway/x/cpu.cfs_period_us=100000',
    '/c/cpu/slipway/x/cpu.cfs_quota_us=50000',
    '/c/cpu/slipway/x/cpu.shares=1024',
    '/c/cpu/slipway/x/cpu.rt_runtime_us=5',
    '/c/cpuset/slipway/x/cpuset.cpus=0',
    '/c/cpuset/slipway/x/cpuset.mems=0',
    '/c/memory/slipway/x/memory.memsw.limit_in_bytes=150',
    '/c/memory/slipway/x/memory.limit_in_bytes=100',
    '/c/memory/slipway/x/memory.memsw.limit_in_bytes=150',
    '/c/memory/slipway/x/memory.limit_in_bytes=100',
    '/c/memory/slipway/x/memory.soft_limit_in_bytes=50',
    '/c/memory/slipway/x/memory.swappiness=10',
    '/c/memory/slipway/x/memory.oom_control=1',
    '/c/pids/slipway/x/pids.max=7',
    '/c/blkio/slipway/x/blkio.weight=300',
    '/c/blkio/slipway/x/blkio.weight_device=8:0 400',
    '/c/blkio/slipway/x/blkio.throttle.read_bps_device=8:0 1000',
    '/c/blkio/slipway/x/blkio.throttle.write_bps_device=8:16 2000',
    '/c/blkio/slipway/x/blkio.throttle.read_iops_device=8:0 3',
    '/c/blkio/slipway/x/blkio.throttle.write_iops_device=8:0 4',
  ]);
});

test('hybrid: v1 files where v1 has the controller, nothing where it has not, and a warning says so', () => {
  assert.deepEqual(written(place(hybrid), {}, { CpuShares: 512, Memory: 100, PidsLimit: 7 }), [
    '/c/cpu,cpuacct/slipway/x/cpu.shares=512',
    '/c/memory/slipway/x/memory.limit_in_bytes=100',
  ]);
  const able = abilitiesOf(
    hybrid,
    (path) => !path.includes('blkio'),
    () => '0-1',
  );
  const { hostConfig, warnings } = discardUnsupported({ CpuShares: 512, PidsLimit: 7 }, able);
  assert.deepEqual(hostConfig, { CpuShares: 512, PidsLimit: null });
  assert.match(warnings.join(), /^Your kernel does not support PIDs limit capabilities/);
});

test('a device that is left out of a new list loses its limit', () => {
  const before = { BlkioDeviceReadBps: [{ Path: '/dev/a', Rate: 1000 }] };
  const after = { BlkioDeviceReadBps: [{ Path: '/dev/b', Rate: 5 }] };
  assert.deepEqual(written(place(v1), before, after), [
    '/c/blkio/slipway/x/blkio.throttle.read_bps_device=8:0 0',
    '/c/blkio/slipway/x/blkio.throttle.read_bps_device=8:16 5',
  ]);
  assert.deepEqual(written(place(v2), before, after), [
    '/c/slipway/x/io.max=8:0 rbps=max',
    '/c/slipway/x/io.max=8:16 rbps=5',
  ]);
});

test('no limit is written as the kernel wants it', () => {
  const free = { PidsLimit: 0, NanoCpus: 0, CpuQuota: -1, MemorySwap: -1, Memory: 100 };
  assert.deepEqual(written(place(v2), {}, free), [
    '/c/slipway/x/cpu.max=max 100000',
    '/c/slipway/x/memory.swap.max=max',
    '/c/slipway/x/memory.max=100',
    '/c/slipway/x/pids.max=max',
  ]);
  assert.deepEqual(written(place(v1), {}, { PidsLimit: -1 }), ['/c/pids/slipway/x/pids.max=max']);
});

test("BFQ's files of v1 are written after the start, since the runtime was not told", () => {
  const late = lateWrites(place(v1, true), all);
  assert.deepEqual(
    late.map((write) => `${write.file}=${write.value}`),
    ['blkio.bfq.weight=300', 'blkio.bfq.weight_device=8:0 400'],
  );
  assert.deepEqual(lateWrites(place(v1), all), []);
  assert.deepEqual(lateWrites(place(v2), all), []);
});

test('weights convert at both ends', () => {
  assert.deepEqual([sharesToWeight(2), sharesToWeight(262_144)], [1, 10_000]);
  assert.deepEqual([blockToIoWeight(10), blockToIoWeight(1000)], [1, 10_000]);
});

test('abilities: what the files of each layout tell', () => {
  const files = new Set([
    '/c/memory/memory.limit_in_bytes',
    '/c/blkio/blkio.bfq.io_serviced',
    '/proc/self/ns/cgroup',
  ]);
  const old = abilitiesOf(
    v1,
    (path) => files.has(path),
    () => '',
  );
  assert.deepEqual([old.memory, old.swap, old.blkioWeight, old.bfqFiles], [true, false, true, true]);
  const two = abilitiesOf(
    v2,
    () => false,
    (path) => (path === '/c/cgroup.controllers' ? 'cpu memory\n' : ''),
  );
  assert.deepEqual(
    [two.memory, two.swap, two.pids, two.cpuQuota, two.oomKillDisable],
    [true, true, false, true, false],
  );
});

test('discards: what the kernel lacks goes, with a warning for each; what cannot go is refused', () => {
  const none = abilitiesOf(
    { version: 1, controllers: {}, unified: undefined },
    () => false,
    () => '',
  );
  const { NanoCpus: _, ...rest } = all;
  const asked = {
    ...rest,
    CpuQuota: 5000,
    OomKillDisable: true,
    CpuPercent: 5,
    CgroupnsMode: 'private' as const,
  };
  const { hostConfig, warnings } = discardUnsupported(asked, none);
  assert.equal(warnings.length, 16, warnings.join('\n'));
  assert.deepEqual([hostConfig.Memory, hostConfig.MemorySwap, hostConfig.PidsLimit], [0, -1, null]);
  assert.equal(hostConfig.CgroupnsMode, 'host');
  assert.throws(() => discardUnsupported({ NanoCpus: 1 }, none), { message: /^NanoCPUs can not be set/ });
  assert.throws(() => discardUnsupported({ CpuRealtimeRuntime: 1 }, none), {
    message: /real-time scheduler/,
  });
  const two = abilitiesOf(
    v1,
    () => true,
    (path) => (path.includes('cpu/') ? '0,2-3' : '0'),
  );
  assert.throws(() => discardUnsupported({ CpusetCpus: '0-1' }, two), {
    message: 'Requested CPUs are not available - requested 0-1, available: 0,2-3',
  });
  assert.throws(() => discardUnsupported({ CpusetMems: '1' }, two), {
    message: 'Requested memory nodes are not available - requested 1, available: 0',
  });
  assert.deepEqual(discardUnsupported({ CpusetCpus: '2,3' }, two).warnings, []);
  assert.match(discardUnsupported({ OomKillDisable: true }, two).warnings.join(), /no memory limit is set/);
});

test('a list of a billion numbers does not become one in memory', () => {
  assert.ok(listNumbers('0-4000000000').size <= 65_536);
});
