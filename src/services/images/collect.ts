/**
 * Collecting when the disk fills up: above the high mark what nobody needs goes, oldest first, until the low mark is
 * reached. Never what a container, work in flight or a tag leads to, and nothing that could not be had again.
 */

import type { Ctx } from '../../core/ctx.ts';
import { isErrno, isKind } from '../../core/errors.ts';
import type { ImageRecord } from '../../core/model/image.ts';
import { compressionOf } from './compression-of.ts';
import type { Room } from './deps.ts';
import { collectGarbage, findOrphans, withLease } from './gc.ts';
import { remove } from './remove.ts';
import type { CollectReport, CollectStep } from './types.ts';

/** An image without a name may be one that somebody is about to name. */
const danglingAgeMs = 24 * 3600_000;

async function orphanSteps(room: Room): Promise<CollectStep[]> {
  const { layers, blobs } = await findOrphans(room);
  const reason = 'nothing leads to it';
  const ofLayers = layers.map(async (id): Promise<CollectStep> => {
    const bytes = (await room.snapshots.layer(id))?.size ?? 0;
    return { what: 'layer', id, bytes, reason };
  });
  const ofBlobs = blobs.map(async (id): Promise<CollectStep> => {
    const bytes = (await room.blobs.has(id))?.size ?? 0;
    return { what: 'blob', id, bytes, reason };
  });
  return Promise.all([...ofLayers, ...ofBlobs]);
}

/** Bytes of layers that this image alone has. */
function ownBytes(room: Room, record: ImageRecord): number {
  const others = room.store.all().filter(({ id }) => id !== record.id);
  const shared = new Set(others.flatMap(({ layers }) => layers.map(({ chainId }) => chainId)));
  return record.layers.reduce((sum, { chainId, size }) => sum + (shared.has(chainId) ? 0 : size), 0);
}

function imageSteps(room: Room, now: number): CollectStep[] {
  const used = new Set(room.containers().map(({ imageId }) => imageId));
  const parents = new Set(room.store.all().map(({ parent }) => parent));
  const age = (record: ImageRecord): number =>
    now - Math.max(Date.parse(record.importedAt), Date.parse(record.lastTaggedAt));
  const groups = room.store
    .groups()
    .filter((group) =>
      group.every(
        (record) =>
          record.tags.length + record.repoDigests.length === 0 &&
          !used.has(record.id) &&
          !parents.has(record.id) &&
          age(record) > danglingAgeMs,
      ),
    );
  const steps = groups.flatMap((group) => group.map((record) => ({ record, old: age(record) })));
  return steps
    .sort((a, b) => b.old - a.old)
    .map(({ record }) => ({
      what: 'image',
      id: record.id,
      bytes: ownBytes(room, record),
      reason: 'it has no name and no container uses it',
    }));
}

/** Compressed layers that can be made again from the unpacked ones, those of the image that was named longest ago first. */
async function archiveSteps(room: Room): Promise<CollectStep[]> {
  const records = room.store.all().sort((a, b) => (a.lastTaggedAt < b.lastTaggedAt ? -1 : 1));
  const steps = new Map<string, CollectStep>();
  for (const { digest } of records.flatMap(({ layers }) => layers.flatMap(({ blob }) => blob ?? []))) {
    if (steps.has(digest) || room.leases.holds(`blob ${digest}`)) continue;
    const info = await room.blobs.has(digest);
    if (info === undefined) continue;
    const reason = 'its layer is unpacked, and can be packed again';
    steps.set(digest, { what: 'archive', id: digest, bytes: info.size, reason });
  }
  return [...steps.values()];
}

/**
 * Removes a layer's blob when every layer that came in it can make its archive again. Returns whether it did. Until the
 * blob is gone it is as if nothing had happened.
 */
export async function dropArchive(room: Room, ctx: Ctx, digest: string): Promise<boolean> {
  const layers = room.store
    .all()
    .flatMap((record) => record.layers.filter(({ blob }) => blob?.digest === digest));
  return await withLease(room, ctx, async (lease) => {
    for (const { chainId } of layers) await lease.layer(chainId);
    if ((await room.blobs.has(digest)) === undefined) return false;
    const file = room.blobs.path(digest);
    const compression = await compressionOf(file);
    for (const { chainId, diffId } of new Map(layers.map((layer) => [layer.chainId, layer])).values())
      if (!(await room.snapshots.remember(ctx, chainId, { file, compression, diffId }))) return false;
    await room.snapshots.sync();
    return await room.leases.unlessHeld(`blob ${digest}`, () => room.blobs.remove(digest));
  });
}

/** The same for one that may go meanwhile: the blob cannot be held against itself, and its layers may be gone already. */
async function dropArchiveIfThere(room: Room, ctx: Ctx, digest: string): Promise<boolean> {
  try {
    return await dropArchive(room, ctx, digest);
  } catch (error) {
    const isGone = [error, (error as Error).cause].some((each) => isErrno(each, 'ENOENT'));
    if (!isGone && !isKind(error, 'notFound')) throw error;
    return false;
  }
}

async function carryOut(room: Room, ctx: Ctx, step: CollectStep): Promise<boolean> {
  switch (step.what) {
    case 'layer':
      return (await collectGarbage(room, ctx, { layers: [step.id], blobs: [] })).layers.length > 0;
    case 'blob':
      return (await collectGarbage(room, ctx, { layers: [], blobs: [step.id] })).blobs.length > 0;
    case 'archive':
      return dropArchiveIfThere(room, ctx, step.id);
    case 'image':
      try {
        await remove(room, ctx, step.id, {});
        return true;
      } catch (error) {
        // It was taken into use, named or removed meanwhile.
        if (isKind(error, 'conflict') || isKind(error, 'notFound')) return false;
        throw error;
      }
  }
}

export interface CollectInput {
  readonly dryRun: boolean;
  /** Everything that may go, however full the disk is. */
  readonly all: boolean;
}

export async function collect(room: Room, ctx: Ctx, input: CollectInput): Promise<CollectReport> {
  const { policy, diskUse } = room.collecting;
  const disk = await diskUse();
  const used = disk.total - disk.free;
  const isFull = policy.high !== undefined && used >= disk.total * policy.high;
  const wanted = input.all
    ? Number.POSITIVE_INFINITY
    : isFull
      ? Math.max(0, used - disk.total * policy.low)
      : 0;
  const steps: CollectStep[] = [];
  let bytes = 0;
  const sources = [
    () => orphanSteps(room),
    () => Promise.resolve(imageSteps(room, Date.now())),
    () => (policy.keepBlobs === 'always' ? Promise.resolve([]) : archiveSteps(room)),
  ];
  for (const source of sources) {
    if (bytes >= wanted) break;
    for (const step of await source()) {
      if (bytes >= wanted || ctx.signal.aborted) break;
      if (!input.dryRun && !(await carryOut(room, ctx, step))) continue;
      steps.push(step);
      bytes += step.bytes;
    }
  }
  const needed = Number.isFinite(wanted) ? wanted : 0;
  return { disk, high: policy.high, low: policy.low, needed, steps, bytes };
}

/** Drops the blobs of all layers that can do without: for `--keep-blobs never`. */
export async function dropArchives(room: Room, ctx: Ctx): Promise<void> {
  for (const { id } of await archiveSteps(room)) {
    if (ctx.signal.aborted) return;
    await dropArchiveIfThere(room, ctx, id);
  }
}
