import type { Readable } from 'node:stream';
import type { Ctx } from '../ctx.ts';
import { SlipwayError } from '../errors.ts';
import type { Descriptor } from '../model/image.ts';
import type { ByteRange } from './blob-store.ts';

export interface RegistryCredentials {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

/** A repository in a registry, `docker.io` and `library/busybox`. */
export interface Repository {
  readonly domain: string;
  readonly path: string;
}

/** A registry that asks to come back later, or is in trouble: another attempt may go through. */
export class RegistryBusy extends SlipwayError {
  /** What it asked for with `Retry-After`. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs: number | undefined, cause?: unknown) {
    super('unavailable', message, cause === undefined ? undefined : { cause });
    this.retryAfterMs = retryAfterMs;
  }
}

interface BlobAnswer {
  /** Where in the blob it begins. */
  readonly from: number;
  /** Whether it is what was asked for with a range; false when the server sends everything instead. */
  readonly isRange: boolean;
}

/** Bytes of a blob as they come; the stream fails with any error when the line breaks. */
export interface BlobBody extends BlobAnswer {
  readonly stream: Readable;
}

/** Bytes of a blob that go straight into a file, past the main loop. */
export interface BlobTransfer extends BlobAnswer {
  /**
   * Writes those bytes that lie in `ranges` (in order) into a file that exists, where they lie in the blob, and tells after
   * each write what is there now. Settles once nothing is written any more. `unavailable` when the line broke before all
   * was there: what came until then is written and told. `internal` in Docker's words when the disk is full. `invalid` when there is more than the blob has.
   */
  save(
    file: string,
    ranges: readonly ByteRange[],
    onWritten: (at: number, bytes: number) => void,
  ): Promise<void>;
  /** Breaks it off. Idempotent, also when it is over. */
  cancel(): void;
}

/** Where the bytes of a push come from: a file that is the blob, another repository that has it, or whatever gives a range of it. */
export type BlobSource =
  | { readonly file: string }
  | { readonly repository: Repository; readonly credentials: RegistryCredentials | undefined }
  | { readonly open: (range: ByteRange) => Promise<Readable> };

/** One repository that a search found. */
export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
}

/** A registry over the OCI distribution protocol. Errors carry Docker's wording (`manifest unknown`, `pull access denied`, ...). */
export interface Registry {
  /** The manifest or index bytes by tag or digest, at most 4 MiB; digest verified. */
  manifest(
    ctx: Ctx,
    repository: Repository,
    reference: string,
    credentials: RegistryCredentials | undefined,
  ): Promise<{ descriptor: Descriptor; bytes: Buffer }>;
  /** Digest of what a tag or digest names, without fetching it; undefined when there is none, or when one may not look. */
  manifestDigest(
    ctx: Ctx,
    repository: Repository,
    reference: string,
    credentials: RegistryCredentials | undefined,
  ): Promise<string | undefined>;
  /** What refers to a manifest (signatures and the like): by the referrers API, else by its fallback tag. Empty when there is none. */
  referrers(
    ctx: Ctx,
    repository: Repository,
    digest: string,
    credentials: RegistryCredentials | undefined,
  ): Promise<readonly Descriptor[]>;
  /** The blob's bytes, all or a range of them; the caller verifies. What the registry lacks comes from the descriptor's `urls`. */
  blob(
    ctx: Ctx,
    repository: Repository,
    descriptor: Descriptor,
    credentials: RegistryCredentials | undefined,
    range?: ByteRange,
  ): Promise<BlobBody>;
  /** As `blob`, for large ones. */
  fetchBlob(
    ctx: Ctx,
    repository: Repository,
    descriptor: Descriptor,
    credentials: RegistryCredentials | undefined,
    range?: ByteRange,
  ): Promise<BlobTransfer>;
  tags(
    ctx: Ctx,
    repository: Repository,
    credentials: RegistryCredentials | undefined,
  ): Promise<readonly string[]>;
  /**
   * Makes sure that the blob is there: mounts, or uploads what `source` has. Returns whether bytes were sent. What comes from another
   * repository is handed through, past the main loop; `invalid` where that cannot send the parts that are needed.
   */
  pushBlob(
    ctx: Ctx,
    repository: Repository,
    descriptor: Descriptor,
    source: BlobSource,
    credentials: RegistryCredentials | undefined,
    from?: Repository,
    onProgress?: (bytes: number) => void,
  ): Promise<{ outcome: 'exists' | 'mounted' | 'uploaded' }>;
  pushManifest(
    ctx: Ctx,
    repository: Repository,
    reference: string,
    mediaType: string,
    bytes: Buffer,
    credentials: RegistryCredentials | undefined,
  ): Promise<{ digest: string }>;
  /** Whether the registry shows that a push to the repository is allowed, without one; false where it does not show it. */
  mayPush(ctx: Ctx, repository: Repository, credentials: RegistryCredentials | undefined): Promise<boolean>;
  /** Repositories whose name or description has a term. `limit`: 1 to 100. */
  search(
    ctx: Ctx,
    input: {
      readonly domain: string;
      readonly term: string;
      readonly limit: number;
      readonly credentials: RegistryCredentials | undefined;
    },
  ): Promise<readonly SearchResult[]>;
  /** Checks credentials; returns an identity token where the registry issues one. */
  login(
    ctx: Ctx,
    domain: string,
    credentials: RegistryCredentials,
  ): Promise<{ status: string; identityToken: string }>;
}
