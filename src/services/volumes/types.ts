/** What the volume service offers to the API and the container service. */

import type { Ctx } from '../../core/ctx.ts';
import type { StringMap } from '../../core/model/container-spec.ts';
import type { VolumeRecord } from '../../core/model/volume.ts';

/** Filters as the API decoded them: name -> values. */
export type VolumeFilters = Readonly<Record<string, readonly string[]>>;

export interface CreateVolumeInput {
  /** Empty or undefined: an anonymous name of 64 hex digits. */
  readonly name?: string;
  /** Default `local`. */
  readonly driver?: string;
  readonly options?: StringMap;
  readonly labels?: StringMap;
}

/** Which containers use a volume; given by the container service. */
export interface VolumeUse {
  readonly containerId: string;
  readonly volumeName: string;
}

export interface VolumeUsage {
  readonly record: VolumeRecord;
  /** Bytes; -1 where it cannot be known. */
  readonly size: number;
  readonly references: number;
}

export interface VolumePruneReport {
  readonly deleted: readonly string[];
  readonly spaceReclaimed: number;
}

export interface VolumeService {
  /** Makes it, or returns the existing one; an existing one of another driver is a `conflict`. */
  create(ctx: Ctx, input: CreateVolumeInput): Promise<VolumeRecord>;
  /** For a container: as `create`, and says whether the volume is new. `anonymous` marks a made-up name. */
  ensure(
    ctx: Ctx,
    input: CreateVolumeInput & { readonly anonymous?: boolean },
  ): Promise<{ readonly record: VolumeRecord; readonly created: boolean }>;
  /** `notFound` with `get x: no such volume`. Instant. */
  inspect(name: string): VolumeRecord;
  /** Instant. */
  find(name: string): VolumeRecord | undefined;
  /** Filters: name, driver, label, dangling. By name. */
  list(filters?: VolumeFilters): readonly VolumeRecord[];
  /** `conflict` with `remove x: volume is in use - [id, ...]`. With `force` a missing volume is no error. */
  remove(ctx: Ctx, name: string, options: { readonly force?: boolean }): Promise<void>;
  /** Unused anonymous volumes; all unused ones with the filter `all=true`. Filters: label, label!, all. */
  prune(ctx: Ctx, filters: VolumeFilters): Promise<VolumePruneReport>;
  /** Makes the data reachable for one container and returns its host path. Paired with `unmount`; both emit nothing: the caller knows what it is for. */
  mount(ctx: Ctx, name: string, containerId: string): Promise<{ readonly path: string }>;
  /** Idempotent. */
  unmount(ctx: Ctx, name: string, containerId: string): Promise<void>;
  /**
   * Copies what the image has at the mount's place into a volume that is still empty; owner and mode of the
   * directory itself too. `imageRoot` is the mounted root filesystem, `pathInImage` is resolved inside it. No-op when
   * the volume holds something or the path is absent or no directory.
   * @returns whether the image has a directory there.
   */
  copyUp(
    ctx: Ctx,
    input: { readonly name: string; readonly imageRoot: string; readonly pathInImage: string },
  ): Promise<boolean>;
  usage(): Promise<readonly VolumeUsage[]>;
}
