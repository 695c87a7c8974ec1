import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseBlkioV1, parseIoStat, parseNetDev, readCounters, type StatsPlace } from './cgroup-stats.ts';

function folderWith(context: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'slip-stats-'));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const hostMemory = 8 * 2 ** 30;

test('cgroup v2: microseconds become nanoseconds, limits of max are the machine, io is split by direction', async (t) => {
  const folder = folderWith(t, {
    'cpu.stat': 'usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 7\nnr_throttled 6\nthrottled_usec 4\n',
    'memory.current': '4096\n',
    'memory.max': 'max\n',
    'memory.stat': 'anon 1\ninactive_file 1024\nof_later_kernels 7\n',
    'memory.events': 'low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\n',
    'io.stat': '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n',
    'pids.current': '2\n',
    'pids.max': 'max\n',
  });
  const place: StatsPlace = {
    layout: { version: 2, controllers: {}, unified: '/' },
    paths: [folder],
    pid: 1,
    hostMemory,
  };
  const { cpu, memory = assert.fail(), blkio, pids } = await readCounters(place);
  assert.deepEqual([cpu?.totalUsage, cpu?.userUsage, cpu?.kernelUsage], [5000, 3000, 2000]);
  assert.deepEqual(cpu?.throttling, { periods: 7, throttledPeriods: 6, throttledTime: 4000 });
  assert.equal(cpu?.perCpuUsage, undefined);
  assert.ok((cpu?.systemUsage ?? 0) > 0 && (cpu?.onlineCpus ?? 0) > 0);
  const { stats, ...figures } = memory;
  assert.deepEqual(figures, { usage: 4096, maxUsage: undefined, failcnt: 3, limit: hostMemory });
  assert.deepEqual([stats['anon'], stats['inactive_file'], stats['workingset_refault']], [1, 1024, 0]);
  assert.equal(Object.keys(stats).length, 31);
  assert.deepEqual(blkio?.serviceBytes, [
    { major: 8, minor: 0, op: 'read', value: 1 },
    { major: 8, minor: 0, op: 'write', value: 2 },
  ]);
  assert.deepEqual(blkio?.serviced, []);
  assert.deepEqual(pids, { current: 2, limit: undefined });
});

test('cgroup v1: each controller in its own hierarchy, ticks become nanoseconds', async (t) => {
  const root = folderWith(t, {
    'cpuacct/c/cpuacct.usage': '900\n',
    'cpuacct/c/cpuacct.usage_percpu': '400 500 \n',
    'cpuacct/c/cpuacct.stat': 'user 3\nsystem 2\n',
    'cpu/c/cpu.stat': 'nr_periods 7\nnr_throttled 6\nthrottled_time 5\n',
    'memory/c/memory.usage_in_bytes': '8192\n',
    'memory/c/memory.max_usage_in_bytes': '9000\n',
    'memory/c/memory.failcnt': '1\n',
    'memory/c/memory.limit_in_bytes': '65536\n',
    'memory/c/memory.stat': 'cache 1\ntotal_inactive_file 2\n',
    'blkio/c/blkio.throttle.io_service_bytes_recursive': '8:0 Read 10\n8:0 Total 10\nTotal 10\n',
    'blkio/c/blkio.throttle.io_serviced_recursive': '8:0 Write 3\n',
    'pids/c/pids.current': '4\n',
    'pids/c/pids.max': '50\n',
  });
  const names = ['cpu', 'cpuacct', 'memory', 'blkio', 'pids'];
  const controllers = Object.fromEntries(names.map((name) => [name, join(root, name)]));
  const paths = names.map((name) => join(root, name, 'c'));
  const counters = await readCounters({
    layout: { version: 1, controllers, unified: undefined },
    paths,
    pid: 1,
    hostMemory,
  });
  assert.deepEqual(counters.cpu?.perCpuUsage, [400, 500]);
  assert.deepEqual(
    [counters.cpu?.totalUsage, counters.cpu?.userUsage, counters.cpu?.kernelUsage],
    [900, 30_000_000, 20_000_000],
  );
  assert.equal(counters.cpu?.throttling.throttledTime, 5);
  assert.deepEqual(
    [counters.memory?.usage, counters.memory?.maxUsage, counters.memory?.failcnt, counters.memory?.limit],
    [8192, 9000, 1, 65_536],
  );
  assert.deepEqual(counters.blkio?.serviceBytes, [
    { major: 8, minor: 0, op: 'Read', value: 10 },
    { major: 8, minor: 0, op: 'Total', value: 10 },
  ]);
  assert.deepEqual(counters.pids, { current: 4, limit: 50 });
});

test('files that are gone, or hold something else, give zeros and no error', async () => {
  const place: StatsPlace = {
    layout: { version: 2, controllers: {}, unified: undefined },
    paths: ['/nonexistent'],
    pid: 0,
    hostMemory,
  };
  const { cpu, memory, blkio, networks } = await readCounters(place);
  assert.deepEqual([cpu?.totalUsage, memory?.usage, blkio?.serviced, networks], [0, 0, [], {}]);
  assert.deepEqual(parseBlkioV1('nonsense\n8:0 Read x\n'), []);
  assert.deepEqual(parseIoStat('8:0\nnonsense rbytes=1\n').length, 2);
});

test('interfaces without loopback, also where counters stand close to the name', () => {
  const text =
    'Inter-| Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0:10 2 3 4 0 0 0 0 50 6 7 8 0 0 0 0\n';
  assert.deepEqual(parseNetDev(text), {
    eth0: {
      rxBytes: 10,
      rxPackets: 2,
      rxErrors: 3,
      rxDropped: 4,
      txBytes: 50,
      txPackets: 6,
      txErrors: 7,
      txDropped: 8,
    },
  });
});
