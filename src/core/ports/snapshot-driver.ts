import type { Readable } from 'node:stream';
import type { Compression } from '../compression.ts';
import type { Ctx } from '../ctx.ts';
import type { IdMapping } from '../model/id-mapping.ts';

export interface MountedSnapshot {
  /** Absolute path of the container's root filesystem. */
  readonly path: string;
}

export type ChangeKind = 'modified' | 'added' | 'deleted';

export interface FileChange {
  /** Absolute path inside the container. */
  readonly path: string;
  readonly kind: ChangeKind;
}

/** Files and directories of one kind of change. */
export interface ExploredSum {
  readonly entries: number;
  /** Bytes of files: those that came, or those that a removal hides. */
  readonly bytes: number;
}

/** What one layer does to the layers below it. */
export interface ExploredLayer {
  /** From 1, lowest first. */
  readonly layer: number;
  /** Bytes of its own files. */
  readonly size: number;
  readonly added: ExploredSum;
  readonly changed: ExploredSum;
  readonly removed: ExploredSum;
  /** Bytes of lower layers that it replaces or removes: they are stored and sent, and nobody sees them. */
  readonly hidden: number;
}

export interface ExploredFile {
  readonly layer: number;
  /** Absolute path in the image. */
  readonly path: string;
  readonly kind: 'added' | 'changed' | 'removed';
  readonly type: 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo' | 'other';
  readonly size: number;
  readonly hidden: number;
}

/** A layer that is unpacked but stands on nothing yet, and is not listed. Plain data: it can be kept and handed back. */
export interface StagedLayer {
  /** The driver's own name for it. */
  readonly key: string;
  readonly diffId: string;
  /** Bytes of its files. */
  readonly size: number;
  /** Bytes of its archive. */
  readonly archiveSize: number;
  /** Directories that the archive uses without holding them (byte strings). */
  readonly implicit: readonly string[];
}

/** A file that is still being written, and is moved when it is whole. */
export interface Growing {
  /** As `Growth.shared`. */
  readonly growth: SharedArrayBuffer;
  readonly movedTo: string;
}

/** Where a runtime will mount something: what has to exist there. */
export interface MountPlace {
  /** Absolute path in the container. */
  readonly path: string;
  readonly kind: 'directory' | 'file';
  /** Of a directory; 0755 unless given. */
  readonly mode?: number;
}

/**
 * Layered filesystems. Read-only layers are keyed by chain id, writable ones by a key of the caller's
 * (the container's id). Both can be listed; removing is idempotent.
 */
