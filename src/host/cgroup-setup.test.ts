import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFakeHost } from '../../tests/contracts/fakes/host/index.ts';
import { backgroundCtx } from '../core/ctx.ts';
import type { MountRequest } from '../core/ports/host.ts';
import { cgroupLayout } from './cgroup/layout.ts';
import { planCgroupSetup, setUpCgroups, undoCgroupSetup } from './cgroup-setup.ts';
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

test('set-up is recorded, repeated without effect, and undone; a refusal does not end the daemon', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'slip-cgroup-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const unified = join(root, 'unified');
  mkdirSync(unified);
  writeFileSync(join(unified, 'cgroup.controllers'), 'hugetlb rdma\n');
  const host = createFakeHost({
    cgroups: { version: 'hybrid', controllers: { cpu: join(root, 'cpu'), unified }, unified },
  });
  await host.mount({
    source: 'cgroup2',
    target: unified,
    fstype: 'cgroup2',
    flags: ['nosuid'],
    data: 'nsdelegate',
  });
  const deps = {
    ...host,
    mount: (request: MountRequest) =>
      request.data === 'rdma' ? Promise.reject(new Error('busy')) : host.mount(request),
  };
  const recordPath = join(root, 'run/cgroups.json');
  const seen = async () => (await host.mounts(root)).map(({ target, options }) => [target, options]);
  const before = await seen();
  const after = [
    [unified, 'rw,nsdelegate,favordynmods'],
    [join(root, 'hugetlb'), 'rw,hugetlb'],
  ];
  for (const _round of [1, 2]) {
    await setUpCgroups(deps, backgroundCtx(), { ...both, recordPath });
    assert.deepEqual(await seen(), after);
    // The layout of the fake does not change by itself: without this, hugetlb would be mounted again.
    writeFileSync(join(unified, 'cgroup.controllers'), '');
  }
  await undoCgroupSetup(deps, backgroundCtx(), recordPath);
  assert.deepEqual(await seen(), before);
  assert.equal(existsSync(recordPath), false);
  await undoCgroupSetup(deps, backgroundCtx(), recordPath);
});
