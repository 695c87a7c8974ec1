/** From the limits of a container and a request to change some to the limits that then hold. Pure. */

import { conflict } from '../../core/errors.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { HostConfig, Resources } from '../../core/model/container-spec.ts';
import type { UpdateInput } from './types.ts';

/** What can change while a container runs: the same as with Docker, and the limits of single devices. */
const changeable: ReadonlySet<string> = new Set<keyof Resources>([
  'BlkioWeight',
  'BlkioWeightDevice',
  'BlkioDeviceReadBps',
  'BlkioDeviceWriteBps',
  'BlkioDeviceReadIOps',
  'BlkioDeviceWriteIOps',
  'CpuPeriod',
  'CpuQuota',
  'CpuRealtimePeriod',
  'CpuRealtimeRuntime',
  'CpuShares',
  'CpusetCpus',
  'CpusetMems',
  'Memory',
  'MemoryReservation',
  'MemorySwap',
  'MemorySwappiness',
  'NanoCpus',
  'OomKillDisable',
  'PidsLimit',
]);

/** Zeros, empty texts and empty lists ask for nothing, but a PidsLimit of 0 for no limit, as with Docker. */
function asks(name: string, value: unknown): boolean {
  if (value == null || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object') return Object.keys(value).length > 0;
  return value !== 0 || name === 'PidsLimit' || name === 'MemorySwappiness';
}

function checkConflicts(before: HostConfig, change: Partial<HostConfig>, id: string): void {
  const refuse = (words: string): Error => conflict(`Cannot update container ${id}: ${words}`);
  const both = (one: string, other: string): Error =>
    refuse(`Conflicting options: ${one} cannot be updated as ${other} has already been set`);
  if (change.NanoCpus && before.CpuPeriod) throw both('Nano CPUs', 'CPU Period');
  if (change.NanoCpus && before.CpuQuota) throw both('Nano CPUs', 'CPU Quota');
  if (change.CpuPeriod && before.NanoCpus) throw both('CPU Period', 'NanoCPUs');
  if (change.CpuQuota && before.NanoCpus) throw both('CPU Quota', 'NanoCPUs');
  const swap = before.MemorySwap ?? 0;
  if (change.Memory !== undefined && change.MemorySwap === undefined && swap > 0 && change.Memory > swap) {
    throw refuse(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  }
}

export interface UpdatePlan {
  readonly hostConfig: HostConfig;
  /** What was asked for and cannot be changed. */
  readonly warnings: readonly string[];
}

/** Any number below 0 stands for no limit, which is told as 0. */
const unlimited = ({ PidsLimit }: Partial<HostConfig>): Partial<HostConfig> =>
  PidsLimit != null && PidsLimit < 0 ? { PidsLimit: 0 } : {};

export function planUpdate(record: ContainerRecord, input: UpdateInput): UpdatePlan {
  const asked = Object.entries(input.resources).filter(([name, value]) => asks(name, value));
  const change: Partial<HostConfig> = Object.fromEntries(asked.filter(([name]) => changeable.has(name)));
  checkConflicts(record.hostConfig, change, record.id);
  const policy = input.restartPolicy;
  const named = policy !== undefined && (policy.Name ?? '') !== '';
  if (named && policy.Name !== 'no' && record.hostConfig.AutoRemove === true) {
    throw conflict(
      `Cannot update container ${record.id}: Restart policy cannot be updated because AutoRemove is enabled for the container`,
    );
  }
  return {
    hostConfig: {
      ...record.hostConfig,
      ...change,
      ...unlimited(change),
      ...(named ? { RestartPolicy: policy } : {}),
    },
    warnings: asked
      .filter(([name]) => !changeable.has(name))
      .map(([name]) => `${name} cannot be changed after a container was created. ${name} discarded.`),
  };
}
