/** A container's config and host config with every field that dockerd shows, defaults filled in. */

import { maskedPaths, readonlyPaths } from '../../core/model/system-paths.ts';
import type { ContainerConfig, HostConfig, PortMap } from '../../core/model/container-spec.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import { hasConfigMacAddress, hasEmptyOnBuild, hasKernelMemory, type ApiVersion } from '../versions.ts';

function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    // Go's omitempty.
    if (value === undefined || value === null || value === '' || value === false) continue;
    if (typeof value === 'object' && Object.keys(value).length === 0) continue;
    result[name] = value;
  }
  return result;
}

export function encodeConfig(config: ContainerConfig, version: ApiVersion): object {
  return {
    Hostname: config.Hostname ?? '',
    Domainname: config.Domainname ?? '',
    User: config.User ?? '',
    AttachStdin: config.AttachStdin ?? false,
    AttachStdout: config.AttachStdout ?? false,
    AttachStderr: config.AttachStderr ?? false,
    ...present({ ExposedPorts: config.ExposedPorts }),
    Tty: config.Tty ?? false,
    OpenStdin: config.OpenStdin ?? false,
    StdinOnce: config.StdinOnce ?? false,
    Env: config.Env ?? null,
    Cmd: config.Cmd ?? null,
    ...present({ Healthcheck: config.Healthcheck, ArgsEscaped: config.ArgsEscaped }),
    Image: config.Image ?? '',
    Volumes: config.Volumes ?? null,
    WorkingDir: config.WorkingDir ?? '',
    Entrypoint: config.Entrypoint ?? null,
    ...present({
      NetworkDisabled: config.NetworkDisabled,
      MacAddress: hasConfigMacAddress(version) ? config.MacAddress : undefined,
    }),
    ...(hasEmptyOnBuild(version)
      ? { OnBuild: config.OnBuild ?? null }
      : present({ OnBuild: config.OnBuild })),
    Labels: config.Labels ?? {},
    ...present({ StopSignal: config.StopSignal, StopTimeout: config.StopTimeout, Shell: config.Shell }),
  };
}

const defaults = {
  Binds: null,
  ContainerIDFile: '',
  LogConfig: { Type: 'json-file', Config: {} },
  NetworkMode: 'bridge',
  PortBindings: null,
  RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: 'private',
  Dns: null,
  DnsOptions: null,
  DnsSearch: null,
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: 'private',
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  ShmSize: 67108864,
  Runtime: '',
  Isolation: '',
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  BlkioDeviceReadBps: null,
  BlkioDeviceWriteBps: null,
  BlkioDeviceReadIOps: null,
  BlkioDeviceWriteIOps: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: null,
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: null,
  PidsLimit: null,
  Ulimits: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
  MaskedPaths: null,
  ReadonlyPaths: null,
} as const satisfies HostConfig;

const emptyCountsAsAbsent = ['RestartPolicy', 'LogConfig'] as const;

/** Both halves of each binding, also where the request had one. */
function encodeBindings(bindings: PortMap): object {
  const whole = Object.entries(bindings).map(([port, list]) => [
    port,
    list?.map(({ HostIp = '', HostPort = '' }) => ({ HostIp, HostPort })) ?? null,
  ]);
  return Object.fromEntries(whole) as object;
}

/** Legacy links as dockerd keeps them: `/TARGET:/OWNER/ALIAS`. Elsewhere than on the default bridge there are none. */
function encodeLinks(
  { name, hostConfig }: ContainerRecord,
  links: readonly string[],
): readonly string[] | null {
  if (hostConfig.NetworkMode !== 'bridge') return null;
  return links.map((link) => {
    const [target = '', alias = target] = link.split(':');
    return `/${target.replace(/^\//, '')}:/${name}/${alias.split('/').at(-1) ?? alias}`;
  });
}

export function encodeHostConfig(record: ContainerRecord, version: ApiVersion): object {
  const given = record.hostConfig;
  const result: Record<string, unknown> = { ...defaults, ...given, Runtime: given.Runtime || record.runtime };
  if (given.PortBindings != null) result['PortBindings'] = encodeBindings(given.PortBindings);
  if (given.Links != null) result['Links'] = encodeLinks(record, given.Links);
  for (const name of emptyCountsAsAbsent) result[name] = { ...defaults[name], ...definedOnly(given[name]) };
  if (given.Privileged !== true && given.SecurityOpt?.includes('systempaths=unconfined') !== true) {
    result['MaskedPaths'] = given.MaskedPaths ?? maskedPaths;
    result['ReadonlyPaths'] = given.ReadonlyPaths ?? readonlyPaths;
  }
  if (hasKernelMemory(version)) {
    result['KernelMemory'] = 0;
    result['KernelMemoryTCP'] = given.KernelMemoryTCP ?? 0;
  }
  return result;
}

function definedOnly(value: object | undefined): object {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, item]) => item !== '' && item != null));
}
