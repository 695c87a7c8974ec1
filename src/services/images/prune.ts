/** `docker image prune`. */

import type { Ctx } from '../../core/ctx.ts';
import { invalid } from '../../core/errors.ts';
import type { ImageRecord } from '../../core/model/image.ts';
import { nowNano } from '../../core/time.ts';
import type { Room } from './deps.ts';
import { booleanFilter, checkFilters, imagePredicate } from './filters.ts';
import { deleteImage } from './remove.ts';
import type { Filters, PruneReport, RemovedItem } from './types.ts';

export async function prune(room: Room, ctx: Ctx, filters: Filters): Promise<PruneReport> {
  checkFilters(filters, ['dangling', 'label', 'label!', 'until']);
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true;
  const { dangling: _dangling, ...rest } = filters;
  if ((filters['until']?.length ?? 0) > 1) throw invalid('more than one until filter specified');
  const fits = imagePredicate(room.store, rest, nowNano());
  // An image is in use in all its platforms when one of them is.
  const isUsed = (record: ImageRecord): boolean => {
    const ids = new Set(room.store.siblings(record).map(({ id }) => id));
    return room.containers().some((container) => ids.has(container.imageId));
  };
  const deleted: RemovedItem[] = [];
  const before = layersOf(room);
  const candidates = room.store
    .all()
    .filter((record) => fits(record) && !isUsed(record) && !(danglingOnly && record.tags.length > 0));
  // An image goes after those that stand on it: parents wait for the next round.
  for (
    let left = candidates, round: ImageRecord[] = [];
    left.length > 0 && !ctx.signal.aborted;
    left = round
  ) {
    const parents = new Set(room.store.all().map(({ parent }) => parent));
    round = left.filter(({ id }) => parents.has(id));
    if (round.length === left.length) break;
    for (const record of left) {
      // Looked at again: what was free may have been taken.
      if (parents.has(record.id) || isUsed(record) || ctx.signal.aborted) continue;
      deleted.push(...(await deleteImage(room, ctx, record, { force: true, noPrune: false, quiet: true })));
    }
  }
  const after = layersOf(room);
  let spaceReclaimed = 0;
  for (const [chainId, size] of before) if (!after.has(chainId)) spaceReclaimed += size;
  room.events.emit({
    type: 'image',
    action: 'prune',
    actorId: '',
    attributes: { reclaimed: String(spaceReclaimed) },
  });
  return { deleted, spaceReclaimed };
}

function layersOf(room: Room): Map<string, number> {
  return new Map(
    room.store.all().flatMap((record) => record.layers.map((layer) => [layer.chainId, layer.size] as const)),
  );
}
