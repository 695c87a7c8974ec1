/** From a tag or digest to one image's manifest: through indexes, with what is attached to it; all kept as it came. */

import { Readable } from 'node:stream';
import type { Ctx } from '../../core/ctx.ts';
import { invalid, toSlipwayError } from '../../core/errors.ts';
import {
  referenceAnnotations,
  type AttachedManifest,
  type Descriptor,
  type Platform,
} from '../../core/model/image.ts';
import type { Room, Source } from './deps.ts';
import { download } from './download.ts';
import type { Lease } from './leases.ts';
import { choosePlatform, parseDocument, type Document, type Manifest } from './manifests.ts';

export interface Fetched {
  /** What the tag or digest named: an index or a manifest. */
  readonly top: Descriptor;
  /** Indexes below `top`, outermost first. */
  readonly innerIndexes: readonly Descriptor[];
  /** The entries of the index that lists the manifest. */
  readonly siblings: readonly Descriptor[];
  readonly manifest: Manifest;
  readonly descriptor: Descriptor;
}

/** Indexes within indexes: more levels than anybody has use for. A circle would need a broken hash. */
const maxDepth = 4;
/** Attestations are documents; something larger is not fetched unasked. */
const maxAttached = 32 << 20;
const maxAttachments = 64;

/** One document, kept so that push and save can hand on exactly what came. */
async function fetchDocument(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  source: Source,
  reference: string,
): Promise<{ readonly descriptor: Descriptor; readonly document: Document }> {
  const { repository, credentials } = source;
  const { descriptor, bytes } = await room.registry.manifest(ctx, repository, reference, credentials);
  const document = parseDocument(bytes, descriptor.mediaType);
  await lease.blob(descriptor.digest);
  await room.blobs.ingest(ctx, Readable.from([bytes]), { digest: descriptor.digest, size: bytes.length });
  return { descriptor, document };
}

export async function fetchManifest(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  source: Source,
  name: string,
  platform: Platform,
): Promise<Fetched> {
  const above: Descriptor[] = [];
  let siblings: readonly Descriptor[] = [];
  let wanted: Descriptor | undefined;
  while (above.length < maxDepth) {
    const { descriptor, document } = await fetchDocument(room, ctx, lease, source, wanted?.digest ?? name);
    if (wanted !== undefined && wanted.size !== descriptor.size)
      throw invalid(`unexpected size ${descriptor.size}, expected ${wanted.size}, of ${wanted.digest}`);
    if (document.is === 'manifest') {
      const [top = descriptor, ...innerIndexes] = above;
      return { top, innerIndexes, siblings, manifest: document.manifest, descriptor };
    }
    above.push(descriptor);
    siblings = document.manifests;
    wanted = choosePlatform(document.manifests, platform);
  }
  throw invalid('invalid manifest: indexes within indexes');
}

/** Attestations of the manifest. One that cannot be had is left out: the image is none the worse. */
export async function fetchAttached(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  source: Source,
  { siblings, descriptor: image }: Fetched,
): Promise<AttachedManifest[]> {
  const own = siblings.filter(
    (each) =>
      each.annotations?.[referenceAnnotations.digest] === image.digest && each.digest !== image.digest,
  );
  const found: AttachedManifest[] = [];
  for (const entry of own.slice(0, maxAttachments)) {
    try {
      const { document } = await fetchDocument(room, ctx, lease, source, entry.digest);
      if (document.is !== 'manifest') continue;
      const blobs = [document.manifest.config, ...document.manifest.layers];
      if (blobs.reduce((sum, blob) => sum + blob.size, 0) > maxAttached) continue;
      for (const blob of blobs) {
        await lease.blob(blob.digest);
        await download(room, ctx, source, blob, () => {});
      }
      found.push({ descriptor: entry, blobs });
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      ctx.log.warn('an attestation could not be fetched', {
        digest: entry.digest,
        error: toSlipwayError(error).message,
      });
    }
  }
  return found;
}
