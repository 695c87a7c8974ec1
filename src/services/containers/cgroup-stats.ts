/** A container's counters from its cgroups: v1 and v2 files into one shape. Parsers are pure; a missing file is an absent counter. */

import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { CgroupLayout } from '../../core/ports/host.ts';
import { toldMemoryCounters } from './memory-counters.ts';
import type { BlkioEntry, CpuCounters, InterfaceCounters, StatsSample } from './types.ts';

/** `key value` lines. */
export function parseFlat(text: string): Readonly<Record<string, number>> {
  const values: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [key, value] = line.split(' ');
    if (key !== undefined && key !== '' && value !== undefined) values[key] = Number(value);
  }
  return values;
}

/** `8:0 Read 4096` of v1; the operations keep the kernel's capitals, as in Docker. */
export function parseBlkioV1(text: string): readonly BlkioEntry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (match === null) return [];
    const [, major, minor, op = '', value] = match;
    return [{ major: Number(major), minor: Number(minor), op, value: Number(value) }];
  });
}

/** Bytes of `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 ...` of v2; Docker does not tell the operations there. */
export function parseIoStat(text: string): readonly BlkioEntry[] {
  const bytes: BlkioEntry[] = [];
  for (const line of text.split('\n')) {
    const [device = '', ...fields] = line.split(' ');
    const match = /^(\d+):(\d+)$/.exec(device);
    if (match === null) continue;
    const at = { major: Number(match[1]), minor: Number(match[2]) };
    const values = new Map(fields.map((field) => field.split('=') as [string, string]));
    const number = (key: string): number => Number(values.get(key) ?? 0);
    bytes.push(
      { ...at, op: 'read', value: number('rbytes') },
      { ...at, op: 'write', value: number('wbytes') },
    );
  }
  return bytes;
}

