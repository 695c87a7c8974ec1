/**
 * Which cgroup files hold a container's limits, for all three layouts: a v1 file in the directory of each controller, or the
 * files of the one v2 directory. A hybrid layout is v1's but for controllers that v1 does not have mounted. Used to change a
 * running container, and at the start for what an OCI runtime does not know. Pure: device numbers are given.
 */

import type { HostConfig, ThrottleDevice } from '../../core/model/container-spec.ts';
import type { CgroupLayout } from '../../core/ports/host.ts';
import type { CgroupWrite } from '../../core/ports/spec-builder.ts';

const period = 100_000;
const nano = 1e9;

export interface CgroupPlace {
  readonly layout: CgroupLayout;
  /** The container's directories, absolute, one per hierarchy. */
  readonly paths: readonly string[];
  /** v1 weights are in BFQ's own files. */
  readonly bfqFiles: boolean;
  /** `major:minor` of a device by its path. `invalid` when there is none. */
  readonly numbersOf: (path: string) => string;
}

/** The directory of a v1 controller among the container's directories. */
function directoryOf(place: CgroupPlace, controller: string): string | undefined {
  const root = place.layout.controllers[controller];
  return root === undefined
    ? undefined
    : place.paths.find((path) => path === root || path.startsWith(`${root}/`));
}

/** cpu.weight of v2 from v1's shares: 2..262144 to 1..10000, as the OCI runtimes do. */
export const sharesToWeight = (shares: number): number => Math.floor(1 + ((shares - 2) * 9999) / 262_142);

/** io.weight of v2 (1..10000) from v1's block weight (10..1000), as the OCI runtimes do. */
export const blockToIoWeight = (weight: number): number => Math.floor(1 + ((weight - 10) * 9999) / 990);

/** Microseconds of each period; a quota of -1 is none. Undefined where nothing is asked for. */
export const cpuQuota = (host: HostConfig): { quota: number; period: number } | undefined => {
  if (host.NanoCpus) return { quota: Math.round((host.NanoCpus * period) / nano), period };
  if (host.CpuQuota || host.CpuPeriod)
    return { quota: host.CpuQuota || -1, period: host.CpuPeriod || period };
  return undefined;
};

type Add = (file: string, value: string | number | undefined, optional?: boolean) => void;

function adder(writes: CgroupWrite[], directory: string | undefined): Add {
  return (file, value, optional = false) => {
    if (directory === undefined || value === undefined || value === '' || value === 0) return;
    writes.push({ directory, file, value: String(value), optional });
  };
}

type ThrottleField =
  | 'BlkioDeviceReadBps'
  | 'BlkioDeviceWriteBps'
  | 'BlkioDeviceReadIOps'
  | 'BlkioDeviceWriteIOps';

/** Field, v1 file, v2 key. */
const throttles: readonly (readonly [ThrottleField, string, string])[] = [
  ['BlkioDeviceReadBps', 'blkio.throttle.read_bps_device', 'rbps'],
  ['BlkioDeviceWriteBps', 'blkio.throttle.write_bps_device', 'wbps'],
  ['BlkioDeviceReadIOps', 'blkio.throttle.read_iops_device', 'riops'],
  ['BlkioDeviceWriteIOps', 'blkio.throttle.write_iops_device', 'wiops'],
];

/** Each device with its rate; those that are in `before` alone come with 0, which takes the limit away. */
function rates(
  before: readonly ThrottleDevice[] | null | undefined,
  after: readonly ThrottleDevice[] | null | undefined,
): readonly { readonly path: string; readonly rate: number }[] {
  const all = new Map((before ?? []).map((device) => [device.Path ?? '', 0]));
  for (const device of after ?? []) all.set(device.Path ?? '', device.Rate ?? 0);
  return [...all].map(([path, rate]) => ({ path, rate }));
}

function throttleV1(place: CgroupPlace, add: Add, before: HostConfig, after: HostConfig): void {
  for (const [field, file] of throttles) {
    for (const { path, rate } of rates(before[field], after[field]))
      add(file, `${place.numbersOf(path)} ${rate}`);
  }
}

function throttleV2(place: CgroupPlace, add: Add, before: HostConfig, after: HostConfig): void {
  for (const [field, , key] of throttles) {
    for (const { path, rate } of rates(before[field], after[field]))
      add('io.max', `${place.numbersOf(path)} ${key}=${rate === 0 ? 'max' : rate}`);
  }
}

function weightsV1(place: CgroupPlace, add: Add, host: HostConfig): void {
  const prefix = place.bfqFiles ? 'blkio.bfq.' : 'blkio.';
  add(`${prefix}weight`, host.BlkioWeight);
  for (const device of host.BlkioWeightDevice ?? []) {
    add(`${prefix}weight_device`, `${place.numbersOf(device.Path ?? '')} ${device.Weight ?? 0}`);
  }
}

