/** Which cgroup files hold a container's limits, for changing them while it runs. Pure. */

import type { HostConfig } from '../../core/model/container-spec.ts';
import type { CgroupLayout } from '../../core/ports/host.ts';

export interface CgroupWrite {
  readonly directory: string;
  readonly file: string;
  readonly value: string;
  /** The kernel may lack the file, or refuse it in the present state. */
  readonly optional: boolean;
}

const period = 100_000;
const nano = 1e9;

/** The cgroup directory of a v1 controller among the container's directories. */
function directoryOf(layout: CgroupLayout, paths: readonly string[], controller: string): string | undefined {
  const root = layout.controllers[controller];
  return root === undefined ? undefined : paths.find((path) => path === root || path.startsWith(`${root}/`));
}

/** cpu.weight of v2 from v1's shares: 2..262144 to 1..10000, as the OCI runtimes do. */
export const sharesToWeight = (shares: number): number => Math.floor(1 + ((shares - 2) * 9999) / 262_142);

const cpuQuota = (host: HostConfig): { quota: number; period: number } | undefined => {
  if (host.NanoCpus) return { quota: Math.round((host.NanoCpus * period) / nano), period };
  if (host.CpuQuota || host.CpuPeriod)
    return { quota: host.CpuQuota || -1, period: host.CpuPeriod || period };
  return undefined;
};

function writesV2(directory: string, host: HostConfig): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const add = (file: string, value: string | number, optional = false): void => {
    writes.push({ directory, file, value: String(value), optional });
  };
  const cpu = cpuQuota(host);
  if (cpu !== undefined) add('cpu.max', `${cpu.quota < 0 ? 'max' : cpu.quota} ${cpu.period}`);
  if (host.CpuShares) add('cpu.weight', sharesToWeight(host.CpuShares));
  if (host.CpusetCpus) add('cpuset.cpus', host.CpusetCpus);
  if (host.CpusetMems) add('cpuset.mems', host.CpusetMems);
  if (host.Memory) {
    // v1's number counts memory and swap together, v2's swap alone.
    const swap = host.MemorySwap ?? 0;
    if (swap !== 0) add('memory.swap.max', swap < 0 ? 'max' : Math.max(0, swap - host.Memory), true);
    add('memory.max', host.Memory);
  }
  if (host.MemoryReservation) add('memory.low', host.MemoryReservation);
  if (host.PidsLimit) add('pids.max', host.PidsLimit < 0 ? 'max' : host.PidsLimit);
  if (host.BlkioWeight) add('io.bfq.weight', host.BlkioWeight, true);
  return writes;
}

function memoryWritesV1(directory: string, host: HostConfig): CgroupWrite[] {
  const write = (file: string, value: number, optional = false): CgroupWrite => ({
    directory,
    file,
    value: String(value),
    optional,
  });
  const limit = host.Memory ?? 0;
  const swap = host.MemorySwap ?? 0;
  const writes: CgroupWrite[] = [];
  if (limit !== 0) {
    // Either order may be refused, depending on whether the limit grows or shrinks: try swap before and after.
    if (swap !== 0) writes.push(write('memory.memsw.limit_in_bytes', swap, true));
    if (swap !== 0) writes.push(write('memory.limit_in_bytes', limit, true));
    if (swap !== 0) writes.push(write('memory.memsw.limit_in_bytes', swap, true));
    writes.push(write('memory.limit_in_bytes', limit));
  }
  if (host.MemoryReservation) writes.push(write('memory.soft_limit_in_bytes', host.MemoryReservation));
  return writes;
}

function writesV1(layout: CgroupLayout, paths: readonly string[], host: HostConfig): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const add = (
    controller: string,
    file: string,
    value: string | number | undefined,
    optional = false,
  ): void => {
    const directory = directoryOf(layout, paths, controller);
    if (directory === undefined || !value) return;
    writes.push({ directory, file, value: String(value), optional });
  };
  const cpu = cpuQuota(host);
  add('cpu', 'cpu.cfs_period_us', cpu?.period);
  add('cpu', 'cpu.cfs_quota_us', cpu?.quota);
  add('cpu', 'cpu.shares', host.CpuShares);
  add('cpuset', 'cpuset.cpus', host.CpusetCpus);
  add('cpuset', 'cpuset.mems', host.CpusetMems);
  const memory = directoryOf(layout, paths, 'memory');
  if (memory !== undefined) writes.push(...memoryWritesV1(memory, host));
  add('pids', 'pids.max', (host.PidsLimit ?? 0) < 0 ? 'max' : (host.PidsLimit ?? undefined));
  add('blkio', 'blkio.bfq.weight', host.BlkioWeight, true);
  return writes;
}

/** The files to write, in order. */
export function limitWrites(
  layout: CgroupLayout,
  paths: readonly string[],
  host: HostConfig,
): readonly CgroupWrite[] {
  if (layout.version === 2) {
    const path = paths[0];
    return path === undefined ? [] : writesV2(path, host);
  }
  return writesV1(layout, paths, host);
}
