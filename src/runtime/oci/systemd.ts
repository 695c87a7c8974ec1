/**
 * Containers as scopes of systemd (`--exec-opt native.cgroupdriver=systemd`): how their units and cgroups are called, and which of a
 * unit's properties hold their limits. The OCI runtime makes the unit; systemd keeps what it was told of, so an update tells it as
 * well: what stands in the cgroup's files alone goes with the next `systemctl daemon-reload`. Pure.
 */

import { posix } from 'node:path';
import { invalid } from '../../core/errors.ts';
import type { HostConfig, ThrottleDevice } from '../../core/model/container-spec.ts';
import type { UnitChange } from '../../core/ports/spec-builder.ts';
import { blockToIoWeight, cpuQuota, sharesToWeight } from './cgroup-plan.ts';

/** Docker's words for a parent that is none. */
const wrongSlice = (): Error =>
  invalid('cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"');

const sliceForm = /^[A-Za-z0-9:_.\\]+(?:-[A-Za-z0-9:_.\\]+)*\.slice$/;

/** `invalid` unless it is the name of a slice. */
export function checkSlice(name: string): void {
  if (!sliceForm.test(name)) throw wrongSlice();
}

/** Path of a slice below the root of the hierarchy: `a-b.slice` lies in `a.slice` (systemd.slice(5)). */
export function slicePath(slice: string): string {
  const parts = slice.slice(0, -'.slice'.length).split('-');
  return posix.join('/', ...parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`));
}

/** What an OCI runtime takes as `cgroupsPath`: slice, prefix and name of a scope. */
export const scopePath = (slice: string, prefix: string, id: string): string => `${slice}:${prefix}:${id}`;

/** Unit and cgroup of such a path; undefined for a path of the cgroup filesystem. */
export function scopeOf(cgroupsPath: string): { readonly unit: string; readonly path: string } | undefined {
  const [slice = '', prefix, id] = cgroupsPath.split(':');
  if (prefix === undefined || id === undefined || slice.startsWith('/')) return undefined;
  const unit = `${prefix}-${id}.scope`;
  return { unit, path: posix.join(slicePath(slice), unit) };
}

const infinity = 'infinity';
const bytes = (value: number | undefined): string => ((value ?? 0) > 0 ? String(value) : infinity);

function swapOf({ Memory = 0, MemorySwap = 0 }: HostConfig): string {
  return Memory > 0 && MemorySwap > 0 ? String(MemorySwap - Memory) : infinity;
}

/** systemd takes hundredths of a percent. */
function quotaOf(host: HostConfig): readonly string[] {
  const wanted = cpuQuota(host);
  if (wanted === undefined || wanted.quota <= 0) return ['CPUQuota='];
  const percent = Math.ceil((wanted.quota / wanted.period) * 10_000) / 100;
  return [`CPUQuota=${percent}%`, `CPUQuotaPeriodSec=${wanted.period}us`];
}

/** An empty assignment takes back what there was; the others follow. */
function perDevice(property: string, devices: readonly string[]): readonly string[] {
  return [`${property}=`, ...devices.map((device) => `${property}=${device}`)];
}

const rates = (devices: readonly ThrottleDevice[] | null | undefined): readonly string[] =>
  (devices ?? []).map(({ Path = '', Rate = 0 }) => `${Path} ${Rate}`);

type Part = readonly [fields: readonly (keyof HostConfig)[], of: (host: HostConfig) => readonly string[]];

const parts: readonly Part[] = [
  [['Memory'], (host) => [`MemoryMax=${bytes(host.Memory)}`]],
  [['Memory', 'MemorySwap'], (host) => [`MemorySwapMax=${swapOf(host)}`]],
  [['MemoryReservation'], (host) => [`MemoryLow=${(host.MemoryReservation ?? 0) || 0}`]],
  [['CpuShares'], (host) => [`CPUWeight=${host.CpuShares ? sharesToWeight(host.CpuShares) : ''}`]],
  [['NanoCpus', 'CpuQuota', 'CpuPeriod'], quotaOf],
  [['CpusetCpus'], (host) => [`AllowedCPUs=${host.CpusetCpus ?? ''}`]],
  [['CpusetMems'], (host) => [`AllowedMemoryNodes=${host.CpusetMems ?? ''}`]],
  [['PidsLimit'], (host) => [`TasksMax=${bytes(host.PidsLimit ?? 0)}`]],
  [['BlkioWeight'], (host) => [`IOWeight=${host.BlkioWeight ? blockToIoWeight(host.BlkioWeight) : ''}`]],
  [
    ['BlkioWeightDevice'],
    (host) =>
      perDevice(
        'IODeviceWeight',
        (host.BlkioWeightDevice ?? []).map(
          ({ Path = '', Weight = 0 }) => `${Path} ${blockToIoWeight(Weight)}`,
        ),
      ),
  ],
  [['BlkioDeviceReadBps'], (host) => perDevice('IOReadBandwidthMax', rates(host.BlkioDeviceReadBps))],
  [['BlkioDeviceWriteBps'], (host) => perDevice('IOWriteBandwidthMax', rates(host.BlkioDeviceWriteBps))],
  [['BlkioDeviceReadIOps'], (host) => perDevice('IOReadIOPSMax', rates(host.BlkioDeviceReadIOps))],
  [['BlkioDeviceWriteIOps'], (host) => perDevice('IOWriteIOPSMax', rates(host.BlkioDeviceWriteIOps))],
];

/** What systemd has to be told when limits change, in the form of systemctl's `set-property`; undefined for nothing. */
export function unitChange(unit: string, before: HostConfig, next: HostConfig): UnitChange | undefined {
  const differs = (field: keyof HostConfig): boolean =>
    JSON.stringify(before[field] ?? null) !== JSON.stringify(next[field] ?? null);
  const isUnset = (field: keyof HostConfig): boolean => {
    const value = before[field];
    return (
      value === undefined ||
      value === null ||
      value === 0 ||
      value === '' ||
      (Array.isArray(value) && value.length === 0)
    );
  };
  const properties = parts.flatMap(([fields, of]) => {
    if (!fields.some(differs)) return [];
    // Nothing is to be taken back where nothing was.
    return fields.every(isUnset) ? of(next).filter((property) => !property.endsWith('=')) : of(next);
  });
  return properties.length === 0 ? undefined : { unit, properties };
}
