import type { Readable } from 'node:stream';
import type { Compression } from '../compression.ts';
import type { Ctx } from '../ctx.ts';

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

/**
 * Layered filesystems. Read-only layers are keyed by chain id, writable ones by a key of the caller's
 * (the container's id). Both can be listed; removing is idempotent.
 */
export interface SnapshotDriver {
  /** `overlay2`, `vfs`, ... */
  readonly name: string;
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
   * As `unpack`, from a file that may be compressed; what is read is hashed on the way. Fails with `invalid` when the
   * content is not what `diffId` says. Layers of one image may be unpacked side by side: a parent under way is waited for.
   */
  unpackFile(
    ctx: Ctx,
    input: {
      readonly file: string;
      readonly compression: Compression;
      readonly parent: string | undefined;
      readonly diffId?: string;
    },
  ): Promise<{ readonly chainId: string; readonly diffId: string; readonly size: number }>;
  hasLayer(chainId: string): Promise<boolean>;
  /** A layer's parent and size; undefined when there is no such layer. */
  layer(chainId: string): Promise<{ readonly parent: string | undefined; readonly size: number } | undefined>;
  /** The layer that a writable snapshot stands on; undefined for none, or when there is no such snapshot. */
  snapshotParent(key: string): Promise<string | undefined>;
  /** Flushes what was unpacked to disk: to be awaited before a record that needs it is committed. */
  sync(): Promise<void>;
  /** Where the files are, for `inspect`: `LowerDir`, `UpperDir` and the like. */
  describe(
    of: { readonly layer: string } | { readonly snapshot: string },
  ): Promise<Readonly<Record<string, string>>>;
  /** Makes a writable snapshot on top of a layer (undefined: empty). */
  prepare(key: string, parent: string | undefined): Promise<void>;
  /** Mounts it and returns its path; a second call while mounted returns the same path. `volatile` skips syncs: for containers that are removed on exit. */
  mount(key: string, options: { volatile: boolean }): Promise<MountedSnapshot>;
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
  /** A layer's changes as a layer archive (for save of an image whose compressed blob is gone). */
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
