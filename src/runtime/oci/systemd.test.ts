import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSlice, scopeOf, scopePath, slicePath, unitChange } from './systemd.ts';

test('a slice lies in the slices that its name tells', () => {
  assert.equal(slicePath('system.slice'), '/system.slice');
  assert.equal(slicePath('a-b-c.slice'), '/a.slice/a-b.slice/a-b-c.slice');
  assert.deepEqual(scopeOf(scopePath('a-b.slice', 'slipway', 'x1')), {
    unit: 'slipway-x1.scope',
    path: '/a.slice/a-b.slice/slipway-x1.scope',
  });
  assert.equal(scopeOf('/slipway/x1'), undefined);
});

test('what is no slice is refused in dockerd’s words', () => {
  for (const name of ['system.slice', 'a-b.slice', 'user-1000.slice', 'x_1.slice']) checkSlice(name);
  for (const name of [
    '/slipway',
    '.slice',
    'slice',
    'a/b.slice',
    '-a.slice',
    'a-.slice',
    'a--b.slice',
    'a.slice/',
    'a b.slice',
  ])
    assert.throws(() => checkSlice(name), {
      message: 'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"',
    });
});

test('systemd is told of what changes, and of nothing else', () => {
  const mega = 1024 * 1024;
  const before = { Memory: 100 * mega, MemorySwap: 200 * mega, CpuShares: 512, PidsLimit: 50 };
  assert.equal(unitChange('u', before, { ...before, RestartPolicy: { Name: 'always' } }), undefined);
  const next = {
    ...before,
    Memory: 50 * mega,
    MemoryReservation: 10 * mega,
    CpuShares: 1024,
    CpuPeriod: 50_000,
    CpuQuota: 10_000,
    CpusetCpus: '0-1',
    PidsLimit: -1,
    BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 1000 }],
  };
  assert.deepEqual(unitChange('u', before, next), {
    unit: 'u',
    properties: [
      `MemoryMax=${50 * mega}`,
      `MemorySwapMax=${150 * mega}`,
      `MemoryLow=${10 * mega}`,
      'CPUWeight=39',
      'CPUQuota=20%',
      'CPUQuotaPeriodSec=50000us',
      'AllowedCPUs=0-1',
      'TasksMax=infinity',
      'IOReadBandwidthMax=/dev/vda 1000',
    ],
  });
  assert.deepEqual(unitChange('u', next, before)?.properties.slice(3, 6), [
    'CPUWeight=20',
    'CPUQuota=',
    'AllowedCPUs=',
  ]);
  const others = { ...next, BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 2000 }] };
  assert.deepEqual(unitChange('u', next, others)?.properties, [
    'IOReadBandwidthMax=',
    'IOReadBandwidthMax=/dev/vda 2000',
  ]);
  // As a container is started: all that it has, and nothing of a container without limits.
  assert.deepEqual(unitChange('u', {}, before)?.properties, [
    `MemoryMax=${100 * mega}`,
    `MemorySwapMax=${100 * mega}`,
    'CPUWeight=20',
    'TasksMax=50',
  ]);
  assert.equal(unitChange('u', {}, { CpusetCpus: '', BlkioDeviceReadBps: [] }), undefined);
  assert.deepEqual(unitChange('u', {}, { NanoCpus: 333_333_333 })?.properties, [
    'CPUQuota=33.34%',
    'CPUQuotaPeriodSec=100000us',
  ]);
});
