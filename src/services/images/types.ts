/** What the image service offers to the API, the container service and the builder. */

import type { Readable } from 'node:stream';
import type { Ctx } from '../../core/ctx.ts';
import type { ContainerConfig } from '../../core/model/container-spec.ts';
import type { Descriptor, ImageRecord, Platform } from '../../core/model/image.ts';
import type { RegistryCredentials, SearchResult } from '../../core/ports/registry.ts';

/** One message of a progress stream, with the field names of Docker's JSON messages; the API writes it as it is. */
export interface ImageProgress {
  readonly status?: string;
  /** A line for people (load). Ends with a newline. */
  readonly stream?: string;
  /** Short layer digest, or the tag in the first line of a pull. */
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  /** The bar drawn as text, for clients that do not draw their own. */
  readonly progress?: string;
  readonly aux?: unknown;
}
export type OnProgress = (message: ImageProgress) => void;

/** Filters as the API decoded them: name -> values. Unknown names are refused with `invalid filter 'x'`. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** A row of `docker images`. References are in their familiar form (`busybox:latest`). */
export interface ImageSummary {
  readonly id: string;
  readonly parentId: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  /** Seconds since the epoch. */
  readonly created: number;
  /** Bytes of all layers. */
  readonly size: number;
  /** Bytes of layers that other images have too; -1 when not asked for. */
  readonly sharedSize: number;
  /** Containers that use it; -1 when not asked for. */
  readonly containers: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The index or manifest that the names lead to in a registry; undefined for an image made here that never left. */
  readonly descriptor: Descriptor | undefined;
  /** Only when asked for. */
  readonly manifests: readonly ManifestSummary[] | undefined;
}

/** One manifest of an image's index: of a platform, or an attestation. */
export interface ManifestSummary {
  /** Its digest. */
  readonly id: string;
  readonly descriptor: Descriptor;
  /** Whether all that it names is here. */
  readonly available: boolean;
  /** Bytes in the content store. */
  readonly content: number;
  readonly kind: 'image' | 'attestation' | 'unknown';
  /** For the kind `image`; `unpacked` in bytes. */
  readonly image?: {
    readonly platform: Platform;
    readonly containers: readonly string[];
    readonly unpacked: number;
  };
  /** Digest of the manifest that an attestation speaks of. */
  readonly attestationFor?: string;
}

/** The first line of `explore`. */
export interface ExploredImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly platform: string;
  /** Bytes of all layers. */
  readonly size: number;
  /** Lowest first. */
  readonly layers: readonly {
    readonly diffId: string;
    readonly createdBy: string;
    /** Bytes of the blob that travels; 0 when it is not here. */
    readonly blobSize: number;
  }[];
}

export interface Attestation {
  readonly descriptor: Descriptor;
  /** URI of the in-toto predicate type. */
  readonly predicateType: string;
  /** The statement as it is, when asked for. */
  readonly statement?: Readonly<Record<string, unknown>>;
}

export interface ImageDetails {
  readonly record: ImageRecord;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  /** RFC 3339; empty when the image does not say. */
  readonly created: string;
  readonly size: number;
  readonly descriptor: Descriptor | undefined;
  /** Only when asked for. */
  readonly manifests: readonly ManifestSummary[] | undefined;
  /** `LowerDir`, `UpperDir` and the like, of the storage driver. */
  readonly graphDriver: { readonly name: string; readonly data: Readonly<Record<string, string>> };
}

export interface HistoryItem {
  /** Image id, or `<missing>` where no image has this state. */
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly createdBy: string;
  readonly tags: readonly string[];
  readonly size: number;
  readonly comment: string;
}

export type RemovedItem = { readonly untagged: string } | { readonly deleted: string };

/** How a container uses images; given by the container service. */
export interface ContainerUsage {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  /** The reference as the user wrote it. */
  readonly imageRef: string;
  /** Running, paused or restarting. */
  readonly active: boolean;
}

export interface PullInput {
  /** Name with or without tag or digest, as the user wrote it. */
  readonly reference: string;
  /** The API's separate `tag` parameter: a tag or a digest; overrides what `reference` says. */
  readonly tag?: string;
  /** `linux/arm64/v8`; undefined for the host's own. */
  readonly platform?: string;
  readonly credentials?: RegistryCredentials;
  readonly allTags?: boolean;
}

