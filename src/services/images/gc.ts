/** Mark and sweep over layers and blobs: what no image, snapshot or work in flight leads to is removed. */

import type { Readable } from 'node:stream';
import { backgroundCtx, type Ctx } from '../../core/ctx.ts';
import type { ImageRecord } from '../../core/model/image.ts';
import type { Room } from './deps.ts';
import type { Lease } from './leases.ts';
import type { GarbageReport } from './types.ts';

/** The blobs that an image's record leads to. */
export function blobsOf(record: ImageRecord): string[] {
  const layers = record.layers.flatMap((layer) => (layer.blob === undefined ? [] : [layer.blob.digest]));
  const attached = (record.attached ?? []).flatMap(({ descriptor, blobs }) => [descriptor, ...blobs]);
  const documents = [record.manifest, record.index, ...(record.innerIndexes ?? []), ...attached];
  return [record.id, ...layers, ...documents.flatMap((each) => (each === undefined ? [] : [each.digest]))];
}

/** Layers under containers' snapshots stay, even when their image was removed by force. */
async function snapshotLayers(room: Room): Promise<Set<string>> {
  const marked = new Set<string>();
  const { snapshots } = await room.snapshots.list();
  for (const key of snapshots) {
    let at = await room.snapshots.snapshotParent(key);
    while (at !== undefined && !marked.has(at)) {
      marked.add(at);
      at = (await room.snapshots.layer(at))?.parent;
    }
  }
  return marked;
}

interface Marks {
  readonly layers: ReadonlySet<string>;
  readonly blobs: ReadonlySet<string>;
}

function imageMarks(room: Room): Marks {
  const records = room.store.all();
  return {
    layers: new Set(records.flatMap((record) => record.layers.map((layer) => layer.chainId))),
    blobs: new Set(records.flatMap(blobsOf)),
  };
}

type Candidates = GarbageReport;

async function unreferenced(room: Room, among: Candidates): Promise<Candidates> {
  const bySnapshots = among.layers.length > 0 ? await snapshotLayers(room) : new Set<string>();
  const marks = imageMarks(room);
  return {
    layers: among.layers.filter(
      (id) => !bySnapshots.has(id) && !marks.layers.has(id) && !room.leases.holds(`layer ${id}`),
    ),
    blobs: among.blobs.filter((digest) => !marks.blobs.has(digest) && !room.leases.holds(`blob ${digest}`)),
  };
}

async function everything(room: Room): Promise<Candidates> {
  const [{ layers }, blobs] = await Promise.all([room.snapshots.list(), room.blobs.list()]);
  return { layers, blobs: blobs.map((blob) => blob.digest) };
}

export async function findOrphans(room: Room): Promise<GarbageReport> {
  return unreferenced(room, await everything(room));
}

/** Removes those of `among` (default: all there is) that nothing leads to; returns what it removed. */
export async function collectGarbage(room: Room, ctx: Ctx, among?: Candidates): Promise<GarbageReport> {
  const found = await unreferenced(room, among ?? (await everything(room)));
  const removed = { layers: [] as string[], blobs: [] as string[] };
  // Looked up again just before each removal: an image may have come in meanwhile.
  for (const id of found.layers) {
    if (imageMarks(room).layers.has(id)) continue;
    if (await room.leases.unlessHeld(`layer ${id}`, () => room.snapshots.removeLayer(id)))
      removed.layers.push(id);
  }
  for (const digest of found.blobs) {
    if (imageMarks(room).blobs.has(digest)) continue;
    if (await room.leases.unlessHeld(`blob ${digest}`, () => room.blobs.remove(digest)))
      removed.blobs.push(digest);
  }
  if (removed.layers.length + removed.blobs.length > 0) ctx.log.debug('collected garbage', removed);
  return removed;
}

/** Ends a lease, and removes what it held and nobody needs any more: an image may have been removed meanwhile. */
async function endLease(room: Room, log: Ctx['log'], lease: Lease): Promise<void> {
  try {
    await collectGarbage(room, backgroundCtx(log), lease.release());
  } catch (error) {
    log.error('cleaning up after an image operation failed', { error });
  }
}

/** Ends a lease when the stream that it is held for is closed, however that ends. */
export function endLeaseWith(room: Room, stream: Readable, lease: Lease): void {
  stream.once('close', () => void endLease(room, room.log, lease));
}

/**
 * Runs `body` with a lease; when it ends, what the lease held and no record names is removed, so that a failed pull or
 * load leaves nothing. A failure to clean up is logged: the next collection finds it again.
 */
export async function withLease<T>(room: Room, ctx: Ctx, body: (lease: Lease) => Promise<T>): Promise<T> {
  const lease = room.leases.take();
  try {
    return await body(lease);
  } finally {
    await endLease(room, ctx.log, lease);
  }
}
