/** Limits: as the kernel's files have them, at the start and after `update` while the container runs. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openWorld } from './world.ts';

// Time for real-time tasks comes from the daemon's share; a little of what the host has.
const world = openWorld({ args: ['--cpu-rt-runtime=20000', '--cpu-rt-period=1000000'] });
const { run, refused, cli, inspect } = world;
const v1 = existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes');
const skip = v1 ? false : 'cgroup v2: the test machine (tests/vm) looks at its files';
/** A block device that every Linux has; limits are set on it, nothing is read from it. */
const disk = '/dev/loop0';

/** A limit of a running container as its cgroup has it. */
const limit = (id: string, controller: string, file: string): string =>
  readFileSync(join('/sys/fs/cgroup', controller, world.engine().instance, id, file), 'utf8').trim();

async function started(...args: string[]): Promise<string> {
  const id = await cli('run', '-d', ...args, 'busybox', 'sleep', '1000');
  return id.split('\n').at(-1) ?? '';
}

for (const runtime of ['crun', 'runc']) {
  test(`${runtime}: every limit of run is in the kernel's file`, { skip }, async () => {
    const id = await started(
      `--runtime=${runtime}`,
      '--cpu-shares=512',
      '--cpu-quota=50000',
      '--cpu-period=100000',
      '--cpu-rt-runtime=1000',
      '--cpu-rt-period=1000000',
      '--cpuset-cpus=0',
      '--cpuset-mems=0',
      '--memory=64m',
      '--memory-reservation=32m',
      '--memory-swap=128m',
      '--memory-swappiness=10',
      '--oom-kill-disable',
      '--pids-limit=33',
      `--device-read-bps=${disk}:1mb`,
      `--device-write-bps=${disk}:2mb`,
      `--device-read-iops=${disk}:100`,
      `--device-write-iops=${disk}:200`,
    );
    const files: readonly (readonly [string, string, string])[] = [
      ['cpu', 'cpu.shares', '512'],
      ['cpu', 'cpu.cfs_quota_us', '50000'],
      ['cpu', 'cpu.cfs_period_us', '100000'],
      ['cpu', 'cpu.rt_runtime_us', '1000'],
      ['cpu', 'cpu.rt_period_us', '1000000'],
      ['cpuset', 'cpuset.cpus', '0'],
      ['cpuset', 'cpuset.mems', '0'],
      ['memory', 'memory.limit_in_bytes', '67108864'],
      ['memory', 'memory.soft_limit_in_bytes', '33554432'],
      ['memory', 'memory.memsw.limit_in_bytes', '134217728'],
      ['memory', 'memory.swappiness', '10'],
      ['pids', 'pids.max', '33'],
      ['blkio', 'blkio.throttle.read_bps_device', '7:0 1048576'],
      ['blkio', 'blkio.throttle.write_bps_device', '7:0 2097152'],
      ['blkio', 'blkio.throttle.read_iops_device', '7:0 100'],
      ['blkio', 'blkio.throttle.write_iops_device', '7:0 200'],
    ];
    for (const [controller, file, value] of files) assert.equal(limit(id, controller, file), value, file);
    assert.match(limit(id, 'memory', 'memory.oom_control'), /oom_kill_disable 1/);
    await cli('rm', '-f', id);
  });

  test(`${runtime}: --cpus, --cgroup-parent and no limit on processes`, { skip }, async () => {
    const parent = `/${world.engine().instance}/teams/blue`;
    const id = await started(
      `--runtime=${runtime}`,
      '--cpus=0.5',
      `--cgroup-parent=${parent}`,
      '--pids-limit=-1',
    );
    const file = (controller: string, name: string): string =>
      readFileSync(join('/sys/fs/cgroup', controller, parent, id, name), 'utf8').trim();
    assert.equal(file('cpu', 'cpu.cfs_quota_us'), '50000');
    assert.equal(file('pids', 'pids.max'), 'max');
    assert.equal(await inspect(id, '{{json .HostConfig.PidsLimit}}'), 'null');
    await cli('update', '--pids-limit=7', id);
    await cli('update', '--pids-limit=-1', id);
    assert.equal(file('pids', 'pids.max'), 'max');
    assert.equal(await inspect(id, '{{json .HostConfig.PidsLimit}}'), '0');
    await cli('rm', '-f', id);
    assert.equal(existsSync(join('/sys/fs/cgroup/cpu', parent, id)), false);
  });
}

