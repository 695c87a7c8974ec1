import { createHash } from 'node:crypto';
import type { ContainerConfig } from './container-spec.ts';

/** A content descriptor of the OCI image specification. */
export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:<64 hex>`. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly urls?: readonly string[];
  readonly artifactType?: string;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
}

export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** An image's configuration document (OCI image config, with Docker's extra fields), as stored in the content store. */
export interface ImageConfig {
  readonly created?: string;
  readonly author?: string;
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly config?: ContainerConfig;
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] };
  readonly history?: readonly HistoryEntry[];
  readonly docker_version?: string;
  readonly comment?: string;
}

/** One layer of an unpacked image. */
export interface ImageLayer {
  /** Digest of the uncompressed archive. */
  readonly diffId: string;
  /** Digest over this layer and all below it: the snapshot's key. */
  readonly chainId: string;
  /** Bytes that the unpacked layer takes. */
  readonly size: number;
  /** The blob it came from, when known. */
  readonly blob?: Descriptor;
}

/**
 * A manifest that came in the same index as an image and is none itself: an attestation, a signature, any artifact.
 * It is kept byte for byte and handed on with the image.
 */
export interface AttachedManifest {
  /** As the index lists it; its annotations say what it belongs to. */
  readonly descriptor: Descriptor;
  /** Its config and layers. All of them are in the content store. */
  readonly blobs: readonly Descriptor[];
}

/**
 * One image of one platform, committed only after its layers are on disk. Images of several platforms that came with the
 * same index are one record each, with the same `index`, and share their tags and repository digests.
 */
export interface ImageRecord {
  /** Digest of the config document: what `docker images -q --no-trunc` prints. */
  readonly id: string;
  readonly config: ImageConfig;
  readonly layers: readonly ImageLayer[];
  /** Normalized references with a tag: `docker.io/library/busybox:latest`. */
  readonly tags: readonly string[];
  /** `docker.io/library/busybox@sha256:...`: where it was pulled from or pushed to. */
  readonly repoDigests: readonly string[];
  /** The manifest as it came or was pushed; undefined for an image made here that never left. */
  readonly manifest?: Descriptor;
  /** The index that the name led to, when it was no manifest. */
  readonly index?: Descriptor;
  /** Indexes between `index` and `manifest`, outermost first, where indexes lie within indexes. */
  readonly innerIndexes?: readonly Descriptor[];
  /** What else of the index belongs to this image (or to no image in particular) and is here. */
  readonly attached?: readonly AttachedManifest[];
  /** RFC 3339. */
  readonly importedAt: string;
  readonly lastTaggedAt: string;
  readonly parent?: string;
}

/** What a name of the image leads to in a registry: the index or, without one, the manifest. */
export function targetOf(record: ImageRecord): Descriptor | undefined {
  return record.index ?? record.manifest;
}

/** The platform that an image's config names. */
export function platformOf(config: ImageConfig): Platform {
  const { os, architecture, variant } = config;
  return { os, architecture, ...(variant !== undefined && variant !== '' && { variant }) };
}

/** Annotations by which BuildKit marks what belongs to another manifest of the index. */
export const referenceAnnotations = {
  type: 'vnd.docker.reference.type',
  digest: 'vnd.docker.reference.digest',
  attestation: 'attestation-manifest',
} as const;

/** The chain id of a layer on top of `parent` (OCI image spec: DiffID and ChainID). */
export function chainIdOf(parent: string | undefined, diffId: string): string {
  if (parent === undefined) return diffId;
  return `sha256:${createHash('sha256').update(`${parent} ${diffId}`).digest('hex')}`;
}

/** The chain ids of a stack of layers, lowest first. */
export function chainIdsOf(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) chain.push(chainIdOf(chain.at(-1), diffId));
  return chain;
}
