/** Facts about the engine as `info` and `version` show them, and its disk usage. */

import type { RuntimeInfo } from '../../core/ports/runtime.ts';
import type { DiskUsage, EngineFacts, EngineInfo, EngineVersion } from '../../services/system/index.ts';
import {
  hasBridgeNfWarnings,
  hasBuilderSize,
  hasCdiDirectories,
  hasDiskUsageTotals,
  hasExpectedCommits,
  hasFirewallBackend,
  hasFlatDiskUsage,
  hasKernelMemory,
  hasNondistributable,
  type ApiVersion,
} from '../versions.ts';
import { encodeSummary } from './containers.ts';
import { encodeImageSummary } from './images.ts';
import { encodeVolumeUsage } from './volumes.ts';

function encodeRuntimes(runtimes: readonly RuntimeInfo[]): object {
  return Object.fromEntries(runtimes.map((runtime) => [runtime.name, { path: runtime.path }])) as object;
}

/** Registries on this host are reached without TLS always, as by dockerd. */
const loopback = ['::1/128', '127.0.0.0/8'];

function registryConfig(engine: EngineFacts, version: ApiVersion): object {
  const isCidr = (entry: string): boolean => entry.includes('/');
  const insecure = engine.insecureRegistries.filter((entry) => !isCidr(entry));
  const indexes = insecure.map((name) => [name, { Name: name, Mirrors: [], Secure: false, Official: false }]);
  const nondistributable = {
    AllowNondistributableArtifactsCIDRs: null,
    AllowNondistributableArtifactsHostnames: null,
  };
  return {
    ...(hasNondistributable(version) ? nondistributable : {}),
    InsecureRegistryCIDRs: [...new Set([...loopback, ...engine.insecureRegistries.filter(isCidr)])],
    IndexConfigs: {
      'docker.io': { Name: 'docker.io', Mirrors: engine.registryMirrors, Secure: true, Official: true },
      ...(Object.fromEntries(indexes) as object),
    },
    Mirrors: engine.registryMirrors,
  };
}

function hostFields(info: EngineInfo, version: ApiVersion): object {
  const { host, engine } = info;
  const { limits } = host;
  return {
    MemoryLimit: limits.memory,
    SwapLimit: limits.swap,
    ...(hasKernelMemory(version) ? { KernelMemory: false, KernelMemoryTCP: false } : {}),
    CpuCfsPeriod: limits.cpuCfs,
    CpuCfsQuota: limits.cpuCfs,
    CPUShares: limits.cpuShares,
    CPUSet: limits.cpuset,
    PidsLimit: limits.pids,
    IPv4Forwarding: host.ipv4Forwarding,
    ...(hasBridgeNfWarnings(version)
      ? { BridgeNfIptables: host.bridgeNfIptables, BridgeNfIp6tables: host.bridgeNfIp6tables }
      : {}),
    Debug: engine.debug,
    NFd: info.openFiles,
    OomKillDisable: limits.oomKillDisable,
    NGoroutines: 0,
    SystemTime: info.systemTime,
    LoggingDriver: engine.loggingDriver,
    CgroupDriver: engine.cgroupDriver,
    CgroupVersion: String(engine.cgroupVersion),
    NEventsListener: info.eventListeners,
    KernelVersion: host.kernelVersion,
    OperatingSystem: host.operatingSystem,
    OSVersion: host.osVersion,
    OSType: 'linux',
    Architecture: host.machine,
  };
}

/** `runc` alone has a field of its own; the default runtime's version stands there. */
function commits(info: EngineInfo, version: ApiVersion): object {
  const runtime = info.runtimes.find((one) => one.name === info.engine.defaultRuntime);
  const commit = (id: string): object =>
    hasExpectedCommits(version) ? { ID: id, Expected: id } : { ID: id };
  return {
    ContainerdCommit: commit(''),
    RuncCommit: commit(runtime?.version ?? ''),
    InitCommit: commit(''),
  };
}

const swarm = {
  NodeID: '',
  NodeAddr: '',
  LocalNodeState: 'inactive',
  ControlAvailable: false,
  Error: '',
  RemoteManagers: null,
};

export function encodeInfo(info: EngineInfo, version: ApiVersion): object {
  const { engine, containers } = info;
  return {
    ID: engine.engineId,
    Containers: containers.running + containers.paused + containers.stopped,
    ContainersRunning: containers.running,
    ContainersPaused: containers.paused,
    ContainersStopped: containers.stopped,
    Images: info.images,
    Driver: engine.storage.name,
    DriverStatus: info.driverStatus,
    Plugins: {
      Volume: engine.volumeDrivers,
      Network: engine.networkDrivers,
      Authorization: null,
      Log: engine.logDrivers,
    },
    ...hostFields(info, version),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: registryConfig(engine, version),
    NCPU: info.host.cpus,
    MemTotal: info.host.memory,
    GenericResources: null,
    DockerRootDir: engine.dataRoot,
    HttpProxy: engine.httpProxy,
    HttpsProxy: engine.httpsProxy,
    NoProxy: engine.noProxy,
    Name: info.host.hostname,
    Labels: engine.labels,
    ExperimentalBuild: engine.experimental === true,
    ServerVersion: engine.version,
    Runtimes: encodeRuntimes(info.runtimes),
    DefaultRuntime: engine.defaultRuntime,
    Swarm: swarm,
    // Containers outlive the daemon always; there is no switch for it.
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: engine.initBinary,
    ...commits(info, version),
    SecurityOptions: info.host.securityOptions,
    ProductLicense: 'Apache-2.0',
    DefaultAddressPools: engine.defaultAddressPools.map((pool) => ({ Base: pool.base, Size: pool.size })),
    ...(hasFirewallBackend(version) ? { FirewallBackend: { Driver: engine.firewallBackend } } : {}),
    ...(hasCdiDirectories(version) ? { CDISpecDirs: engine.cdiSpecDirs } : {}),
    ...(hasCdiDirectories(version) && info.devices.length > 0
      ? { DiscoveredDevices: info.devices.map((id) => ({ Source: 'cdi', ID: id })) }
      : {}),
    Warnings: info.warnings.length === 0 ? null : info.warnings,
  };
}