export interface PushInput {
  readonly reference: string;
  readonly tag?: string;
  /** Only this platform's manifest, without the index that it came with. */
  readonly platform?: Platform;
  readonly credentials?: RegistryCredentials;
  readonly allTags?: boolean;
}

export interface LoadInput {
  readonly source: Readable;
  readonly quiet?: boolean;
  /** Of images for several platforms only these; all by default. */
  readonly platforms?: readonly Platform[];
}

export interface ImportInput {
  /** An archive, or the address that one is fetched from. */
  readonly source: Readable | string;
  readonly repository?: string;
  readonly tag?: string;
  readonly message?: string;
  /** Dockerfile instructions: `CMD ["sh"]`, `ENV A=b`. */
  readonly changes?: readonly string[];
  readonly platform?: string;
}

export interface CommitInput {
  /** Uncompressed layer archive; undefined when nothing changed. */
  readonly layer: Readable | undefined;
  readonly baseImageId: string | undefined;
  /** The new image's whole config. */
  readonly config: ContainerConfig;
  readonly createdBy: string;
  readonly author?: string;
  readonly comment?: string;
  readonly repository?: string;
  readonly tag?: string;
  /** Dockerfile instructions applied on top of `config`. */
  readonly changes?: readonly string[];
}

export interface CommittedImage {
  readonly record: ImageRecord;
  /** Its name as people write it; empty without one. */
  readonly reference: string;
}

export interface PruneReport {
  readonly deleted: readonly RemovedItem[];
  /** Bytes. */
  readonly spaceReclaimed: number;
}

export interface GarbageReport {
  readonly layers: readonly string[];
  readonly blobs: readonly string[];
}

/** Something that may go, or went. */
export interface CollectStep {
  /** `archive`: the compressed form of a layer that stays. */
  readonly what: 'layer' | 'blob' | 'image' | 'archive';
  readonly id: string;
  /** Bytes that it frees, as far as is known. */
  readonly bytes: number;
  readonly reason: string;
}

export interface CollectReport {
  readonly disk: { readonly total: number; readonly free: number };
  /** The marks, as shares; `high` undefined: never by itself. */
  readonly high: number | undefined;
  readonly low: number;
  /** Bytes to free until the low mark; 0 below the high mark. */
  readonly needed: number;
  /** In the order in which they go. */
  readonly steps: readonly CollectStep[];
  readonly bytes: number;
}

export interface ImageUsage {
  /** Bytes of all layers, shared ones once. */
  readonly layersSize: number;
  /** With shared sizes and container counts. */
  readonly images: readonly ImageSummary[];
}

export interface DistributionInfo {
  readonly descriptor: Descriptor;
  readonly platforms: readonly Platform[];
}

export interface SearchInput {
  /** A word, or `registry:port/word`. */
  readonly term: string;
  /** 1 to 100; undefined for Docker's 25. */
  readonly limit?: number;
  /** is-automated, is-official, stars. */
  readonly filters: Filters;
  readonly credentials?: RegistryCredentials;
}

export interface CopyInput {
  readonly from: string;
  readonly to: string;
  /** Only this platform of an index; all by default. */
  readonly platform?: string;
  readonly fromCredentials?: RegistryCredentials;
  readonly toCredentials?: RegistryCredentials;
}

/** A manifest or an index as a registry has it. */
export interface RawManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
  /** Of an image's manifest: what its config says. */
  readonly platform?: Platform;
}

export interface PutManifestInput {
  /** Name and tag that it shall have. */
  readonly reference: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
  /** Images that the document lists and the repository may lack: copied there first. */
  readonly sources: readonly string[];
  readonly credentials?: RegistryCredentials;
}

