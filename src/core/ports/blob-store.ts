import type { Readable } from 'node:stream';
import type { Ctx } from '../ctx.ts';
import type { Growth } from '../growth.ts';

export interface BlobInfo {
  /** `sha256:<64 hex>`. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/** Bytes `from` (included) to `to` (excluded). */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * A blob that comes in piece by piece, in any order, and can be read while it does. What was written outlives the daemon:
 * the next one who opens the same digest goes on with it.
 */
export interface PartialBlob {
  /** The growing file, into which others write. After `commit` it is at the blob's own path. */
  readonly path: string;
  readonly growth: Growth;
  /** What is written may begin at multiples of this many bytes, and where a missing range begins. */
  readonly pieceSize: number;
  /** What has not been written, in order. */
  missing(): readonly ByteRange[];
  /** Bytes that are there, from whichever attempt. */
  present(): number;
  /** Tells what somebody has written into the file: where nothing was yet, and on from there without a gap. From then on it can be read. */
  wrote(at: number, bytes: number): void;
  /** Waits until it is whole, verifies it and makes it a blob. `invalid` when digest or size differ; then nothing is left of it. */
  commit(ctx: Ctx): Promise<BlobInfo>;
  /** Lets go of it, for the next one to go on with, or (`discard`) removes what is there. Idempotent, also after `commit`. */
  close(how: 'keep' | 'discard'): Promise<void>;
}

/** The content store: immutable bytes by digest, verified while they come in. */
export interface BlobStore {
  has(digest: string): Promise<BlobInfo | undefined>;
  /**
   * Stores what the stream holds. Fails with `invalid` when digest or size (where given) differ, and leaves nothing.
   * The same digest coming in twice at once is stored once; when the one that comes in fails, the other one takes its place.
   * `hold` is called with the digest before the blob can be seen or removed by others.
   */
  ingest(
    ctx: Ctx,
    source: Readable,
    expected: { digest?: string; size?: number; hold?: (digest: string) => Promise<void> },
  ): Promise<BlobInfo>;
  /** The bytes from `offset` up to `end` (excluded; default all); `notFound` when the blob is absent. */
  read(digest: string, offset?: number, end?: number): Promise<Readable>;
  /** The whole blob, refused with `invalid` above `limit` bytes. For manifests and configs. */
  readAll(digest: string, limit: number): Promise<Buffer>;
  /** Absolute path of the blob's file, for tools that read files. */
  path(digest: string): string;
  list(): Promise<readonly BlobInfo[]>;
  /** Succeeds when the blob is gone already. */
  remove(digest: string): Promise<void>;
  /** Opens what there is of a blob that comes in by pieces; one at a time a digest. `conflict` while it is open. */
  partial(digest: string, size: number): Promise<PartialBlob>;
  /** Makes a blob partial again: it is verified anew when it is next asked for. Succeeds when it is gone. */
  setAside(digest: string): Promise<void>;
  /** Removes what nobody has gone on with for `ms` milliseconds. Returns how many there were. */
  dropPartials(olderThanMs: number): Promise<number>;
}
