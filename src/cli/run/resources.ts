/** Limits and devices of `run`, `create`. */
import fs from 'node:fs';
import { CliError } from '../exit.ts';
import type { Flags } from '../flags/parse.ts';
import { parseBytes, parseCsv } from '../flags/values.ts';

const ULIMITS = new Set([
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
]);

export interface Ulimit {
  readonly Name: string;
  readonly Hard: number;
  readonly Soft: number;
}

/** `nofile=1024:2048`. Throws an Error in docker's words. */
export function parseUlimit(text: string): Ulimit {
  const at = text.indexOf('=');
  if (at < 0) throw new Error(`invalid ulimit argument: ${text}`);
  const name = text.slice(0, at);
  const parts = text.slice(at + 1).split(':');
  if (!ULIMITS.has(name)) throw new Error(`invalid ulimit type: ${name}`);
  if (parts.length > 2)
    throw new Error(
      `too many limit value arguments - ${text.slice(at + 1)}, can only have up to two, \`soft[:hard]\``,
    );
  const number = (value: string): number => {
    if (!/^-?\d+$/.test(value))
      throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
    return Number(value);
  };
  const soft = number(parts[0] ?? '');
  const hard = parts[1] === undefined ? soft : number(parts[1]);
  if (hard !== -1 && (soft > hard || soft === -1)) {
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
  return { Name: name, Hard: hard, Soft: soft };
}

const isCdi = (device: string): boolean => /^[A-Za-z][\w.-]*\/[A-Za-z][\w-]*=[\w.:-]+$/.test(device);

function parseDevice(text: string): {
  PathOnHost: string;
  PathInContainer: string;
  CgroupPermissions: string;
} {
  const [host = '', second, third] = text.split(':');
  const isMode = (mode: string): boolean => /^(?!.*(.).*\1)[rwm]{1,3}$/.test(mode);
  if (third !== undefined && !isMode(third)) throw new CliError(`bad mode specified: ${third}`);
  if (third !== undefined)
    return { PathOnHost: host, PathInContainer: second ?? host, CgroupPermissions: third };
  if (second === undefined) return { PathOnHost: host, PathInContainer: host, CgroupPermissions: 'rwm' };
  return isMode(second)
    ? { PathOnHost: host, PathInContainer: host, CgroupPermissions: second }
    : { PathOnHost: host, PathInContainer: second, CgroupPermissions: 'rwm' };
}

/** `all`, `2` or `device=0,capabilities=gpu`. */
export function parseGpus(text: string): Record<string, unknown> {
  const count = (value: string): number => {
    if (value === 'all') return -1;
    if (!/^\d+$/.test(value))
      throw new Error(
        `invalid count (${value}): value must be either "all" or an integer: strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`,
      );
    return Number(value);
  };
  const request: Record<string, unknown> = {
    Driver: '',
    Count: 0,
    DeviceIDs: null,
    Capabilities: [['gpu']],
    Options: {},
  };
  for (const field of parseCsv(text)) {
    const at = field.indexOf('=');
    const key = at < 0 ? 'count' : field.slice(0, at);
    const value = at < 0 ? field : field.slice(at + 1);
    if (key === 'count') request['Count'] = count(value);
    else if (key === 'device') request['DeviceIDs'] = value.split(',');
    else if (key === 'driver') request['Driver'] = value;
    else if (key === 'capabilities') request['Capabilities'] = [[...new Set([...value.split(','), 'gpu'])]];
    else if (key === 'options')
      request['Options'] = Object.fromEntries(
        parseCsv(value).map((item) => item.split('=', 2) as [string, string]),
      );
    else throw new Error(`unexpected key '${key}' in '${field}'`);
  }
  if (request['Count'] === 0 && request['DeviceIDs'] === null) request['Count'] = 1;
  return request;
}

/** `/dev/sda:1mb` or `/dev/sda:1000`. */
function parseRate(text: string, bytes: boolean): { Path: string; Rate: number } {
  const at = text.indexOf(':');
  const path = text.slice(0, at);
  const rate = text.slice(at + 1);
  if (at <= 0) throw new CliError(`bad format: ${text}`);
  if (!path.startsWith('/dev/')) throw new CliError(`bad format for device path: ${text}`);
  const value = bytes ? parseBytes(rate) : Number(rate);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new CliError(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>${bytes ? '[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb' : '. Number must be a positive integer'}`,
    );
  }
  return { Path: path, Rate: value };
}

function parseWeight(text: string): { Path: string; Weight: number } {
  const at = text.indexOf(':');
  const weight = Number(text.slice(at + 1));
  if (at <= 0) throw new CliError(`bad format: ${text}`);
  if (!text.startsWith('/dev/')) throw new CliError(`bad format for device path: ${text}`);
  if (!Number.isInteger(weight) || (weight !== 0 && (weight < 10 || weight > 1000)))
    throw new CliError(`invalid weight for device: ${text}`);
  return { Path: text.slice(0, at), Weight: weight };
}

export function buildResources(flags: Flags): Record<string, unknown> {
  const devices = flags.list('device');
  const cdi = devices.filter(isCdi);
  const gpus = flags.list('gpus').map(parseGpus);
  const swappiness = flags.number('memory-swappiness');
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw new CliError(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  const rates = (flag: string, bytes: boolean) => flags.list(flag).map((text) => parseRate(text, bytes));
  return {
    CgroupParent: flags.string('cgroup-parent'),
    Memory: flags.number('memory'),
    MemoryReservation: flags.number('memory-reservation'),
    MemorySwap: flags.number('memory-swap'),
    ...(swappiness === -1 ? {} : { MemorySwappiness: swappiness }),
    OomKillDisable: flags.bool('oom-kill-disable'),
    NanoCpus: flags.number('cpus'),
    CpuCount: flags.number('cpu-count'),
    CpuPercent: flags.number('cpu-percent'),
    CpuShares: flags.number('cpu-shares'),
    CpuPeriod: flags.number('cpu-period'),
    CpuQuota: flags.number('cpu-quota'),
    CpuRealtimePeriod: flags.number('cpu-rt-period'),
    CpuRealtimeRuntime: flags.number('cpu-rt-runtime'),
    CpusetCpus: flags.string('cpuset-cpus'),
    CpusetMems: flags.string('cpuset-mems'),
    PidsLimit: flags.number('pids-limit'),
    BlkioWeight: flags.number('blkio-weight'),
    BlkioWeightDevice: flags.list('blkio-weight-device').map(parseWeight),
    BlkioDeviceReadBps: rates('device-read-bps', true),
    BlkioDeviceWriteBps: rates('device-write-bps', true),
    BlkioDeviceReadIOps: rates('device-read-iops', false),
    BlkioDeviceWriteIOps: rates('device-write-iops', false),
    IOMaximumIOps: flags.number('io-maxiops'),
    IOMaximumBandwidth: flags.number('io-maxbandwidth'),
    Ulimits: flags.list('ulimit').map(parseUlimit),
    DeviceCgroupRules: flags.list('device-cgroup-rule'),
    Devices: devices.filter((device) => !isCdi(device)).map(parseDevice),
    ...(cdi.length + gpus.length === 0
      ? {}
      : { DeviceRequests: [...gpus, ...(cdi.length === 0 ? [] : [{ Driver: 'cdi', DeviceIDs: cdi }])] }),
  };
}

/** `--security-opt`: a seccomp profile is read here, since the engine may be on another machine. */
export function securityOptions(options: readonly string[]): {
  readonly options: string[];
  readonly unconfinedPaths: boolean;
} {
  let unconfinedPaths = false;
  const out: string[] = [];
  for (const option of options) {
    if (option === 'systempaths=unconfined') {
      unconfinedPaths = true;
      continue;
    }
    const match = /^(seccomp)[=:](.*)$/.exec(option);
    if (match === null) {
      if (!option.includes('=') && option !== 'no-new-privileges' && !option.includes(':'))
        throw new CliError(`invalid --security-opt: ${JSON.stringify(option)}`);
      out.push(option);
      continue;
    }
    const file = match[2] ?? '';
    out.push(['unconfined', 'builtin'].includes(file) ? option : `seccomp=${readProfile(file)}`);
  }
  return { options: out, unconfinedPaths };
}

function readProfile(file: string): string {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch {
    throw new CliError(`opening seccomp profile (${file}) failed: open ${file}: no such file or directory`);
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw new CliError(
      `compacting json for seccomp profile (${file}) failed: ${error instanceof Error ? error.message : ''}`,
    );
  }
}