export interface ImageService {
  /**
   * By name, name:tag, name@digest, id or unique id prefix; of several platforms the one asked for, else the host's.
   * `notFound` with `No such image: x:latest`, or when it is here for other platforms only; `invalid` on a bad reference. Instant.
   */
  resolve(reference: string, platform?: Platform): ImageRecord;
  /** As `resolve`, undefined when there is none; the nearest when none fits the platform. Instant. */
  find(reference: string, platform?: Platform): ImageRecord | undefined;
  /** By full id. Instant. */
  get(id: string): ImageRecord | undefined;
  /** Chain id of the top layer: the parent of a container's snapshot; undefined for an image without layers. */
  topLayer(record: ImageRecord): string | undefined;
  /** Newest first. Filters: reference, dangling, label, before, since, until. */
  list(input: {
    readonly all?: boolean;
    readonly filters?: Filters;
    readonly sharedSize?: boolean;
    readonly manifests?: boolean;
  }): Promise<readonly ImageSummary[]>;
  inspect(
    reference: string,
    input?: { readonly platform?: Platform; readonly manifests?: boolean },
  ): Promise<ImageDetails>;
  /** Newest first. */
  history(reference: string, platform?: Platform): Promise<readonly HistoryItem[]>;
  /** In-toto statements attached to the image of a platform (the host's by default). */
  attestations(
    reference: string,
    input: {
      readonly platform?: Platform;
      readonly types?: readonly string[];
      readonly statement?: boolean;
    },
  ): Promise<readonly Attestation[]>;
  /**
   * What each layer adds, changes, removes and hides: lines of JSON, first the image, then for each layer, lowest first,
   * its files (when asked for) and its sums. See `ExploredLine`.
   */
  explore(
    ctx: Ctx,
    reference: string,
    input: { readonly platform?: Platform; readonly files: boolean },
  ): Promise<Readable>;
  tag(
    ctx: Ctx,
    reference: string,
    target: { readonly repository: string; readonly tag?: string },
  ): Promise<void>;
  remove(
    ctx: Ctx,
    reference: string,
    options: {
      readonly force?: boolean;
      readonly noPrune?: boolean;
      /** Only these platforms of the image; its names stay while one is left. */
      readonly platforms?: readonly Platform[];
    },
  ): Promise<readonly RemovedItem[]>;
  /** Filters: dangling (default true), label, label!, until. */
  prune(ctx: Ctx, filters: Filters): Promise<PruneReport>;
  /** Resolves with the pulled image when it is usable. Cancelling the context leaves nothing behind. */
  pull(ctx: Ctx, input: PullInput, onProgress: OnProgress): Promise<ImageRecord>;
  push(ctx: Ctx, input: PushInput, onProgress: OnProgress): Promise<void>;
  /** Loads every image of a docker-archive or OCI layout. */
  load(ctx: Ctx, input: LoadInput, onProgress: OnProgress): Promise<readonly ImageRecord[]>;
  import(ctx: Ctx, input: ImportInput, onProgress: OnProgress): Promise<ImageRecord>;
  /** An archive that is both an OCI layout and a docker-archive. */
  save(ctx: Ctx, references: readonly string[], platforms?: readonly Platform[]): Promise<Readable>;
  commit(ctx: Ctx, input: CommitInput): Promise<CommittedImage>;
  usage(): Promise<ImageUsage>;
  distribution(
    ctx: Ctx,
    reference: string,
    credentials: RegistryCredentials | undefined,
  ): Promise<DistributionInfo>;
  /** Most stars first, as the index orders them. `invalid` in Docker's words for a bad limit, filter or term. */
  search(ctx: Ctx, input: SearchInput): Promise<readonly SearchResult[]>;
  /** From registry to registry, without storing anything here. Resolves with the digest at the target. */
  copy(ctx: Ctx, input: CopyInput, onProgress: OnProgress): Promise<string>;
  rawManifest(
    ctx: Ctx,
    reference: string,
    credentials: RegistryCredentials | undefined,
  ): Promise<RawManifest>;
  /** Resolves with its digest. */
  putManifest(ctx: Ctx, input: PutManifestInput): Promise<string>;
  login(
    ctx: Ctx,
    serverAddress: string,
    credentials: RegistryCredentials,
  ): Promise<{ readonly status: string; readonly identityToken: string }>;
  /** Layers and blobs that nothing refers to. */
  orphans(): Promise<GarbageReport>;
  /** What goes as the disk fills up; with `dryRun` it is only told, with `all` however full the disk is. */
  collect(ctx: Ctx, input: { readonly dryRun: boolean; readonly all: boolean }): Promise<CollectReport>;
  /** Resolves when collecting in the background is over. */
  settled(): Promise<void>;
  /** Marks from images, snapshots and work in flight, and removes the rest. */
  collectGarbage(ctx: Ctx): Promise<GarbageReport>;
}
