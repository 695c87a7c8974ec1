import type { Readable } from 'node:stream';
import type { Ctx } from '../ctx.ts';
import type { Descriptor } from '../model/image.ts';

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

/** A registry over the OCI distribution protocol. Errors carry Docker's wording (`manifest unknown`, `pull access denied`, ...). */
export interface Registry {
  /** The manifest or index bytes by tag or digest, at most 4 MiB; digest verified. */
  manifest(
    ctx: Ctx,
    repository: Repository,
    reference: string,
    credentials: RegistryCredentials | undefined,
  ): Promise<{ descriptor: Descriptor; bytes: Buffer }>;
  /** The blob's bytes from `offset`; the caller verifies. */
  blob(
    ctx: Ctx,
    repository: Repository,
    descriptor: Descriptor,
    credentials: RegistryCredentials | undefined,
    offset?: number,
  ): Promise<Readable>;
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
    open: () => Promise<Readable>,
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
  /** Checks credentials; returns an identity token where the registry issues one. */
  login(
    ctx: Ctx,
    domain: string,
    credentials: RegistryCredentials,
  ): Promise<{ status: string; identityToken: string }>;
}
