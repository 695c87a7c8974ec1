/**
 * What this kernel cannot set is taken out of the request, and the client is told in Docker's words. What cannot be left
 * out without changing what was meant is refused. Pure. Source of the words: moby's daemon_unix.go (Apache-2.0).
 */

import { invalid } from '../../core/errors.ts';
import type { HostConfig } from '../../core/model/container-spec.ts';
import type { Abilities } from './abilities.ts';

const lacks = (what: string, then: string): string =>
  `Your kernel does not support ${what} or the cgroup is not mounted. ${then}`;

interface Discard {
  readonly given: (host: HostConfig) => boolean;
  readonly can: (abilities: Abilities) => boolean;
  readonly without: Partial<HostConfig>;
  /** Undefined where nobody needs to hear of it. */
  readonly warning: (host: HostConfig) => string | undefined;
}

const some = (list: readonly unknown[] | null | undefined): boolean => (list?.length ?? 0) > 0;
const always = (words: string) => (): string => words;

const discards: readonly Discard[] = [
  {
    given: (host) => (host.Memory ?? 0) > 0,
    can: (able) => able.memory,
    without: { Memory: 0, MemorySwap: -1 },
    warning: always(lacks('memory limit capabilities', 'Limitation discarded.')),
  },
  {
    given: (host) => (host.Memory ?? 0) > 0 && (host.MemorySwap ?? 0) !== -1,
    can: (able) => able.swap,
    without: { MemorySwap: -1 },
    warning: always(lacks('swap limit capabilities', 'Memory limited without swap.')),
  },
  {
    given: (host) => host.MemorySwappiness != null && host.MemorySwappiness !== -1,
    can: (able) => able.swappiness,
    without: { MemorySwappiness: null },
    warning: always(lacks('memory swappiness capabilities', 'Memory swappiness discarded.')),
  },
  {
    given: (host) => (host.MemoryReservation ?? 0) > 0,
    can: (able) => able.memoryReservation,
    without: { MemoryReservation: 0 },
    warning: always(lacks('memory soft limit capabilities', 'Limitation discarded.')),
  },
  {
    given: (host) => host.OomKillDisable != null,
    can: (able) => able.oomKillDisable,
    without: { OomKillDisable: null },
    warning: (host) =>
      host.OomKillDisable === true
        ? 'Your kernel does not support OomKillDisable. OomKillDisable discarded.'
        : undefined,
  },
  {
    given: (host) => host.PidsLimit != null && host.PidsLimit !== 0,
    can: (able) => able.pids,
    without: { PidsLimit: null },
    warning: (host) =>
      (host.PidsLimit ?? 0) > 0 ? lacks('PIDs limit capabilities', 'PIDs limit discarded.') : undefined,
  },
  {
    given: (host) => (host.CpuShares ?? 0) > 0,
    can: (able) => able.cpuShares,
    without: { CpuShares: 0 },
    warning: always(lacks('CPU shares', 'Shares discarded.')),
  },
  {
    given: (host) => (host.CpuPeriod ?? 0) !== 0 || (host.CpuQuota ?? 0) !== 0,
    can: (able) => able.cpuQuota,
    without: { CpuPeriod: 0, CpuQuota: 0 },
    warning: always('Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.'),
  },
  {
    given: (host) => (host.CpuPercent ?? 0) > 0,
    can: () => false,
    without: { CpuPercent: 0 },
    warning: always('linux does not support CPU percent. Percent discarded.'),
  },
  {
    given: (host) => (host.CpuCount ?? 0) > 0,
    can: () => false,
    without: { CpuCount: 0 },
    warning: always('linux does not support CPU count. Count discarded.'),
  },
  {
    given: (host) => (host.CpusetCpus ?? '') !== '' || (host.CpusetMems ?? '') !== '',
    can: (able) => able.cpuset,
    without: { CpusetCpus: '', CpusetMems: '' },
    warning: always(lacks('cpuset', 'Cpuset discarded.')),
  },
  {
    given: (host) => (host.BlkioWeight ?? 0) > 0,
    can: (able) => able.blkioWeight,
    without: { BlkioWeight: 0 },
    warning: always(lacks('Block I/O weight', 'Weight discarded.')),
  },
  {
    given: (host) => some(host.BlkioWeightDevice),
    can: (able) => able.blkioWeightDevice,
    without: { BlkioWeightDevice: [] },
    warning: always(lacks('Block I/O weight_device', 'Weight-device discarded.')),
  },
  {
    given: (host) => some(host.BlkioDeviceReadBps),
    can: (able) => able.blkioThrottle,
    without: { BlkioDeviceReadBps: [] },
    warning: always(lacks('BPS Block I/O read limit', 'Block I/O BPS read limit discarded.')),
  },
  {
    given: (host) => some(host.BlkioDeviceWriteBps),
    can: (able) => able.blkioThrottle,
    without: { BlkioDeviceWriteBps: [] },
    warning: always(lacks('BPS Block I/O write limit', 'Block I/O BPS write limit discarded.')),
  },
  {
    given: (host) => some(host.BlkioDeviceReadIOps),
    can: (able) => able.blkioThrottle,
    without: { BlkioDeviceReadIOps: [] },
    warning: always(lacks('IOPS Block read limit', 'Block I/O IOPS read limit discarded.')),
  },
  {
    given: (host) => some(host.BlkioDeviceWriteIOps),
    can: (able) => able.blkioThrottle,
    without: { BlkioDeviceWriteIOps: [] },
    warning: always(lacks('IOPS Block write limit', 'Block I/O IOPS write limit discarded.')),
  },
  {
    given: (host) => host.CgroupnsMode === 'private',
    can: (able) => able.cgroupNamespaces,
    without: { CgroupnsMode: 'host' },
    warning: always('Your kernel does not support cgroup namespaces.  Cgroup namespace setting discarded.'),
  },
];

