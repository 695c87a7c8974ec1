import type { ContainerConfig, EndpointSpec, HostConfig } from './container-spec.ts';

export type ContainerStatus =
  | 'created'
  | 'starting'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'exited'
  | 'removing'
  | 'dead';

export interface ContainerState {
  readonly status: ContainerStatus;
  /** PID 1 of the container as the host sees it; 0 when there is none. */
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: with the pid it names one process for ever, so that a reused pid is never signalled. */
  readonly pidStartTicks: string;
  readonly shimPid: number;
  readonly exitCode: number;
  /** Why the last start failed or the container died, in words; empty when all is well. */
  readonly error: string;
  readonly oomKilled: boolean;
  /** RFC 3339 with nanoseconds; `0001-01-01T00:00:00Z` for never. */
  readonly startedAt: string;
  readonly finishedAt: string;
}

/** One mount of a container, decided at create and the same at every start. */
export interface MountPoint {
  readonly type: 'bind' | 'volume' | 'tmpfs' | 'image';
  /** Volume name, for `volume`. */
  readonly name?: string;
  /** Absolute host path; empty for tmpfs. */
  readonly source: string;
  readonly destination: string;
  readonly driver?: string;
  /** As the user wrote it (`z`, `ro`, ...). */
  readonly mode: string;
  readonly rw: boolean;
  readonly propagation: string;
  /**
   * For tmpfs its mount options (`size=64m`). For binds: `bind` leaves out what is mounted below the source, `flat` keeps
   * what is mounted below writable in a read-only mount, `rro` refuses a host that cannot make that read-only too.
   */
  readonly options?: readonly string[];
  /** What of the volume or image is mounted; relative. */
  readonly subpath?: string;
  /** Id of the mounted image, for `image`. */
  readonly imageId?: string;
  /** The writable snapshot on that image, which this container alone has. */
  readonly snapshotKey?: string;
  /** Whether a first use fills the volume from the image. */
  readonly copyUp?: boolean;
  /** Whether the volume goes when the container is removed with its anonymous volumes. */
  readonly anonymous?: boolean;
}

/** A container's place in one network. Addresses are empty while it is not running. */
export interface EndpointRecord {
  readonly networkId: string;
  readonly networkName: string;
  readonly spec: EndpointSpec;
  readonly endpointId: string;
  readonly macAddress: string;
  readonly ipv4: string;
  readonly ipv4PrefixLength: number;
  readonly ipv4Gateway: string;
  readonly ipv6: string;
  readonly ipv6PrefixLength: number;
  readonly ipv6Gateway: string;
  /** Names that the embedded DNS answers on this network: container name, aliases, short id. */
  readonly dnsNames: readonly string[];
  /** Interface inside the container (`eth0`); empty when detached. */
  readonly interfaceName: string;
  /** Interface on the host side, derived from the endpoint id. */
  readonly hostInterfaceName: string;
}

export interface PublishedPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly containerPort: number;
  /** `0.0.0.0`, `::` or a host address. */
  readonly hostIp: string;
  /** 0 where the container's own address is reached instead of the host's (gateway mode `routed`). */
  readonly hostPort: number;
}

export type HealthStatus = 'none' | 'starting' | 'healthy' | 'unhealthy';

export interface HealthProbe {
  /** RFC 3339 with nanoseconds. */
  readonly start: string;
  readonly end: string;
  /** 0 healthy; -1 when the command could not be run or took too long. */
  readonly exitCode: number;
  readonly output: string;
}

export interface Health {
  readonly status: HealthStatus;
  readonly failingStreak: number;
  /** The last five, oldest first. */
  readonly log: readonly HealthProbe[];
}

/** One container: all that it owns, in one record. */
export interface ContainerRecord {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  /** RFC 3339 with nanoseconds. */
  readonly createdAt: string;
  /** As the user gave it, with the image's defaults merged in (as Docker stores it). */
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** Image id (digest of its config) and the reference as the user wrote it. */
  readonly imageId: string;
  readonly imageRef: string;
  readonly platform: string;
  /** What runs: entrypoint and command resolved. */
  readonly path: string;
  readonly args: readonly string[];
  readonly driver: string;
  readonly snapshotKey: string;
  readonly mounts: readonly MountPoint[];
  /** By network name, in the order of connection. */
  readonly endpoints: Readonly<Record<string, EndpointRecord>>;
  readonly ports: readonly PublishedPort[];
  readonly state: ContainerState;
  readonly restartCount: number;
  /** Milliseconds of the last back-off before a restart by policy; none after a good run or a start by hand. */
  readonly restartBackoffMs?: number;
  /** What its health checks have said in this run, and their log; there once it ran with a check. */
  readonly health?: Health;
  /** Whether a person stopped it: `unless-stopped` then leaves it alone. */
  readonly manuallyStopped: boolean;
  readonly logPath: string;
  readonly runtime: string;
  /** Where its cgroups were made at its last start, as `SpecBuilder.cgroupsPath` names it. */
  readonly cgroupsPath?: string;
}

export const never = '0001-01-01T00:00:00Z';

export const initialState: ContainerState = {
  status: 'created',
  pid: 0,
  pidStartTicks: '',
  shimPid: 0,
  exitCode: 0,
  error: '',
  oomKilled: false,
  startedAt: never,
  finishedAt: never,
};

/** Whether a process of the container may be alive. */
export function isActive(state: ContainerState): boolean {
  return state.status === 'running' || state.status === 'paused';
}
