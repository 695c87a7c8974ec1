/** What a push sends: blobs, then manifests, then the document that the tag shall name. */

import { Readable } from 'node:stream';
import type { Ctx } from '../../core/ctx.ts';
import { internal, isKind } from '../../core/errors.ts';
import type { Descriptor, ImageLayer, ImageRecord } from '../../core/model/image.ts';
import { digestOf, maxDocument, mediaTypes } from './config.ts';
import type { Room } from './deps.ts';
import { compressedLayer } from './layer-content.ts';
import type { Lease } from './leases.ts';
import { parseDocument } from './manifests.ts';

export interface PushDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

export interface PushPlan {
  /** What the tag shall name. */
  readonly top: PushDocument;
  /** What has to be there before it, innermost first. */
  readonly below: readonly PushDocument[];
  /** Each once. */
  readonly blobs: readonly Descriptor[];
  /** The image's layers as they travel: compressed. */
  readonly layers: readonly ImageLayer[];
  /** The image's own manifest. */
  readonly manifest: Descriptor;
  /** The index that is not sent, because not all it lists is here. */
  readonly insteadOf: Descriptor | undefined;
}

/** Layers that only their own addresses may hand out. */
export const isForeign = (blob: Descriptor): boolean =>
  /\.foreign\.|nondistributable/.test(blob.mediaType) && (blob.urls?.length ?? 0) > 0;

interface Gathered {
  readonly documents: PushDocument[];
  readonly blobs: Map<string, Descriptor>;
}

async function documentOf(room: Room, digest: string): Promise<Buffer | undefined> {
  try {
    return await room.blobs.readAll(digest, maxDocument);
  } catch (error) {
    if (isKind(error, 'notFound')) return undefined;
    throw error;
  }
}

/** A document and all it leads to; false when something of it is not here. */
async function gather(room: Room, at: Descriptor, into: Gathered, depth = 0): Promise<boolean> {
  const bytes = depth > 4 ? undefined : await documentOf(room, at.digest);
  if (bytes === undefined) return false;
  const document = parseDocument(bytes, at.mediaType);
  if (document.is === 'index') {
    for (const each of document.manifests) if (!(await gather(room, each, into, depth + 1))) return false;
  } else {
    const blobs = [...document.manifest.layers, document.manifest.config];
    const here = await Promise.all(
      blobs.map(async (blob) => isForeign(blob) || (await room.blobs.has(blob.digest)) !== undefined),
    );
    if (here.includes(false)) return false;
    for (const blob of blobs) into.blobs.set(blob.digest, blob);
  }
  into.documents.push({ descriptor: { mediaType: at.mediaType, digest: at.digest, size: at.size }, bytes });
  return true;
}

async function planOf(
  room: Room,
  record: ImageRecord,
  top: Descriptor,
  insteadOf: Descriptor | undefined,
): Promise<PushPlan | undefined> {
  const gathered: Gathered = { documents: [], blobs: new Map() };
  if (!(await gather(room, top, gathered))) return undefined;
  const last = gathered.documents.pop();
  if (last === undefined) return undefined;
  return {
    top: last,
    below: gathered.documents,
    blobs: [...gathered.blobs.values()],
    layers: record.layers,
    manifest: record.manifest ?? top,
    insteadOf,
  };
}

/** A new manifest for an image that has none, or whose manifest names what is not here any more. */
async function newManifest(room: Room, ctx: Ctx, lease: Lease, record: ImageRecord): Promise<PushPlan> {
  const layers: ImageLayer[] = [];
  for (const layer of record.layers) layers.push(await compressedLayer(room, ctx, lease, layer));
  const configSize = (await room.blobs.has(record.id))?.size;
  if (configSize === undefined) throw internal(`config of image ${record.id} is missing`);
  const config: Descriptor = { mediaType: mediaTypes.dockerConfig, digest: record.id, size: configSize };
  const blobs = layers.flatMap(({ blob }) =>
    blob === undefined ? [] : [{ mediaType: mediaTypes.dockerLayer, digest: blob.digest, size: blob.size }],
  );
  const body = { schemaVersion: 2, mediaType: mediaTypes.dockerManifest, config, layers: blobs };
  const bytes = Buffer.from(JSON.stringify(body));
  const descriptor = { mediaType: mediaTypes.dockerManifest, digest: digestOf(bytes), size: bytes.length };
  await lease.blob(descriptor.digest);
  await room.blobs.ingest(ctx, Readable.from([bytes]), { digest: descriptor.digest });
  const unique = new Map([...blobs, config].map((blob) => [blob.digest, blob]));
  return {
    top: { descriptor, bytes },
    below: [],
    blobs: [...unique.values()],
    layers,
    manifest: descriptor,
    insteadOf: undefined,
  };
}

/**
 * The index that the image came with, as long as all it lists is here (`single`: never); else the manifest it came with;
 * else a new one. What is sent again has the digest that it came with.
 */
export async function planPush(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  record: ImageRecord,
  single: boolean,
): Promise<PushPlan> {
  const { index, manifest } = record;
  if (index !== undefined && !single) {
    const whole = await planOf(room, record, index, undefined);
    if (whole !== undefined) return whole;
  }
  const own =
    manifest === undefined ? undefined : await planOf(room, record, manifest, single ? undefined : index);
  return own ?? (await newManifest(room, ctx, lease, record));
}
