import type { Ctx } from '../../core/ctx.ts';
import { isKind } from '../../core/errors.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { Room } from './deps.ts';
import { checkFilters, checkValues, compilePatterns, listFilters, matches } from './filters.ts';
import { shownHealth } from './health-rules.ts';
import { statusText } from './status-text.ts';
import type { Entry } from './table.ts';
import type { ContainerSizes, ContainerSummary, ListInput } from './types.ts';

/** Bytes of the writable layer, and with the image's. */
export async function sizesOf(room: Room, record: ContainerRecord): Promise<ContainerSizes> {
  const rw = await room.snapshots.usage(record.snapshotKey);
  const layers = room.images.get(record.imageId)?.layers ?? [];
  return { rw, rootFs: rw + layers.reduce((sum, layer) => sum + layer.size, 0) };
}

/** The image as the user named it, or its id when that name now means another image. */
function shownImage(room: Room, record: ContainerRecord): string {
  return room.images.find(record.imageRef)?.id === record.imageId ? record.imageRef : record.imageId;
}

function descendsFrom(room: Room, record: ContainerRecord, reference: string): boolean {
  const wanted = room.images.find(reference);
  if (wanted === undefined) return false;
  if (wanted.id === record.imageId) return true;
  const layers = room.images.get(record.imageId)?.layers ?? [];
  const top = wanted.layers.at(-1);
  return top !== undefined && layers.some((layer) => layer.chainId === top.chainId);
}

const newestFirst = (a: Entry, b: Entry): number =>
  a.record.createdAt < b.record.createdAt ? 1 : a.record.createdAt > b.record.createdAt ? -1 : 0;

function chosen(room: Room, input: ListInput): readonly Entry[] {
  const { filters } = input;
  // A reference that names nothing is an error for these two.
  for (const ref of [...(filters['before'] ?? []), ...(filters['since'] ?? [])]) room.table.resolve(ref);
  const patterns = compilePatterns(filters);
  const everything =
    input.all ||
    input.limit > 0 ||
    (filters['status'] ?? []).length > 0 ||
    (filters['exited'] ?? []).length > 0 ||
    (filters['before'] ?? []).length > 0 ||
    (filters['since'] ?? []).length > 0;
  const entries = [...room.table.entries()].filter(({ record }) => {
    const running = ['running', 'paused', 'restarting'].includes(record.state.status);
    if (!everything && !running) return false;
    return matches(record, filters, {
      patterns,
      health: shownHealth(record)?.status ?? 'none',
      isFrom: (reference) => descendsFrom(room, record, reference),
      resolve: (ref) => room.table.resolve(ref).record,
    });
  });
  entries.sort(newestFirst);
  return input.limit > 0 ? entries.slice(0, input.limit) : entries;
}

/** Containers, newest first. */
export async function listContainers(
  room: Room,
  _ctx: Ctx,
  input: ListInput,
): Promise<readonly ContainerSummary[]> {
  checkFilters(input.filters, listFilters);
  checkValues(input.filters);
  const now = Date.now();
  const summaries: ContainerSummary[] = [];
  for (const { record } of chosen(room, input)) {
    const health = shownHealth(record);
    summaries.push({
      record,
      status: statusText(record, health?.status, now),
      image: shownImage(room, record),
      health,
      sizes: input.size ? await sizesOrGone(room, record) : undefined,
    });
  }
  return summaries;
}

async function sizesOrGone(room: Room, record: ContainerRecord): Promise<ContainerSizes | undefined> {
  try {
    return await sizesOf(room, record);
  } catch (error) {
    // Removed while the list was made.
    if (room.table.get(record.id) === undefined || isKind(error, 'notFound')) return undefined;
    throw error;
  }
}
