/**
 * The bytes of a layer: the blob it came in while that is kept, else its archive, made again from the unpacked files and
 * checked against the diff id.
 */

import { PassThrough, pipeline, type Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { decompress } from '../../core/compression.ts';
import type { Ctx } from '../../core/ctx.ts';
import { internal } from '../../core/errors.ts';
import type { Descriptor, ImageLayer } from '../../core/model/image.ts';
import type { StagedLayer } from '../../core/ports/snapshot-driver.ts';
import { compressionOf } from './compression-of.ts';
import { mediaTypes } from './config.ts';
import type { Room } from './deps.ts';
import type { Lease } from './leases.ts';

const layerTypes = { gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd } as const;

const missing = (layer: ImageLayer): Error =>
  internal(`content of layer ${layer.diffId} is missing: pull or load the image again`);

/** What a layer can be handed on as, by its content: the kept blob, or the plain archive. */
export async function layerDescriptor(room: Room, layer: ImageLayer): Promise<Descriptor> {
  const { blob } = layer;
  if (blob !== undefined && (await room.blobs.has(blob.digest)) !== undefined) {
    const compression = await compressionOf(room.blobs.path(blob.digest));
    const mediaType =
      compression === 'gzip' || compression === 'zstd' ? layerTypes[compression] : mediaTypes.ociLayer;
    return { mediaType, digest: blob.digest, size: blob.size };
  }
  const size = (await room.snapshots.layer(layer.chainId))?.archiveSize;
  if (size === undefined) throw missing(layer);
  return { mediaType: mediaTypes.ociLayer, digest: layer.diffId, size };
}

/** Whether the layer can be handed on. */
export async function hasContent(room: Room, layer: ImageLayer): Promise<boolean> {
  if (layer.blob !== undefined && (await room.blobs.has(layer.blob.digest)) !== undefined) return true;
  return (await room.snapshots.layer(layer.chainId))?.archiveSize !== undefined;
}

/** The plain archive of a layer. */
export async function plainLayer(room: Room, ctx: Ctx, layer: ImageLayer): Promise<Readable> {
  const { blob, chainId } = layer;
  if ((await room.snapshots.layer(chainId))?.archiveSize !== undefined)
    return room.snapshots.diffLayer(ctx, chainId);
  if (blob === undefined || (await room.blobs.has(blob.digest)) === undefined) throw missing(layer);
  const compression = await compressionOf(room.blobs.path(blob.digest));
  return decompress(await room.blobs.read(blob.digest), compression);
}

/**
 * The layer with a compressed blob in the content store, as it travels: the one it came in, or one made now. The same
 * layer gives the same bytes each time, but not those of whoever compressed it first: its digest is a new one then.
 */
export async function compressedLayer(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  layer: ImageLayer,
): Promise<ImageLayer> {
  await lease.layer(layer.chainId);
  if (layer.blob !== undefined) await lease.blob(layer.blob.digest);
  const present = layer.blob === undefined ? undefined : await room.blobs.has(layer.blob.digest);
  const isPacked = present !== undefined && (await compressionOf(room.blobs.path(present.digest))) !== 'none';
  if (isPacked) return layer;
  const plain = await plainLayer(room, ctx, layer);
  const packed = createGzip({ level: 6, chunkSize: 256 << 10 });
  const out = new PassThrough({ highWaterMark: 1 << 20 });
  pipeline(plain, packed, out, () => {});
  const { digest, size } = await room.blobs.ingest(ctx, out, { hold: (found) => lease.blob(found) });
  return { ...layer, blob: { mediaType: mediaTypes.dockerLayer, digest, size } };
}

/**
 * Makes a staged layer one on top of `parent`. The caller holds a lease on it. It needs no blob, since its archive can be
 * made again; one that it is known by already stays, so that what was pulled is pushed with the same digest.
 */
export async function publishStaged(
  room: Room,
  staged: StagedLayer,
  parent: string | undefined,
  chainId: string,
): Promise<ImageLayer> {
  await room.snapshots.publish(staged, parent);
  const { diffId } = staged;
  const size = (await room.snapshots.layer(chainId))?.size ?? staged.size;
  const known = room.store.all().flatMap(({ layers }) => layers.filter((each) => each.chainId === chainId));
  const blob = known.find((layer) => layer.blob !== undefined)?.blob;
  return { diffId, chainId, size, ...(blob !== undefined && { blob }) };
}