/** /proc/net/dev without loopback. */
export function parseNetDev(text: string): Readonly<Record<string, InterfaceCounters>> {
  const found: Record<string, InterfaceCounters> = {};
  for (const line of text.split('\n').slice(2)) {
    const at = line.indexOf(':');
    if (at < 0) continue;
    const name = line.slice(0, at).trim();
    if (name === 'lo') continue;
    const fields = line
      .slice(at + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    const field = (index: number): number => fields[index] ?? 0;
    found[name] = {
      rxBytes: field(0),
      rxPackets: field(1),
      rxErrors: field(2),
      rxDropped: field(3),
      txBytes: field(8),
      txPackets: field(9),
      txErrors: field(10),
      txDropped: field(11),
    };
  }
  return found;
}

const ticksPerSecond = 100;
const nanosPerTick = 1e9 / ticksPerSecond;

/** Nanoseconds of all CPUs since boot, from the first line of /proc/stat. */
export function parseSystemUsage(text: string): number {
  const fields = (text.split('\n')[0] ?? '').trim().split(/\s+/).slice(1, 8).map(Number);
  return fields.reduce((sum, value) => sum + value, 0) * nanosPerTick;
}

async function read(path: string | undefined): Promise<string> {
  if (path === undefined) return '';
  return await readFile(path, 'utf8').catch(() => '');
}

const numberOr = <T>(text: string, otherwise: T): number | T => {
  const trimmed = text.trim();
  return /^\d+$/.test(trimmed) ? Number(trimmed) : otherwise;
};

export interface StatsPlace {
  readonly layout: CgroupLayout;
  readonly paths: readonly string[];
  readonly pid: number;
  /** Bytes: what a container without a limit may use. */
  readonly hostMemory: number;
}

function fileOf(place: StatsPlace, controller: string, file: string): string | undefined {
  if (place.layout.version === 2)
    return place.paths[0] === undefined ? undefined : join(place.paths[0], file);
  const root = place.layout.controllers[controller];
  const directory = root === undefined ? undefined : place.paths.find((path) => path.startsWith(`${root}/`));
  return directory === undefined ? undefined : join(directory, file);
}

async function cpuCounters(place: StatsPlace): Promise<CpuCounters> {
  const systemUsage = parseSystemUsage(await read('/proc/stat'));
  const onlineCpus = cpus().length;
  if (place.layout.version === 2) {
    const stat = parseFlat(await read(fileOf(place, 'cpu', 'cpu.stat')));
    const nanos = (key: string): number => (stat[key] ?? 0) * 1000;
    return {
      totalUsage: nanos('usage_usec'),
      userUsage: nanos('user_usec'),
      kernelUsage: nanos('system_usec'),
      perCpuUsage: undefined,
      systemUsage,
      onlineCpus,
      throttling: {
        periods: stat['nr_periods'] ?? 0,
        throttledPeriods: stat['nr_throttled'] ?? 0,
        throttledTime: nanos('throttled_usec'),
      },
    };
  }
  const [usage, perCpu, split, throttle] = await Promise.all([
    read(fileOf(place, 'cpuacct', 'cpuacct.usage')),
    read(fileOf(place, 'cpuacct', 'cpuacct.usage_percpu')),
    read(fileOf(place, 'cpuacct', 'cpuacct.stat')),
    read(fileOf(place, 'cpu', 'cpu.stat')),
  ]);
  const parts = parseFlat(split);
  const stat = parseFlat(throttle);
  return {
    totalUsage: numberOr(usage, 0),
    userUsage: (parts['user'] ?? 0) * nanosPerTick,
    kernelUsage: (parts['system'] ?? 0) * nanosPerTick,
    perCpuUsage: perCpu.trim() === '' ? undefined : perCpu.trim().split(' ').map(Number),
    systemUsage,
    onlineCpus,
    throttling: {
      periods: stat['nr_periods'] ?? 0,
      throttledPeriods: stat['nr_throttled'] ?? 0,
      throttledTime: stat['throttled_time'] ?? 0,
    },
  };
}

async function memoryCounters(place: StatsPlace): Promise<NonNullable<StatsSample['memory']>> {
  const v2 = place.layout.version === 2;
  const [usage, max, failures, limit, stat] = await Promise.all([
    read(fileOf(place, 'memory', v2 ? 'memory.current' : 'memory.usage_in_bytes')),
    v2 ? '' : read(fileOf(place, 'memory', 'memory.max_usage_in_bytes')),
    read(fileOf(place, 'memory', v2 ? 'memory.events' : 'memory.failcnt')),
    read(fileOf(place, 'memory', v2 ? 'memory.max' : 'memory.limit_in_bytes')),
    read(fileOf(place, 'memory', 'memory.stat')),
  ]);
  return {
    usage: numberOr(usage, 0),
    maxUsage: numberOr(max, undefined),
    failcnt: (v2 ? parseFlat(failures)['oom'] : numberOr(failures, undefined)) ?? 0,
    // "max", and v1's huge number for none, both mean the machine's memory.
    limit: Math.min(numberOr(limit, place.hostMemory), place.hostMemory),
    stats: toldMemoryCounters(v2 ? 2 : 1, parseFlat(stat)),
  };
}

async function blkioCounters(place: StatsPlace): Promise<NonNullable<StatsSample['blkio']>> {
  if (place.layout.version === 2) {
    return { serviceBytes: parseIoStat(await read(fileOf(place, 'io', 'io.stat'))), serviced: [] };
  }
  const [bytes, operations] = await Promise.all([
    read(fileOf(place, 'blkio', 'blkio.throttle.io_service_bytes_recursive')),
    read(fileOf(place, 'blkio', 'blkio.throttle.io_serviced_recursive')),
  ]);
  return { serviceBytes: parseBlkioV1(bytes), serviced: parseBlkioV1(operations) };
}

export type Counters = Pick<StatsSample, 'pids' | 'cpu' | 'memory' | 'blkio' | 'networks'>;

/** One reading of everything. */
export async function readCounters(place: StatsPlace): Promise<Counters> {
  const [cpu, memory, blkio, current, limit, network] = await Promise.all([
    cpuCounters(place),
    memoryCounters(place),
    blkioCounters(place),
    read(fileOf(place, 'pids', 'pids.current')),
    read(fileOf(place, 'pids', 'pids.max')),
    read(`/proc/${place.pid}/net/dev`),
  ]);
  return {
    cpu,
    memory,
    blkio,
    pids: { current: numberOr(current, 0), limit: numberOr(limit, undefined) },
    networks: parseNetDev(network),
  };
}