const bfq = existsSync('/sys/fs/cgroup/blkio/blkio.bfq.io_serviced');
test(
  'block weights, where the kernel keeps them',
  { skip: skip || (bfq ? false : 'no BFQ here') },
  async () => {
    const id = await started('--blkio-weight=300');
    assert.equal(limit(id, 'blkio', 'blkio.bfq.weight'), '300');
    await cli('update', '--blkio-weight=200', id);
    assert.equal(limit(id, 'blkio', 'blkio.bfq.weight'), '200');
    await cli('rm', '-f', id);
  },
);

test(
  'update changes every limit of a running container, in the kernel and in the record',
  { skip },
  async () => {
    const id = await started('--memory=64m', '--pids-limit=10', '--cpu-shares=100');
    const memory = ['--memory=128m', '--memory-swap=256m', '--memory-reservation=32m'];
    const cpu = [
      '--cpu-shares=300',
      '--cpu-quota=30000',
      '--cpu-period=50000',
      '--cpuset-cpus=0',
      '--cpuset-mems=0',
    ];
    const realtime = ['--cpu-rt-period=1000000', '--cpu-rt-runtime=2000'];
    await cli('update', ...memory, ...cpu, ...realtime, '--pids-limit=50', '--restart=on-failure:3', id);
    const files: readonly (readonly [string, string, string])[] = [
      ['memory', 'memory.limit_in_bytes', '134217728'],
      ['memory', 'memory.memsw.limit_in_bytes', '268435456'],
      ['memory', 'memory.soft_limit_in_bytes', '33554432'],
      ['cpu', 'cpu.shares', '300'],
      ['cpu', 'cpu.cfs_quota_us', '30000'],
      ['cpu', 'cpu.cfs_period_us', '50000'],
      ['cpu', 'cpu.rt_runtime_us', '2000'],
      ['cpuset', 'cpuset.cpus', '0'],
      ['cpuset', 'cpuset.mems', '0'],
      ['pids', 'pids.max', '50'],
    ];
    for (const [controller, file, value] of files) assert.equal(limit(id, controller, file), value, file);
    const shown = await inspect(
      id,
      '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{json .HostConfig.RestartPolicy}}',
    );
    assert.equal(shown, '134217728 50 {"Name":"on-failure","MaximumRetryCount":3}');
    // Smaller again: the kernel wants the two memory limits in the other order.
    await cli(
      'update',
      '--memory=32m',
      '--memory-swap=64m',
      '--memory-reservation=16m',
      '--pids-limit=0',
      id,
    );
    assert.equal(limit(id, 'memory', 'memory.memsw.limit_in_bytes'), '67108864');
    assert.equal(limit(id, 'pids', 'pids.max'), 'max');
    await cli('rm', '-f', id);
  },
);

test(
  'update changes the limits of single devices, and takes away those of devices left out',
  { skip },
  async () => {
    const id = await started(`--device-read-bps=${disk}:1mb`);
    const update = async (change: object): Promise<unknown> =>
      (await world.api('POST', `/containers/${id}/update`, change)).body;
    const bps = (): string => limit(id, 'blkio', 'blkio.throttle.read_bps_device');
    assert.deepEqual(await update({ BlkioDeviceReadBps: [{ Path: disk, Rate: 5_000_000 }] }), {
      Warnings: null,
    });
    assert.equal(bps(), '7:0 5000000');
    await update({
      BlkioDeviceReadBps: [{ Path: '/dev/loop1', Rate: 7000 }],
      BlkioDeviceWriteIOps: [{ Path: disk, Rate: 9 }],
    });
    assert.equal(bps(), '7:1 7000');
    assert.equal(limit(id, 'blkio', 'blkio.throttle.write_iops_device'), '7:0 9');
    const missing = await update({ BlkioDeviceReadBps: [{ Path: '/dev/nothing', Rate: 5 }] });
    assert.match(JSON.stringify(missing), /no such file or directory/);
    assert.equal(bps(), '7:1 7000', 'a refused update changes nothing');
    await cli('rm', '-f', id);
  },
);

