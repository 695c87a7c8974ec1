import type { EventBus } from '../../core/events.ts';
import type { Logger } from '../../core/log.ts';
import type { Platform } from '../../core/model/image.ts';
import type { BlobStore } from '../../core/ports/blob-store.ts';
import type { RecordStore } from '../../core/ports/record-store.ts';
import type { Registry, RegistryCredentials, Repository } from '../../core/ports/registry.ts';
import type { RemoteFiles } from '../../core/ports/remote-files.ts';
import type { Growing, SnapshotDriver } from '../../core/ports/snapshot-driver.ts';
import type { Leases } from './leases.ts';
import type { Gate, SharedWork } from './shared-work.ts';
import type { ImageStore } from './store.ts';
import type { TrustPolicy } from './trust-policy.ts';
import type { ContainerUsage } from './types.ts';

export interface Collecting {
  readonly policy: {
    /** Shares of the file system in use; `high` undefined never collects by itself. */
    readonly high: number | undefined;
    readonly low: number;
    /** Compressed layers beside the unpacked ones; `auto` keeps them until the disk fills up. */
    readonly keepBlobs: 'always' | 'auto' | 'never';
  };
  /** Bytes of the file system that images lie on. */
  readonly diskUse: () => Promise<{ readonly total: number; readonly free: number }>;
}

/** What the composition root gives. */
export interface ImageServiceDeps {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly snapshots: SnapshotDriver;
  readonly registry: Registry;
  /** What `import` fetches by address. */
  readonly remoteFiles: RemoteFiles;
  readonly events: EventBus;
  readonly log: Logger;
  /** What containers use now. Instant. */
  readonly containers: () => readonly ContainerUsage[];
  /** The host's own. */
  readonly platform: Platform;
  /** When and what is collected as the disk fills up; by default nothing is. */
  readonly collecting?: Collecting;
  /** Pause before the second attempt at a broken download, doubled each time; default 1000. */
  readonly retryDelayMs?: number;
  /** Which images must be signed; default none. Read anew for each pull. */
  readonly trustPolicy?: () => Promise<TrustPolicy>;
  /** How many large blobs come in at once, over all pulls; default 3, as dockerd has it. */
  readonly concurrentDownloads?: number;
  /** How many blobs go out at once, over all pushes; default 5, as dockerd has it. */
  readonly concurrentUploads?: number;
}

export type DownloadProgress =
  | { readonly is: 'bytes'; readonly received: number }
  | { readonly is: 'retry'; readonly seconds: number };

/** Where blobs come from. */
export interface Source {
  readonly repository: Repository;
  readonly credentials: RegistryCredentials | undefined;
}

/** As `SnapshotDriver.unpackFile` takes it. */
export interface GrowingBlob {
  readonly file: string;
  readonly growing: Growing;
}

/** The same with what the service itself holds. */
export interface Room extends ImageServiceDeps {
  readonly collecting: Collecting;
  readonly store: ImageStore;
  readonly leases: Leases;
  readonly downloads: SharedWork<void, DownloadProgress>;
  /** What is coming in now, by digest: it can be read while it does. */
  readonly growing: Map<string, GrowingBlob>;
  /** How many blobs come in at once, over all pulls. */
  readonly gate: Gate;
  /** The same for small ones. */
  readonly smallGate: Gate;
  /** How many blobs go out at once, over all pushes. */
  readonly uploadGate: Gate;
  /** How many layers are unpacked while they come in: a slow registry must not keep all threads waiting. */
  readonly followers: Gate;
}