/** The numbers of a kernel list, `0-3,7`. */
export function listNumbers(list: string): ReadonlySet<number> {
  const numbers = new Set<number>();
  for (const part of list.split(',')) {
    const [from = '', to = from] = part.split('-');
    if (from === '') continue;
    for (let at = Number(from); at <= Number(to) && numbers.size < 65_536; at += 1) numbers.add(at);
  }
  return numbers;
}

function checkSet(asked: string | undefined, online: string, what: string): void {
  if (asked === undefined || asked === '' || online === '') return;
  const there = listNumbers(online);
  if ([...listNumbers(asked)].every((number) => there.has(number))) return;
  throw invalid(`Requested ${what} are not available - requested ${asked}, available: ${online}`);
}

function refuse(host: HostConfig, able: Abilities): void {
  if ((host.NanoCpus ?? 0) > 0 && !able.cpuQuota) {
    throw invalid(
      'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted',
    );
  }
  if (((host.CpuRealtimePeriod ?? 0) !== 0 || (host.CpuRealtimeRuntime ?? 0) !== 0) && !able.cpuRealtime) {
    throw invalid('Your kernel does not support CPU real-time scheduler');
  }
  if (!able.cpuset) return;
  checkSet(host.CpusetCpus, able.cpus, 'CPUs');
  checkSet(host.CpusetMems, able.memoryNodes, 'memory nodes');
}

export interface Supported {
  /** The request without what cannot be. */
  readonly hostConfig: HostConfig;
  readonly warnings: readonly string[];
}

export function discardUnsupported(host: HostConfig, able: Abilities): Supported {
  refuse(host, able);
  let hostConfig = host;
  const warnings: string[] = [];
  for (const { given, can, without, warning } of discards) {
    if (can(able) || !given(hostConfig)) continue;
    const words = warning(hostConfig);
    if (words !== undefined) warnings.push(words);
    hostConfig = { ...hostConfig, ...without };
  }
  if (hostConfig.OomKillDisable === true && (hostConfig.Memory ?? 0) === 0) {
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  }
  return { hostConfig, warnings };
}
