import type { EventBus } from '../../core/events.ts';
import type { KeyedQueue } from '../../core/keyed-queue.ts';
import type { Logger } from '../../core/log.ts';
import type { IdMapping } from '../../core/model/id-mapping.ts';
import type { Platform } from '../../core/model/image.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import type { Host } from '../../core/ports/host.ts';
import type { LogDriver } from '../../core/ports/log-driver.ts';
import type { RecordStore } from '../../core/ports/record-store.ts';
import type { Runtime } from '../../core/ports/runtime.ts';
import type { SnapshotDriver } from '../../core/ports/snapshot-driver.ts';
import type { SpecBuilder, UnitChange } from '../../core/ports/spec-builder.ts';
import type { ImageService } from '../images/index.ts';
import type { ContainerNetworking, NetworkVerbs } from '../networks/index.ts';
import type { VolumeService } from '../volumes/index.ts';
import type { ContainerTable, Entry } from './table.ts';

export interface ContainerOptions {
  readonly dataRoot: string;
  readonly runRoot: string;
  readonly instance: string;
  readonly defaultRuntime: string;
  /** Names that `--runtime` may give. */
  readonly runtimes: readonly string[];
  /** Static init program for `--init`; undefined when the host has none. */
  readonly initPath: string | undefined;
  /** `--init` for containers that do not say. */
  readonly defaultInit: boolean;
  readonly defaultLogDriver: string;
  readonly defaultLogOptions: Readonly<Record<string, string>>;
  /** Bytes; undefined for Docker's 64 MiB. */
  readonly defaultShmSize?: number | undefined;
  readonly defaultIpcMode?: 'private' | 'shareable';
  /** Undefined chooses by the cgroup layout. */
  readonly defaultCgroupnsMode?: 'private' | 'host' | undefined;
  /** The ids of containers that do not ask for the host's users; undefined: all have the host's. */
  readonly idMapping?: IdMapping | undefined;
  /** Bytes that a container may write into its root filesystem, unless it says otherwise; undefined for no limit. */
  readonly defaultWritableSize?: number | undefined;
  readonly platform: Platform;
}

/** What of the host this room calls. */
export type ContainerHost = Pick<
  Host,
  | 'mount'
  | 'unmount'
  | 'openInRoot'
  | 'closeFd'
  | 'processStat'
  | 'cgroupLayout'
  | 'mounts'
  | 'createUserNamespace'
  | 'syncfs'
>;

export interface ContainerDeps {
  readonly host: ContainerHost;
  readonly attributes: FileAttributes;
  readonly records: RecordStore;
  readonly snapshots: SnapshotDriver;
  readonly runtime: Runtime;
  readonly specs: SpecBuilder;
  readonly images: ImageService;
  readonly volumes: VolumeService;
  readonly networks: ContainerNetworking & Pick<NetworkVerbs, 'connect' | 'disconnect'>;
  /** By the names of `--log-driver`. */
  readonly logDrivers: ReadonlyMap<string, LogDriver>;
  /** Moves a file or tree out of sight, to be deleted later; succeeds when it is gone. */
  readonly discard: (path: string) => Promise<void>;
  /** Tells systemd of limits that changed, where it keeps the containers' cgroups. */
  readonly changeUnit: (change: UnitChange) => Promise<void>;
  readonly events: EventBus;
  readonly log: Logger;
  readonly options: ContainerOptions;
}

/** Deps together with the room's own memory; every verb takes this. */
export interface Room extends ContainerDeps {
  readonly table: ContainerTable;
  /** One transition at a time per container id. */
  readonly queue: KeyedQueue;
  /** The start of a restart policy, inside the container's queue; given here because exits lead to starts and starts to exits. */
  readonly startAgain: (entry: Entry) => Promise<void>;
  /** Ends the run of a container whose health check failed, when its restart policy asks for that; given here for the same reason. */
  readonly endUnhealthy: (entry: Entry) => Promise<void>;
}
