/** The layer explorer: the image's own facts in front of what the storage driver finds in its layers. */

import { Readable } from 'node:stream';
import type { Ctx } from '../../core/ctx.ts';
import { platformOf, type ImageRecord, type Platform } from '../../core/model/image.ts';
import { formatPlatform } from '../../core/platform.ts';
import { familiar } from '../../core/reference.ts';
import type { Room } from './deps.ts';
import { endLeaseWith } from './gc.ts';
import { sizeOf } from './list.ts';
import type { ExploredImage } from './types.ts';

async function describe(room: Room, record: ImageRecord): Promise<ExploredImage> {
  const steps = (record.config.history ?? []).filter((entry) => entry.empty_layer !== true);
  const blobs = await Promise.all(
    record.layers.map(async ({ blob }) => (blob === undefined ? undefined : room.blobs.has(blob.digest))),
  );
  return {
    id: record.id,
    repoTags: record.tags.map(familiar),
    platform: formatPlatform(platformOf(record.config)),
    size: sizeOf(record),
    layers: record.layers.map(({ diffId }, at) => ({
      diffId,
      createdBy: steps[at]?.created_by ?? '',
      blobSize: blobs[at]?.size ?? 0,
    })),
  };
}

async function* linesOf(image: ExploredImage, layers: Readable): AsyncGenerator<Buffer> {
  try {
    yield Buffer.from(`${JSON.stringify(image)}\n`);
    for await (const chunk of layers) yield chunk as Buffer;
  } finally {
    layers.destroy();
  }
}

export async function explore(
  room: Room,
  ctx: Ctx,
  reference: string,
  input: { readonly platform?: Platform; readonly files: boolean },
): Promise<Readable> {
  const record = room.store.resolve(reference, input.platform);
  const lease = room.leases.take();
  for (const { chainId } of record.layers) await lease.layer(chainId);
  try {
    const chain = record.layers.map(({ chainId }) => chainId);
    const layers = await room.snapshots.explore(ctx, chain, { files: input.files });
    const out = Readable.from(linesOf(await describe(room, record), layers), { objectMode: false });
    endLeaseWith(room, out, lease);
    return out;
  } catch (error) {
    lease.release();
    throw error;
  }
}
