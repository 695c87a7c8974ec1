/** What the system service offers to the API: facts about the engine and its host, its events, its disk usage. */

import type { Ctx } from '../../core/ctx.ts';
import type { EngineEvent } from '../../core/events.ts';
import type { DamagedRecord } from '../../core/ports/record-store.ts';
import type { RuntimeInfo } from '../../core/ports/runtime.ts';
import type { ContainerSummary } from '../containers/index.ts';
import type { ImageUsage } from '../images/index.ts';
import type { VolumeUsage } from '../volumes/index.ts';

/** Facts that do not change while the daemon runs; given by the composition root. */
export interface EngineFacts {
  /** Random, made once and kept in the data root. */
  readonly engineId: string;
  readonly instance: string;
  readonly version: string;
  readonly gitCommit: string;
  /** RFC 3339; empty when unknown. */
  readonly buildTime: string;
  readonly apiVersion: string;
  readonly minApiVersion: string;
  readonly dataRoot: string;
  readonly debug: boolean;
  /** What clients are told; nothing else depends on it. */
  readonly experimental?: boolean;
  readonly labels: readonly string[];
  readonly storage: {
    readonly name: string;
    status(): readonly (readonly [string, string])[];
  };
  /** Whether containers get user namespaces (`--userns-remap`). */
  readonly userNamespaces?: boolean;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly cgroupVersion: 1 | 2;
  readonly defaultRuntime: string;
  runtimes(): readonly RuntimeInfo[];
  readonly loggingDriver: string;
  readonly logDrivers: readonly string[];
  readonly networkDrivers: readonly string[];
  readonly volumeDrivers: readonly string[];
  readonly initBinary: string;
  readonly firewallBackend: string;
  readonly defaultAddressPools: readonly { readonly base: string; readonly size: number }[];
  /** CIDRs and host[:port]. */
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
  /** Whether a TCP listener is open to clients without certificates. */
  readonly insecureListeners: readonly string[];
  /** Directories of CDI specifications. */
  readonly cdiSpecDirs: readonly string[];
  /** CDI devices that are there now (`vendor.com/class=name`), and what is wrong with their files. */
  devices(): Promise<{ readonly ids: readonly string[]; readonly problems: readonly string[] }>;
}

export interface HostFacts {
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly osVersion: string;
  /** `x86_64`, `aarch64` as the kernel says. */
  readonly machine: string;
  /** `amd64`, `arm64` as Go says. */
  readonly architecture: string;
  readonly hostname: string;
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  readonly ipv4Forwarding: boolean;
  readonly bridgeNfIptables: boolean;
  readonly bridgeNfIp6tables: boolean;
  readonly limits: HostLimits;
  /** `name=seccomp,profile=builtin`, `name=cgroupns`, ... */
  readonly securityOptions: readonly string[];
}

/** Which limits the kernel can set. */
export interface HostLimits {
  readonly memory: boolean;
  readonly swap: boolean;
  readonly cpuCfs: boolean;
  readonly cpuShares: boolean;
  readonly cpuset: boolean;
  readonly pids: boolean;
  readonly oomKillDisable: boolean;
  readonly blkio: boolean;
}

export interface EngineInfo {
  readonly engine: EngineFacts;
  readonly host: HostFacts;
  readonly containers: { readonly running: number; readonly paused: number; readonly stopped: number };
  readonly images: number;
  readonly driverStatus: readonly (readonly [string, string])[];
  readonly runtimes: readonly RuntimeInfo[];
  /** Ids of CDI devices. */
  readonly devices: readonly string[];
  readonly warnings: readonly string[];
  readonly damaged: readonly DamagedRecord[];
  /** RFC 3339 with nanoseconds. */
  readonly systemTime: string;
  readonly openFiles: number;
  readonly eventListeners: number;
}

export interface EngineVersion {
  readonly engine: EngineFacts;
  readonly kernelVersion: string;
  readonly architecture: string;
  readonly runtimes: readonly RuntimeInfo[];
  readonly nodeVersion: string;
}

export interface EventsInput {
  /** Nanoseconds since the epoch. */
  readonly sinceNano: bigint | undefined;
  /** Past or future; the stream ends there. */
  readonly untilNano: bigint | undefined;
  readonly filters: Readonly<Record<string, readonly string[]>>;
}

export type DiskUsageKind = 'container' | 'image' | 'volume' | 'build-cache';

export interface DiskUsage {
  readonly images: ImageUsage | undefined;
  readonly containers: readonly ContainerSummary[] | undefined;
  readonly volumes: readonly VolumeUsage[] | undefined;
  readonly buildCache: boolean;
}

/** One thing that does not stand as the records say, and what sets it right. */
export interface RepairAction {
  /** `remove`, `take back`, ... in words for people. */
  readonly action: string;
  /** What kind of thing, and its id. */
  readonly object: string;
  readonly reason: string;
}

export interface SystemService {
  /** Compares records with the host and mends what differs; with `dryRun` only says what it would do. */
  repair(ctx: Ctx, dryRun: boolean): Promise<readonly RepairAction[]>;
  info(ctx: Ctx): Promise<EngineInfo>;
  version(): EngineVersion;
  /** Ends on `ctx`'s cancellation or at `untilNano`. Filters that nothing knows are ignored, as by dockerd. */
  events(ctx: Ctx, input: EventsInput): AsyncIterable<EngineEvent>;
  /** Kinds asked for; none means all. */
  diskUsage(ctx: Ctx, kinds: readonly DiskUsageKind[]): Promise<DiskUsage>;
}
