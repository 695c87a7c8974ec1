import type { Readable } from 'node:stream';
import type { Ctx } from '../ctx.ts';

export interface BlobInfo {
  /** `sha256:<64 hex>`. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/** The content store: immutable bytes by digest, verified while they come in. */
export interface BlobStore {
  has(digest: string): Promise<BlobInfo | undefined>;
  /**
   * Stores what the stream holds. Fails with `invalid` when digest or size (where given) differ, and leaves nothing.
   * The same digest coming in twice at once is stored once.
   */
  ingest(ctx: Ctx, source: Readable, expected: { digest?: string; size?: number }): Promise<BlobInfo>;
  /** The bytes from `offset`; `notFound` when the blob is absent. */
  read(digest: string, offset?: number): Promise<Readable>;
  /** The whole blob, refused with `invalid` above `limit` bytes. For manifests and configs. */
  readAll(digest: string, limit: number): Promise<Buffer>;
  /** Absolute path of the blob's file, for tools that read files. */
  path(digest: string): string;
  list(): Promise<readonly BlobInfo[]>;
  /** Succeeds when the blob is gone already. */
  remove(digest: string): Promise<void>;
}
