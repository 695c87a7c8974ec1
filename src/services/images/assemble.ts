/**
 * The last steps that load, pull, import and commit share: unpack the layers, make sure that all is on disk, and only
 * then commit the record. The caller holds a lease on everything and cleans up after a failure.
 */

import { backgroundCtx, type Ctx } from '../../core/ctx.ts';
import { invalid } from '../../core/errors.ts';
import {
  chainIdOf,
  chainIdsOf,
  type Descriptor,
  type ImageConfig,
  type ImageLayer,
  type ImageRecord,
} from '../../core/model/image.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import { allOrNone } from './all-or-none.ts';
import { compressionOf } from './compression-of.ts';
import type { Room } from './deps.ts';
import { blobsOf, collectGarbage } from './gc.ts';
import type { Lease } from './leases.ts';
import { planTag } from './store.ts';

/** Where an image came from: its manifest, and the index with all that belongs to the image in it. */
export type Origin = Pick<ImageRecord, 'manifest' | 'index' | 'innerIndexes' | 'attached'>;

export interface NewImage extends Origin {
  readonly id: string;
  readonly config: ImageConfig;
  readonly layers: readonly ImageLayer[];
  readonly tags: readonly string[];
  readonly repoDigests?: readonly string[];
  readonly parent?: string;
}

/** All of it from one source: a new manifest does not go with the index that an older one came with. */
function originOf(image: Origin, old: Origin | undefined): Origin {
  const { manifest, index, innerIndexes, attached } = image.manifest === undefined ? (old ?? {}) : image;
  return {
    ...pick('manifest', manifest),
    ...pick('index', index),
    ...pick('innerIndexes', innerIndexes),
    ...pick('attached', attached),
  };
}

export async function unpackLayer(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  input: {
    readonly diffId: string;
    readonly parent: string | undefined;
    readonly blob: Descriptor;
    /** As `SnapshotDriver.unpackFile` has it. */
    readonly parentReady?: Promise<unknown> | undefined;
    readonly read?: SharedArrayBuffer;
  },
): Promise<ImageLayer> {
  const { diffId, parent, blob, parentReady, read } = input;
  const chainId = chainIdOf(parent, diffId);
  await lease.layer(chainId);
  const there = await room.snapshots.layer(chainId);
  if (there !== undefined) return { diffId, chainId, size: there.size, blob };
  const file = room.blobs.path(blob.digest);
  const compression = await compressionOf(file);
  const done = await room.snapshots.unpackFile(ctx, {
    file,
    compression,
    parent,
    diffId,
    ...(parentReady !== undefined && { parentReady }),
    ...(read !== undefined && { read }),
  });
  return { diffId, chainId, size: done.size, blob };
}

/** All layers of an image, side by side. */
export function unpackAll(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  config: ImageConfig,
  blobs: readonly Descriptor[],
): Promise<ImageLayer[]> {
  const diffIds = config.rootfs.diff_ids;
  if (blobs.length !== diffIds.length)
    throw invalid(
      `invalid manifest, layers length mismatch: expected ${blobs.length}, got ${diffIds.length}`,
    );
  const chain = chainIdsOf(diffIds);
  return allOrNone(
    ctx,
    blobs.map(
      (blob, index) => (own: Ctx) =>
        unpackLayer(room, own, lease, { diffId: diffIds[index] ?? '', parent: chain[index - 1], blob }),
    ),
  );
}

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])];

/**
 * Commits the record, or adds tags and digests to the one that is there already. `synced`: the caller has seen to it that
 * the layers are on disk.
 */
export async function commitImage(
  room: Room,
  image: NewImage,
  { synced = false }: { readonly synced?: boolean } = {},
): Promise<ImageRecord> {
  if (!synced) await room.snapshots.sync();
  const at = formatNano(nowNano());
  let old: ImageRecord | undefined;
  await room.store.change(() => {
    old = room.store.get(image.id);
    const base: ImageRecord = {
      id: image.id,
      config: image.config,
      layers: image.layers,
      tags: old?.tags ?? [],
      repoDigests: union(old?.repoDigests ?? [], image.repoDigests ?? []),
      importedAt: old?.importedAt ?? at,
      lastTaggedAt: old?.lastTaggedAt ?? at,
      ...originOf(image, old),
      ...pick('parent', image.parent ?? old?.parent),
    };
    return planTag(room.store, base, image.tags, at);
  });
  const record = room.store.get(image.id);
  if (record === undefined) throw invalid(`image ${image.id} was removed while it came in`);
  // The same image with other blobs (compressed, uncompressed): those that it had before are of no more use.
  if (old !== undefined)
    await collectGarbage(room, backgroundCtx(room.log), { layers: [], blobs: blobsOf(old) });
  return record;
}

function pick<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}
