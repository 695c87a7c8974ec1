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

/** Bytes of a blob as they come; the stream fails with any error when the line breaks. */
export interface BlobBody {
  readonly stream: Readable;
  /** Where in the blob it begins. */
  readonly from: number;
  /** Whether it is what was asked for with a range; false when the server sends everything instead. */
  readonly isRange: boolean;
}

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
  tags(
    ctx: Ctx,
    repository: Repository,
    credentials: RegistryCredentials | undefined,
  ): Promise<readonly string[]>;
  /** Makes sure that the blob is there: mounts, or uploads what `open` gives. Returns whether bytes were sent. */
  pushBlob(
    ctx: Ctx,
    repository: Repository,
    descriptor: Descriptor,
    open: (range: ByteRange) => Promise<Readable>,
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