/** BFQ's file where that scheduler is built in, io.weight (of iocost) where not: one of the two is there. */
function weightsV2(place: CgroupPlace, add: Add, host: HostConfig): void {
  const weight = host.BlkioWeight ?? 0;
  if (weight > 0) {
    add('io.bfq.weight', weight, true);
    add('io.weight', `default ${blockToIoWeight(weight)}`, true);
  }
  for (const device of host.BlkioWeightDevice ?? []) {
    const numbers = place.numbersOf(device.Path ?? '');
    add('io.bfq.weight', `${numbers} ${device.Weight ?? 0}`, true);
    add('io.weight', `${numbers} ${blockToIoWeight(device.Weight ?? 10)}`, true);
  }
}

const pidsValue = (host: HostConfig): string | undefined =>
  host.PidsLimit == null ? undefined : host.PidsLimit <= 0 ? 'max' : String(host.PidsLimit);

function writesV2(place: CgroupPlace, before: HostConfig, after: HostConfig): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const add = adder(writes, place.paths[0]);
  const cpu = cpuQuota(after);
  if (cpu !== undefined) add('cpu.max', `${cpu.quota < 0 ? 'max' : cpu.quota} ${cpu.period}`);
  if (after.CpuShares) add('cpu.weight', sharesToWeight(after.CpuShares));
  add('cpuset.cpus', after.CpusetCpus);
  add('cpuset.mems', after.CpusetMems);
  if (after.Memory) {
    // v1's number counts memory and swap together, v2's swap alone.
    const swap = after.MemorySwap ?? 0;
    if (swap !== 0) add('memory.swap.max', swap < 0 ? 'max' : String(Math.max(0, swap - after.Memory)), true);
    add('memory.max', after.Memory);
  }
  add('memory.low', after.MemoryReservation);
  add('pids.max', pidsValue(after));
  weightsV2(place, add, after);
  throttleV2(place, add, before, after);
  return writes;
}

function memoryV1(add: Add, host: HostConfig): void {
  const limit = host.Memory ?? 0;
  const swap = host.MemorySwap ?? 0;
  if (limit !== 0) {
    // Either order may be refused, depending on whether the limit grows or shrinks: try swap before and after.
    if (swap !== 0) add('memory.memsw.limit_in_bytes', swap, true);
    if (swap !== 0) add('memory.limit_in_bytes', limit, true);
    if (swap !== 0) add('memory.memsw.limit_in_bytes', swap, true);
    add('memory.limit_in_bytes', limit);
  }
  add('memory.soft_limit_in_bytes', host.MemoryReservation);
  if (host.MemorySwappiness != null && host.MemorySwappiness >= 0)
    add('memory.swappiness', String(host.MemorySwappiness));
  if (host.OomKillDisable != null) add('memory.oom_control', host.OomKillDisable ? '1' : '0');
}

function writesV1(place: CgroupPlace, before: HostConfig, after: HostConfig): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const of = (controller: string): Add => adder(writes, directoryOf(place, controller));
  const cpu = of('cpu');
  const quota = cpuQuota(after);
  cpu('cpu.cfs_period_us', quota?.period);
  cpu('cpu.cfs_quota_us', quota?.quota);
  cpu('cpu.shares', after.CpuShares);
  cpu('cpu.rt_period_us', after.CpuRealtimePeriod);
  cpu('cpu.rt_runtime_us', after.CpuRealtimeRuntime);
  of('cpuset')('cpuset.cpus', after.CpusetCpus);
  of('cpuset')('cpuset.mems', after.CpusetMems);
  memoryV1(of('memory'), after);
  of('pids')('pids.max', pidsValue(after));
  weightsV1(place, of('blkio'), after);
  throttleV1(place, of('blkio'), before, after);
  return writes;
}

/** The files to write, in order, to bring a running container from one set of limits to another. */
export function limitWrites(
  place: CgroupPlace,
  before: HostConfig,
  after: HostConfig,
): readonly CgroupWrite[] {
  return place.layout.version === 2 ? writesV2(place, before, after) : writesV1(place, before, after);
}

/** What the OCI runtime was not told at the start because it does not know the files: to be written right after it. */
export function lateWrites(place: CgroupPlace, host: HostConfig): readonly CgroupWrite[] {
  if (!place.bfqFiles || place.layout.version === 2) return [];
  const writes: CgroupWrite[] = [];
  weightsV1(place, adder(writes, directoryOf(place, 'blkio')), host);
  return writes;
}
