import type { Ctx } from '../../core/ctx.ts';
import { invalid, isKind } from '../../core/errors.ts';
import { parseMoment } from '../../core/moment.ts';
import { parseNano, nowNano } from '../../core/time.ts';
import type { Room } from './deps.ts';
import { checkFilters, matchesLabels, pruneFilters } from './filters.ts';
import { removeContainer } from './remove.ts';
import type { Entry } from './table.ts';
import type { Filters, PruneResult } from './types.ts';

function prunable(entry: Entry, filters: Filters, before: bigint | undefined): boolean {
  const { record } = entry;
  if (!['created', 'exited', 'dead'].includes(record.state.status)) return false;
  if (before !== undefined && (parseNano(record.createdAt) ?? 0n) > before) return false;
  const labels = record.config.Labels ?? {};
  if (!matchesLabels(labels, filters['label'] ?? [])) return false;
  return (filters['label!'] ?? []).every((wanted) => !matchesLabels(labels, [wanted]));
}

/** Removes all that do not run. */
export async function pruneContainers(room: Room, ctx: Ctx, filters: Filters): Promise<PruneResult> {
  checkFilters(filters, pruneFilters);
  const [until, ...more] = filters['until'] ?? [];
  if (more.length > 0) throw invalid('more than one until filter specified');
  const before = until === undefined ? undefined : parseMoment(until, nowNano());
  const removed: string[] = [];
  let spaceReclaimed = 0;
  for (const entry of Array.from(room.table.entries())) {
    ctx.signal.throwIfAborted();
    if (!prunable(entry, filters, before)) continue;
    const size = await room.snapshots.usage(entry.record.snapshotKey).catch(() => 0);
    try {
      await removeContainer(room, ctx, entry.id, { force: false, volumes: false, link: false });
    } catch (error) {
      // Started or removed by someone else meanwhile.
      if (isKind(error, 'conflict') || isKind(error, 'notFound')) continue;
      throw error;
    }
    removed.push(entry.id);
    spaceReclaimed += size;
  }
  room.events.emit({
    type: 'container',
    action: 'prune',
    actorId: '',
    attributes: { reclaimed: String(spaceReclaimed) },
  });
  return { removed, spaceReclaimed };
}