export function encodeVersion(facts: EngineVersion): object {
  const { engine } = facts;
  const runtimes = facts.runtimes.map((runtime) => ({
    Name: runtime.name,
    Version: runtime.version,
    Details: { Path: runtime.path },
  }));
  const details = {
    ApiVersion: engine.apiVersion,
    Arch: facts.architecture,
    BuildTime: engine.buildTime,
    Experimental: String(engine.experimental === true),
    GitCommit: engine.gitCommit,
    GoVersion: '',
    NodeVersion: facts.nodeVersion,
    KernelVersion: facts.kernelVersion,
    MinAPIVersion: engine.minApiVersion,
    Os: 'linux',
  };
  return {
    Platform: { Name: `Slipway Engine ${engine.version}` },
    Components: [{ Name: 'Engine', Version: engine.version, Details: details }, ...runtimes],
    Version: engine.version,
    ApiVersion: engine.apiVersion,
    MinAPIVersion: engine.minApiVersion,
    GitCommit: engine.gitCommit,
    GoVersion: '',
    Os: 'linux',
    Arch: facts.architecture,
    KernelVersion: facts.kernelVersion,
    ...(engine.experimental === true ? { Experimental: true } : {}),
    BuildTime: engine.buildTime,
  };
}

const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, one) => total + Math.max(0, one), 0);

/** Totals by kind, which 1.52 brought. */
function summaries(usage: DiskUsage): object {
  const { images, containers, volumes } = usage;
  const result: Record<string, object> = {};
  if (images !== undefined) {
    const unused = images.images.filter((image) => image.containers <= 0);
    result['ImageUsage'] = {
      ActiveCount: images.images.length - unused.length,
      TotalCount: images.images.length,
      Reclaimable: sum(unused.map((image) => image.size - Math.max(0, image.sharedSize))),
      TotalSize: images.layersSize,
    };
  }
  if (containers !== undefined) {
    const active = containers.filter((one) =>
      ['running', 'paused', 'restarting'].includes(one.record.state.status),
    );
    const size = (list: typeof containers): number => sum(list.map((one) => one.sizes?.rw ?? 0));
    result['ContainerUsage'] = {
      ActiveCount: active.length,
      TotalCount: containers.length,
      Reclaimable: size(containers) - size(active),
      TotalSize: size(containers),
    };
  }
  if (volumes !== undefined) {
    const used = volumes.filter((volume) => volume.references > 0);
    const total = sum(volumes.map((volume) => volume.size));
    result['VolumeUsage'] = {
      ActiveCount: used.length,
      TotalCount: volumes.length,
      Reclaimable: total - sum(used.map((volume) => volume.size)),
      TotalSize: total,
    };
  }
  if (usage.buildCache) {
    result['BuildCacheUsage'] = { ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0 };
  }
  return result;
}

/** `verbose` adds the single objects to the totals from 1.52 on; earlier versions have the lists alone. */
export function encodeDiskUsage(usage: DiskUsage, verbose: boolean, version: ApiVersion): object {
  const { images, containers, volumes } = usage;
  const lists = {
    LayersSize: images?.layersSize ?? 0,
    Images: images?.images.map((image) => encodeImageSummary(image, version)) ?? null,
    Containers: containers?.map((container) => encodeSummary(container, version)) ?? null,
    Volumes: volumes?.map(encodeVolumeUsage) ?? null,
    BuildCache: usage.buildCache ? [] : null,
  };
  const builderSize = hasBuilderSize(version) ? { BuilderSize: 0 } : {};
  if (!hasDiskUsageTotals(version)) return { ...lists, ...builderSize };
  const totals = summaries(usage);
  if (!verbose) return hasFlatDiskUsage(version) ? { ...lists, ...totals } : totals;
  const items: Readonly<Record<string, unknown>> = {
    ImageUsage: lists.Images,
    ContainerUsage: lists.Containers,
    VolumeUsage: lists.Volumes,
    BuildCacheUsage: lists.BuildCache,
  };
  return Object.fromEntries(
    Object.entries(totals).map(([kind, total]) => [kind, { ...(total as object), Items: items[kind] }]),
  );
}
