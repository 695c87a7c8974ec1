import { posix } from 'node:path';
import { statSync } from 'node:fs';
import { invalid } from '../../core/errors.ts';
import type { HostConfig, ThrottleDevice } from '../../core/model/container-spec.ts';
import type { CgroupLayout } from '../../core/ports/host.ts';
import type { CgroupHome, MachineFacts } from './facts.ts';
import { scopeOf, scopePath } from './systemd.ts';
import { deviceNumbers } from '../../core/device-numbers.ts';

/**
 * Path of a container's cgroup in every hierarchy; user-given parents cannot climb out of the hierarchy. With systemd the slice,
 * prefix and name of its scope.
 */
export function cgroupsPath(home: CgroupHome, hostConfig: HostConfig, containerId: string): string {
  const parent = hostConfig.CgroupParent || home.cgroupParent;
  if (home.scopePrefix !== undefined) return scopePath(parent, home.scopePrefix, containerId);
  return posix.join(posix.resolve('/', parent), containerId);
}

/** Absolute directories of one cgroup path, one per mounted hierarchy. */
export function cgroupDirectories(layout: CgroupLayout, path: string): readonly string[] {
  const roots = new Set(Object.values(layout.controllers));
  if (layout.unified !== undefined) roots.add(layout.unified);
  const below = scopeOf(path)?.path ?? path;
  return [...roots].map((root) => posix.join(root, below));
}

const cpuPeriod = 100_000;
const nano = 1_000_000_000;

function cpuResources(host: HostConfig): object | undefined {
  const cpu: Record<string, unknown> = {};
  if (host.CpuShares) cpu['shares'] = host.CpuShares;
  if (host.NanoCpus) {
    cpu['period'] = cpuPeriod;
    cpu['quota'] = Math.round((host.NanoCpus * cpuPeriod) / nano);
  }
  if (host.CpuPeriod) cpu['period'] = host.CpuPeriod;
  if (host.CpuQuota) cpu['quota'] = host.CpuQuota;
  if (host.CpusetCpus) cpu['cpus'] = host.CpusetCpus;
  if (host.CpusetMems) cpu['mems'] = host.CpusetMems;
  if (host.CpuRealtimePeriod) cpu['realtimePeriod'] = host.CpuRealtimePeriod;
  if (host.CpuRealtimeRuntime) cpu['realtimeRuntime'] = host.CpuRealtimeRuntime;
  return Object.keys(cpu).length === 0 ? undefined : cpu;
}

function memoryResources(facts: MachineFacts, host: HostConfig): object | undefined {
  const memory: Record<string, unknown> = {};
  if (host.Memory) memory['limit'] = host.Memory;
  if (host.MemoryReservation) memory['reservation'] = host.MemoryReservation;
  if (host.MemorySwap && facts.abilities.swap) memory['swap'] = host.MemorySwap;
  if (host.KernelMemoryTCP && facts.layout.version !== 2) memory['kernelTCP'] = host.KernelMemoryTCP;
  // v2 has neither knob.
  if (facts.layout.version !== 2) {
    if (host.MemorySwappiness != null && host.MemorySwappiness !== -1) {
      memory['swappiness'] = host.MemorySwappiness;
    }
    if (host.OomKillDisable === true) memory['disableOOMKiller'] = true;
  }
  return Object.keys(memory).length === 0 ? undefined : memory;
}

/** Of a device node of the host; `invalid` when there is none. */
export function numbersOf(path: string): { major: number; minor: number } {
  try {
    return deviceNumbers(statSync(path).rdev);
  } catch (error) {
    throw invalid(
      `error gathering device information while adding custom device "${path}": no such file or directory`,
      error,
    );
  }
}

const throttle = (devices: readonly ThrottleDevice[] | null | undefined): readonly object[] =>
  (devices ?? []).map((device) => ({ ...numbersOf(device.Path ?? ''), rate: device.Rate ?? 0 }));

function blockResources(facts: MachineFacts, host: HostConfig): object | undefined {
  const block: Record<string, unknown> = {};
  // BFQ's files are written by the engine itself, right after the start (`lateWrites`).
  const told = !facts.abilities.bfqFiles;
  if (host.BlkioWeight && told) block['weight'] = host.BlkioWeight;
  const weights = (told ? (host.BlkioWeightDevice ?? []) : []).map((device) => ({
    ...numbersOf(device.Path ?? ''),
    weight: device.Weight ?? 0,
  }));
  if (weights.length > 0) block['weightDevice'] = weights;
  const lists = {
    throttleReadBpsDevice: throttle(host.BlkioDeviceReadBps),
    throttleWriteBpsDevice: throttle(host.BlkioDeviceWriteBps),
    throttleReadIOPSDevice: throttle(host.BlkioDeviceReadIOps),
    throttleWriteIOPSDevice: throttle(host.BlkioDeviceWriteIOps),
  };
  for (const [name, list] of Object.entries(lists)) if (list.length > 0) block[name] = list;
  return Object.keys(block).length === 0 ? undefined : block;
}

/** The limits of `linux.resources`, without device rules; controllers without a limit are left out. */
export function limitResources(facts: MachineFacts, host: HostConfig): Record<string, unknown> {
  const memory = memoryResources(facts, host);
  const cpu = cpuResources(host);
  const blockIO = blockResources(facts, host);
  // A new cgroup has no limit; crun does not take one that says so.
  const pids = (host.PidsLimit ?? 0) > 0 && facts.abilities.pids;
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(blockIO === undefined ? {} : { blockIO }),
    ...(pids ? { pids: { limit: host.PidsLimit } } : {}),
  };
}