export interface SnapshotDriver {
  /** `overlay2`, `vfs`, ... */
  readonly name: string;
  /** Why `prepare` cannot limit a snapshot's size, in Docker's words; undefined where it can. */
  readonly unlimited: string | undefined;
  /** Facts for `info`: backing filesystem and the like, in order. */
  status(): readonly (readonly [string, string])[];
  /**
   * Unpacks an uncompressed layer archive on top of `parent` (a chain id, or undefined for the lowest layer) under
   * the key `chainId`. Entries that would leave the layer's root are refused with `invalid`. Whiteouts follow the OCI image spec.
   * Nothing is visible until all is unpacked; doing it again for an existing key is a no-op that drains the stream.
   * @returns bytes taken by the layer's files.
   */
  unpack(ctx: Ctx, chainId: string, parent: string | undefined, archive: Readable): Promise<{ size: number }>;
  /**
   * As `unpack`, from a file that may be compressed (undefined: the first bytes tell) and may still be coming in; what is read is hashed on the way. Fails with `invalid` when the
   * content is not what `diffId` says. Layers of one image may be unpacked side by side: a parent under way is waited for.
   */
  unpackFile(
    ctx: Ctx,
    input: {
      readonly file: string;
      readonly compression?: Compression;
      readonly growing?: Growing;
      /** Told how many bytes of the file have been read; as `Growth.shared`. */
      readonly read?: SharedArrayBuffer;
      /** Awaited before the layer is put on top of `parent`, which may still be on its way to `unpackFile`. */
      readonly parentReady?: Promise<unknown>;
      readonly parent: string | undefined;
      readonly diffId?: string;
    },
  ): Promise<{ readonly chainId: string; readonly diffId: string; readonly size: number }>;
  /**
   * Unpacks an uncompressed archive while it comes in, before anybody knows what it will stand on. Its archive can be made
   * again from then on. What is neither published nor discarded goes when the driver is opened the next time.
   */
  stage(ctx: Ctx, archive: Readable): Promise<StagedLayer>;
  /** Makes a staged layer a layer on top of `parent`; a no-op when that is there already. Returns its chain id. */
  publish(staged: StagedLayer, parent: string | undefined): Promise<string>;
  /** Removes a staged layer. Idempotent, also after it was published. */
  discard(staged: StagedLayer): Promise<void>;
  hasLayer(chainId: string): Promise<boolean>;
  /** A layer's parent and size; undefined when there is no such layer. `archiveSize`: when its archive can be made again. */
  layer(chainId: string): Promise<
    | {
        readonly parent: string | undefined;
        readonly size: number;
        readonly archiveSize: number | undefined;
      }
    | undefined
  >;
  /**
   * Remembers what is needed to make a layer's archive again, from the file that it came in. Returns whether that works:
   * then nobody needs the file any more.
   */
  remember(
    ctx: Ctx,
    chainId: string,
    archive: { readonly file: string; readonly compression: Compression; readonly diffId: string },
  ): Promise<boolean>;
  /** The layer that a writable snapshot stands on; undefined for none, or when there is no such snapshot. */
  snapshotParent(key: string): Promise<string | undefined>;
  /** Flushes what was unpacked to disk: to be awaited before a record that needs it is committed. */
  sync(): Promise<void>;
  /** Where the files are, for `inspect`: `LowerDir`, `UpperDir` and the like. */
  describe(
    of: { readonly layer: string } | { readonly snapshot: string },
  ): Promise<Readonly<Record<string, string>>>;
  /**
   * Makes a writable snapshot on top of a layer (undefined: empty). The driver may lay those `places` that the layer lacks below the snapshot,
   * so that nobody has to make them in it; they are no changes then. `size`: bytes that it may hold (with overlay2 its own, with btrfs and
   * vfs with those of its layers); beyond that a writer gets ENOSPC or EDQUOT. `invalid` where `unlimited` says why not.
   */
  prepare(
    key: string,
    parent: string | undefined,
    options?: { readonly places?: readonly MountPlace[]; readonly size?: number | undefined },
  ): Promise<void>;
  /** Makes changes of a mounted snapshot out of the places that were laid below it, as if they had been made in it. Idempotent. */
  ownPlaces(key: string): Promise<void>;
  /**
   * Mounts it and returns its path; a second call while mounted returns the same path. `volatile` skips syncs: for containers that
   * are removed on exit. `ids`: files show the host's ids of a container with this mapping, which must be the engine's own; what is
   * mounted otherwise is mounted anew. What the host's root makes there then belongs to nobody inside until it gets an owner.
   */
  mount(
    key: string,
    options: { readonly volatile: boolean; readonly ids?: IdMapping | undefined },
  ): Promise<MountedSnapshot>;
  /** Idempotent. */
  unmount(key: string): Promise<void>;
  /** As `unmount`, at some time soon; a `mount` before that finds it mounted. Failures are logged. */
  release(key: string): void;
  /** Resolves when all that was released has been unmounted. */
  settle(): Promise<void>;
  /** Path where `mount` puts it, without mounting. */
  mountPath(key: string): string;
  /** What the writable snapshot changed against its parent (lstat order, parents first). */
  changes(ctx: Ctx, key: string): Promise<readonly FileChange[]>;
  /** The writable snapshot's changes as a layer archive with OCI whiteouts; without the absolute paths in `omit` and what is below them. */
  diff(ctx: Ctx, key: string, options?: { readonly omit?: readonly string[] }): Promise<Readable>;
  /**
   * A layer as an archive: the very same that it was unpacked from when `layer` gives an `archiveSize` (the stream fails
   * when its files were tampered with), else one with the same content.
   */
  diffLayer(ctx: Ctx, chainId: string): Promise<Readable>;
  /**
   * What each of these layers (chain ids, lowest first) adds, changes and removes: lines of JSON, for each layer its files
   * (`ExploredFile`, when asked for) and then its sums (`ExploredLayer`). `notFound` for a layer that is not there.
   */
  explore(ctx: Ctx, chainIds: readonly string[], options: { readonly files: boolean }): Promise<Readable>;
  /** Bytes in the writable snapshot. */
  usage(key: string): Promise<number>;
  /** Keys on disk: layers (chain ids) and writable snapshots. */
  list(): Promise<{ layers: readonly string[]; snapshots: readonly string[] }>;
  removeSnapshot(key: string): Promise<void>;
  removeLayer(chainId: string): Promise<void>;
}
