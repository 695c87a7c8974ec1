/**
 * The parts of the engine's answers that clients of this package read. Fields that old engines leave out are optional;
 * what is not listed still arrives and can be read as JSON.
 */

export interface Port {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

export interface ContainerSummary {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  /** Seconds since the epoch. */
  readonly Created: number;
  readonly Ports: readonly Port[];
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly State: string;
  readonly Status: string;
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, unknown>> } | null;
  readonly ImageManifestDescriptor?: { readonly platform?: unknown } | null;
  readonly Mounts?: readonly {
    readonly Type?: string;
    readonly Name?: string;
    readonly Source?: string;
    readonly Driver?: string;
  }[];
}

export interface ContainerInspect {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly Restarting: boolean;
    readonly ExitCode: number;
    readonly Error?: string;
  };
  readonly Config: {
    readonly Tty?: boolean;
    readonly OpenStdin?: boolean;
    readonly AttachStdin?: boolean;
    readonly StdinOnce?: boolean;
    readonly Env?: readonly string[] | null;
  };
  readonly HostConfig?: { readonly AutoRemove?: boolean };
  readonly NetworkSettings: {
    readonly Ports?: Readonly<
      Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>
    > | null;
  };
}

export interface Created {
  readonly Id: string;
  readonly Warnings: readonly string[] | null;
}

export interface WaitResult {
  readonly StatusCode: number;
  readonly Error?: { readonly Message?: string } | null;
}

export interface ContainerTop {
  readonly Titles: readonly string[] | null;
  readonly Processes: readonly (readonly string[])[] | null;
}

export interface FilesystemChange {
  readonly Path: string;
  /** 0 changed, 1 added, 2 deleted. */
  readonly Kind: number;
}

/** What `X-Docker-Container-Path-Stat` holds; `mode` uses Go's file mode bits. */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}

export interface ImageSummary {
  readonly Id: string;
  readonly ParentId?: string;
  readonly RepoTags: readonly string[] | null;
  readonly RepoDigests: readonly string[] | null;
  readonly Created: number;
  readonly Size: number;
  readonly SharedSize: number;
  readonly Containers: number;
  readonly Labels?: Readonly<Record<string, string>> | null;
  /** Only when asked for. */
  readonly Manifests?: readonly ImageManifest[];
}

/** A platform of an image, or something attached to it. */
export interface ImageManifest {
  readonly ID: string;
  readonly Available: boolean;
  readonly Kind: string;
  readonly Size: { readonly Content: number; readonly Total: number };
  readonly ImageData?: {
    readonly Platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
    readonly Containers: readonly string[];
    readonly Size: { readonly Unpacked: number };
  } | null;
  readonly AttestationData?: { readonly For: string } | null;
}

/** Lines of the engine's own `/slipway/images/{name}/layers`, sizes in bytes. The image comes first. */
export interface ExploredImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly platform: string;
  readonly size: number;
  readonly layers: readonly {
    readonly diffId: string;
    readonly createdBy: string;
    readonly blobSize: number;
  }[];
}

interface ExploredSum {
  readonly entries: number;
  readonly bytes: number;
}

export interface ExploredLayer {
  /** From 1, lowest first. */
  readonly layer: number;
  readonly size: number;
  readonly added: ExploredSum;
  readonly changed: ExploredSum;
  readonly removed: ExploredSum;
  /** Bytes of lower layers that it replaces or removes. */
  readonly hidden: number;
}

export interface ExploredFile {
  readonly layer: number;
  readonly path: string;
  readonly kind: 'added' | 'changed' | 'removed';
  readonly type: string;
  readonly size: number;
  readonly hidden: number;
}

/** Answer of the engine's own `/slipway/images/collect`, in bytes. */
export interface CollectReport {
  readonly disk: { readonly total: number; readonly free: number };
  /** Shares of the disk; none when the engine does not collect by itself. */
  readonly high?: number;
  readonly low: number;
  readonly needed: number;
  readonly steps: readonly {
    readonly what: string;
    readonly id: string;
    readonly bytes: number;
    readonly reason: string;
  }[];
  readonly bytes: number;
}

export interface ImageHistoryItem {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

export interface ImageRemoved {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

export interface ImageSearchResult {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
  readonly is_automated?: boolean;
}

export interface NetworkSummary {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly EnableIPv4?: boolean;
  readonly EnableIPv6?: boolean;
  readonly Internal: boolean;
  readonly Labels?: Readonly<Record<string, string>> | null;
}

export interface VolumeSummary {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly Scope: string;
  readonly CreatedAt?: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly Options?: Readonly<Record<string, string>> | null;
  readonly Status?: unknown;
  readonly UsageData?: { readonly Size: number; readonly RefCount: number } | null;
}

export interface BuildCacheRecord {
  readonly ID: string;
  readonly Parent?: string;
  readonly Parents?: readonly string[] | null;
  readonly Type: string;
  readonly Description: string;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
  readonly CreatedAt: string;
  readonly LastUsedAt?: string | null;
  readonly UsageCount: number;
}

export interface DiskUsage {
  readonly LayersSize?: number;
  readonly Images: readonly ImageSummary[] | null;
  readonly Containers: readonly ContainerSummary[] | null;
  readonly Volumes: readonly VolumeSummary[] | null;
  readonly BuildCache: readonly BuildCacheRecord[] | null;
}

export interface PruneReport {
  readonly ContainersDeleted?: readonly string[] | null;
  readonly ImagesDeleted?: readonly ImageRemoved[] | null;
  readonly NetworksDeleted?: readonly string[] | null;
  readonly VolumesDeleted?: readonly string[] | null;
  readonly CachesDeleted?: readonly string[] | null;
  readonly SpaceReclaimed?: number;
}

export interface EngineVersion {
  readonly Platform?: { readonly Name: string };
  readonly Components?: readonly {
    readonly Name: string;
    readonly Version: string;
    readonly Details?: Readonly<Record<string, string>> | null;
  }[];
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion?: string;
  readonly GitCommit: string;
  readonly GoVersion: string;
  readonly Os: string;
  readonly Arch: string;
  readonly KernelVersion?: string;
  readonly Experimental?: boolean;
  readonly BuildTime?: string;
}

export interface EventMessage {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> | null };
  readonly scope?: string;
  readonly time: number;
  readonly timeNano: number;
}

/** One line of a pull, push, load or import. */
export interface ProgressMessage {
  readonly id?: string;
  readonly status?: string;
  readonly stream?: string;
  readonly progress?: string;
  readonly progressDetail?: {
    readonly current?: number;
    readonly total?: number;
    readonly hidecounts?: boolean;
    readonly units?: string;
  };
  readonly error?: string;
  readonly errorDetail?: { readonly code?: number; readonly message?: string };
  readonly aux?: unknown;
}

export interface ExecInspect {
  readonly ID: string;
  readonly Running: boolean;
  readonly ExitCode: number | null;
  readonly Pid: number;
}

export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly serveraddress?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

export interface LoginResult {
  readonly Status: string;
  readonly IdentityToken?: string;
}

/** A document of a registry, with Slipway's `manifest` commands. */
export interface RawManifest {
  readonly Descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number };
  /** Base64. */
  readonly Content: string;
  readonly Platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}
