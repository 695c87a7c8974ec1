/** Reading what is there: list, inspect, history, sizes. */

import type { HistoryEntry, ImageRecord } from '../../core/model/image.ts';
import { familiar } from '../../core/reference.ts';
import { parseNano } from '../../core/time.ts';
import type { Room } from './deps.ts';
import { checkFilters, createdSeconds, imagePredicate, tagMatches } from './filters.ts';
import type { Filters, HistoryItem, ImageDetails, ImageSummary, ImageUsage } from './types.ts';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
export const sizeOf = (record: ImageRecord): number => sum(record.layers.map((layer) => layer.size));

/** How many images have each layer. */
function layerCounts(records: readonly ImageRecord[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const record of records)
    for (const { chainId } of record.layers) counts.set(chainId, (counts.get(chainId) ?? 0) + 1);
  return counts;
}

interface ListInput {
  readonly all?: boolean;
  readonly filters?: Filters;
  readonly sharedSize?: boolean;
}

interface Counts {
  /** Images that share each layer; undefined when nobody asked. */
  readonly shared: ReadonlyMap<string, number> | undefined;
  /** Containers of each image. */
  readonly users: ReadonlyMap<string, number>;
}

function containerCounts(room: Room): ReadonlyMap<string, number> {
  const users = new Map<string, number>();
  for (const { imageId } of room.containers()) users.set(imageId, (users.get(imageId) ?? 0) + 1);
  return users;
}

function summarize(record: ImageRecord, { shared, users }: Counts): ImageSummary {
  return {
    id: record.id,
    parentId: record.parent ?? '',
    repoTags: record.tags.map(familiar),
    repoDigests: record.repoDigests.map(familiar),
    created: createdSeconds(record),
    size: sizeOf(record),
    sharedSize:
      shared === undefined
        ? -1
        : sum(
            record.layers.filter((layer) => (shared.get(layer.chainId) ?? 0) > 1).map((layer) => layer.size),
          ),
    containers: users.get(record.id) ?? 0,
    labels: record.config.config?.Labels ?? {},
  };
}

export async function list(room: Room, input: ListInput): Promise<readonly ImageSummary[]> {
  const filters = input.filters ?? {};
  checkFilters(filters, ['dangling', 'label', 'label!', 'before', 'since', 'reference', 'until']);
  const records = room.store.all();
  const fits = imagePredicate(room.store, filters, Date.now() / 1000);
  const parents = new Set(records.map((record) => record.parent));
  const isHidden = (record: ImageRecord): boolean =>
    input.all !== true &&
    record.tags.length === 0 &&
    record.repoDigests.length === 0 &&
    parents.has(record.id);
  const shared = input.sharedSize === true ? layerCounts(records) : undefined;
  const counts = { shared, users: containerCounts(room) };
  const patterns = filters['reference'] ?? [];
  return records
    .filter((record) => !isHidden(record) && fits(record))
    .map((record) => summarize(namesThatFit(record, patterns), counts))
    .sort((a, b) => b.created - a.created || (a.id < b.id ? -1 : 1));
}

/** With a reference filter only the names that fit are shown. */
function namesThatFit(record: ImageRecord, patterns: readonly string[]): ImageRecord {
  if (patterns.length === 0) return record;
  const fits = (name: string): boolean => patterns.some((pattern) => tagMatches(pattern, name));
  return { ...record, tags: record.tags.filter(fits), repoDigests: record.repoDigests.filter(fits) };
}

export async function usage(room: Room): Promise<ImageUsage> {
  const records = room.store.all();
  const images = await list(room, { all: true, sharedSize: true });
  const layers = new Map(
    records.flatMap((record) => record.layers.map((layer) => [layer.chainId, layer.size])),
  );
  return { layersSize: sum([...layers.values()]), images };
}

export async function inspect(room: Room, reference: string): Promise<ImageDetails> {
  const record = room.store.resolve(reference);
  const top = record.layers.at(-1)?.chainId;
  const data = top === undefined ? {} : await room.snapshots.describe({ layer: top });
  return {
    record,
    repoTags: record.tags.map(familiar),
    repoDigests: record.repoDigests.map(familiar),
    created: record.config.created ?? '',
    size: sizeOf(record),
    graphDriver: { name: room.snapshots.name, data },
  };
}

function seconds(created: string | undefined): number {
  return Number((parseNano(created ?? '') ?? 0n) / 1_000_000_000n);
}

/** Newest first; the layers' sizes in the order of the entries that made one. */
export async function history(room: Room, reference: string): Promise<readonly HistoryItem[]> {
  const record = room.store.resolve(reference);
  const { history: entries } = record.config;
  const documented: readonly HistoryEntry[] = entries ?? record.layers.map(() => ({}));
  let layer = 0;
  const items = documented.map((entry): HistoryItem => {
    const own = entry.empty_layer === true ? undefined : record.layers[layer++];
    return {
      id: '<missing>',
      created: seconds(entry.created),
      createdBy: entry.created_by ?? '',
      tags: [],
      size: own?.size ?? 0,
      comment: entry.comment ?? '',
    };
  });
  const newestFirst = items.toReversed();
  const [newest, ...older] = newestFirst;
  const named = { id: record.id, tags: record.tags.map(familiar) };
  if (newest === undefined)
    return [
      { ...named, created: seconds(record.config.created), createdBy: '', size: sizeOf(record), comment: '' },
    ];
  return nameParents(room, record, [{ ...newest, ...named }, ...older]);
}

/** An image that was committed on top of another shows where that one ends. */
function nameParents(room: Room, record: ImageRecord, items: readonly HistoryItem[]): readonly HistoryItem[] {
  const named = [...items];
  for (let at = record; at.parent !== undefined;) {
    const parent = room.store.get(at.parent);
    if (parent === undefined) break;
    const index = items.length - (parent.config.history?.length ?? 0);
    const item = named[index];
    if (item !== undefined && index > 0)
      named[index] = { ...item, id: parent.id, tags: parent.tags.map(familiar) };
    at = parent;
  }
  return named;
}
