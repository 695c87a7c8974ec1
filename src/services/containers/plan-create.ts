/** From a request to the record that will stand for the container. Pure: names, images and networks come in as values. */

import { posix } from 'node:path';
import { invalid } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import { initialState, type ContainerRecord, type EndpointRecord } from '../../core/model/container.ts';
import type { ContainerConfig, HostConfig } from '../../core/model/container-spec.ts';
import type { ImageRecord } from '../../core/model/image.ts';
import { commandOf, mergeImageConfig } from './plan-image.ts';

const defaultShmSize = 67_108_864;

export interface CreateDefaults {
  readonly runtime: string;
  readonly logDriver: string;
  readonly logOptions: Readonly<Record<string, string>>;
  readonly init: boolean;
  /** Whether containers get their own cgroup namespace by default (v2). */
  readonly privateCgroupNamespace: boolean;
  readonly hostHostname: string;
  readonly shmSize?: number | undefined;
  readonly ipcMode?: string | undefined;
  readonly cgroupnsMode?: 'private' | 'host' | undefined;
  /** Whether the kernel can be told not to kill (v1). */
  readonly oomKillDisable: boolean;
}

/** The host part with every default that Docker writes into it. */
export function normalizeHostConfig(given: HostConfig, defaults: CreateDefaults): HostConfig {
  const networkMode =
    given.NetworkMode === undefined || ['', 'default'].includes(given.NetworkMode)
      ? 'bridge'
      : given.NetworkMode;
  const memory = given.Memory ?? 0;
  const type = given.LogConfig?.Type || defaults.logDriver;
  // Daemon-wide options belong to the daemon's driver; another driver would not know them.
  const logOptions =
    type === defaults.logDriver
      ? { ...defaults.logOptions, ...given.LogConfig?.Config }
      : { ...given.LogConfig?.Config };
  return {
    ...given,
    NetworkMode: networkMode,
    IpcMode: given.IpcMode || defaults.ipcMode || 'private',
    CgroupnsMode: given.CgroupnsMode || cgroupNamespaceMode(given, defaults),
    ShmSize: given.ShmSize || defaults.shmSize || defaultShmSize,
    LogConfig: { Type: type, Config: logOptions },
    RestartPolicy: {
      Name: given.RestartPolicy?.Name || 'no',
      MaximumRetryCount: given.RestartPolicy?.MaximumRetryCount ?? 0,
    },
    Runtime: given.Runtime || defaults.runtime,
    // Docker takes every number below 1 for no limit, and tells none.
    ...((given.PidsLimit ?? 1) <= 0 ? { PidsLimit: null } : {}),
    // Twice the memory is what Docker allows for memory and swap together.
    ...(memory > 0 && (given.MemorySwap ?? 0) === 0 ? { MemorySwap: memory * 2 } : {}),
    ...(given.OomKillDisable == null && defaults.oomKillDisable ? { OomKillDisable: false } : {}),
    ...(given.Init == null && defaults.init ? { Init: true } : {}),
  };
}

function cgroupNamespaceMode(given: HostConfig, defaults: CreateDefaults): 'private' | 'host' {
  if (defaults.cgroupnsMode !== undefined) return defaults.cgroupnsMode;
  return defaults.privateCgroupNamespace && given.Privileged !== true ? 'private' : 'host';
}

function hostname(config: ContainerConfig, host: HostConfig, id: string, defaults: CreateDefaults): string {
  if (config.Hostname !== undefined && config.Hostname !== '') return config.Hostname;
  if (host.NetworkMode === 'host' || host.UTSMode === 'host') return defaults.hostHostname;
  return host.NetworkMode?.startsWith('container:') === true ? '' : shortId(id);
}

export interface CreatePlanInput {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly config: ContainerConfig;
  /** Already normalized. */
  readonly hostConfig: HostConfig;
  readonly image: ImageRecord | undefined;
  readonly endpoints: Readonly<Record<string, EndpointRecord>>;
  readonly defaults: CreateDefaults;
  readonly driver: string;
  readonly logPath: string;
  readonly platform: string;
}

/** The configuration as the record holds it. */
export function planConfig(
  given: ContainerConfig,
  image: ImageRecord | undefined,
  host: HostConfig,
  id: string,
  defaults: CreateDefaults,
): ContainerConfig {
  const merged = mergeImageConfig(given, image?.config.config ?? {});
  const name = hostname(merged, host, id, defaults);
  if (name.length > 64) throw invalid(`invalid hostname: ${name}`);
  return {
    ...merged,
    Hostname: name,
    Domainname: merged.Domainname ?? '',
    ...(merged.WorkingDir === undefined || merged.WorkingDir === ''
      ? {}
      : { WorkingDir: posix.normalize(merged.WorkingDir).replace(/(.)\/+$/, '$1') }),
  };
}

/** The record as it is committed at create; mounts are filled in once volumes have their places. */
export function planRecord(input: CreatePlanInput): ContainerRecord {
  const { path, args } = commandOf(input.config);
  return {
    id: input.id,
    name: input.name,
    createdAt: input.createdAt,
    config: input.config,
    hostConfig: input.hostConfig,
    imageId: input.image?.id ?? '',
    imageRef: input.config.Image ?? '',
    platform: input.platform,
    path,
    args,
    driver: input.driver,
    snapshotKey: input.id,
    mounts: [],
    endpoints: input.endpoints,
    ports: [],
    state: initialState,
    restartCount: 0,
    manuallyStopped: false,
    logPath: input.logPath,
    runtime: input.hostConfig.Runtime ?? input.defaults.runtime,
  };
}