test('an update that the kernel refuses is taken back whole', { skip }, async () => {
  const id = await started('--memory=64m', '--cpu-shares=100');
  // Beyond what the daemon's own share can give.
  const { code, stderr } = await world
    .engine()
    .run('slipway', ['update', '--cpu-shares=700', '--cpu-rt-runtime=900000', id]);
  assert.equal(code, 1);
  assert.match(stderr, /Cannot update container .*cpu\.rt_runtime_us/);
  assert.equal(limit(id, 'cpu', 'cpu.shares'), '100');
  assert.equal(await inspect(id, '{{.HostConfig.CpuShares}}'), '100');
  await cli('rm', '-f', id);
});

test('update in words: conflicts, ranges, what cannot change', async () => {
  const id = await started('--memory=64m', '--cpus=0.5');
  const says = async (words: RegExp, ...args: string[]): Promise<void> => {
    const { code, stderr } = await world.engine().run('slipway', ['update', ...args, id]);
    assert.equal(code, 1);
    assert.match(stderr, words);
  };
  await says(/should be smaller than already set memoryswap limit/, '--memory=500m');
  await says(/CPU Period cannot be updated as NanoCPUs has already been set/, '--cpu-period=100000');
  await says(/CPU Quota cannot be updated as NanoCPUs has already been set/, '--cpu-quota=5000');
  await says(/range of CPUs is from 0\.01/i, '--cpus=9999');
  await says(/Requested CPUs are not available - requested 9999/, '--cpuset-cpus=9999');
  await says(/Minimum memory limit allowed is 6MB/, '--memory=1m');
  await says(/unknown policy 'sometimes'|invalid restart policy/, '--restart=sometimes');
  const ulimits = { Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }] };
  const { body } = await world.api('POST', `/containers/${id}/update`, ulimits);
  assert.match(JSON.stringify(body), /Ulimits cannot be changed after a container was created/);
  await cli('rm', '-f', id);
  const going = await started('--rm');
  const { stderr } = await world.engine().run('slipway', ['update', '--restart=always', going]);
  assert.match(stderr, /Restart policy cannot be updated because AutoRemove is enabled/);
  await cli('rm', '-f', going);
});

test('limits in words: ranges, what this host has, what is dangerous', async () => {
  const says = async (words: RegExp, ...args: string[]): Promise<void> => {
    assert.match((await refused(...args, 'busybox', 'true')).stderr, words);
  };
  await says(/Range of blkio weight is from 10 to 1000/, '--blkio-weight=5');
  await says(
    /cpu real-time runtime cannot be higher than cpu real-time period/,
    '--cpu-rt-runtime=200',
    '--cpu-rt-period=100',
  );
  await says(/Requested memory nodes are not available - requested 99/, '--cpuset-mems=99');
  await says(/Invalid value a for cpuset cpus: invalid format: a/, '--cpuset-cpus=a');
  await says(/valid memory swappiness range is 0-100/i, '--memory=64m', '--memory-swappiness=101');
  await says(/"\/dev\/nothing": no such file or directory/, '--device-read-iops=/dev/nothing:5');
  const { code, stderr } = await world
    .engine()
    .run('slipway', ['run', '--rm', '--oom-kill-disable', 'busybox', 'true']);
  assert.equal(code, 0);
  assert.match(stderr, v1 ? /no memory limit is set/ : /OomKillDisable discarded/);
});

test('a limit holds: memory kills, processes are refused', async () => {
  const eat = ['sh', '-c', 'x=a; while :; do x=$x$x$x$x; done'];
  await cli('create', '--name', 'eater', '--memory=16m', '--memory-swap=16m', 'busybox', ...eat);
  await world.engine().run('slipway', ['start', '-a', 'eater']);
  assert.equal(await inspect('eater', '{{.State.OOMKilled}} {{.State.ExitCode}}'), 'true 137');
  await cli('rm', 'eater');
  const fork = 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done 2>&1; echo done';
  const forked = await world
    .engine()
    .run('slipway', ['run', '--rm', '--pids-limit=4', 'busybox', 'sh', '-c', fork]);
  assert.match(forked.stdout + forked.stderr, /can't fork: Resource temporarily unavailable/);
  assert.equal(await run('--pids-limit=0', 'busybox', 'echo', 'free'), 'free');
});
