/** Reading what is there: list, inspect, history, sizes. */

import { invalid } from '../../core/errors.ts';
import { targetOf, type HistoryEntry, type ImageRecord, type Platform } from '../../core/model/image.ts';
import { familiar } from '../../core/reference.ts';
import { nowNano, parseNano } from '../../core/time.ts';
import type { Room } from './deps.ts';
import { checkFilters, createdSeconds, imagePredicate, tagMatches } from './filters.ts';
import { listManifests } from './manifest-list.ts';
import type { Filters, HistoryItem, ImageDetails, ImageSummary, ImageUsage } from './types.ts';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
/** Names as people write them, each once, in the order of their full forms. */
const shown = (names: readonly string[]): string[] => [...new Set(names)].sort().map(familiar);

/** Bytes of the layers of some images, shared ones once. */
export function sizeOf(...records: readonly ImageRecord[]): number {
  const [only] = records;
  if (records.length === 1 && only !== undefined) return sum(only.layers.map((layer) => layer.size));
  const sizes = new Map(records.flatMap(({ layers }) => layers.map((layer) => [layer.chainId, layer.size])));
  return sum([...sizes.values()]);
}

/** How many images have each layer; platforms of one image count once. */
function layerCounts(groups: readonly (readonly ImageRecord[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const group of groups)
    for (const chainId of new Set(group.flatMap(({ layers }) => layers.map((layer) => layer.chainId))))
      counts.set(chainId, (counts.get(chainId) ?? 0) + 1);
  return counts;
}

interface ListInput {
  readonly all?: boolean;
  readonly filters?: Filters;
  readonly sharedSize?: boolean;
  readonly manifests?: boolean;
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

/** One row. `group`: an image, or its platforms with the host's first. */
function summarize(
  group: readonly ImageRecord[],
  first: ImageRecord,
  { shared, users }: Counts,
): ImageSummary {
  const layers = new Map(
    group.flatMap((record) => record.layers.map((layer) => [layer.chainId, layer.size])),
  );
  const others = group.length === 1 ? [] : group.slice(1);
  return {
    id: first.id,
    parentId: first.parent ?? '',
    repoTags: shown([first, ...others].flatMap(({ tags }) => tags)),
    repoDigests: shown([first, ...others].flatMap(({ repoDigests }) => repoDigests)),
    created: createdSeconds(first),
    size: sizeOf(...group),
    sharedSize:
      shared === undefined
        ? -1
        : sum([...layers].flatMap(([chainId, size]) => ((shared.get(chainId) ?? 0) > 1 ? [size] : []))),
    containers: sum(group.map(({ id }) => users.get(id) ?? 0)),
    labels: first.config.config?.Labels ?? {},
    descriptor: targetOf(first),
    manifests: undefined,
  };
}

export async function list(room: Room, input: ListInput): Promise<readonly ImageSummary[]> {
  const filters = input.filters ?? {};
  checkFilters(filters, ['dangling', 'label', 'label!', 'before', 'since', 'reference', 'until']);
  const groups = room.store.groups();
  const fits = imagePredicate(room.store, filters, nowNano());
  const parents = new Set(room.store.all().map((record) => record.parent));
  const isHidden = (record: ImageRecord): boolean =>
    input.all !== true &&
    record.tags.length === 0 &&
    record.repoDigests.length === 0 &&
    parents.has(record.id);
  const shared = input.sharedSize === true ? layerCounts(groups) : undefined;
  const counts = { shared, users: containerCounts(room) };
  const patterns = filters['reference'] ?? [];
  const rows = groups.flatMap((group) => {
    const fitting = group.filter((record) => !isHidden(record) && fits(record));
    const [first] = group;
    if (first === undefined || fitting.length === 0) return [];
    const named = group.map((record) => namesThatFit(record, patterns));
    return [{ group, row: summarize(named, named[0] ?? first, counts) }];
  });
  rows.sort((a, b) => b.row.created - a.row.created || (a.row.id < b.row.id ? -1 : 1));
  if (input.manifests !== true) return rows.map(({ row }) => row);
  return Promise.all(
    rows.map(async ({ group, row }) => ({ ...row, manifests: await listManifests(room, group) })),
  );
}

/** With a reference filter only the names that fit are shown. */
function namesThatFit(record: ImageRecord, patterns: readonly string[]): ImageRecord {
  if (patterns.length === 0) return record;
  const fits = (name: string): boolean => patterns.some((pattern) => tagMatches(pattern, name));
  return { ...record, tags: record.tags.filter(fits), repoDigests: record.repoDigests.filter(fits) };
}

export async function usage(room: Room): Promise<ImageUsage> {
  const images = await list(room, { all: true, sharedSize: true });
  return { layersSize: sizeOf(...room.store.all()), images };
}

export async function inspect(
  room: Room,
  reference: string,
  input: { readonly platform?: Platform; readonly manifests?: boolean } = {},
): Promise<ImageDetails> {
  if (input.platform !== undefined && input.manifests === true)
    throw invalid('conflicting options: manifests and platform options cannot both be set');
  const record = room.store.resolve(reference, input.platform);
  const top = record.layers.at(-1)?.chainId;
  const data = top === undefined ? {} : await room.snapshots.describe({ layer: top });
  return {
    record,
    repoTags: shown(record.tags),
    repoDigests: shown(record.repoDigests),
    created: record.config.created ?? '',
    size: sizeOf(record),
    descriptor: targetOf(record),
    manifests: input.manifests === true ? await listManifests(room, room.store.siblings(record)) : undefined,
    graphDriver: { name: room.snapshots.name, data },
  };
}

function seconds(created: string | undefined): number {
  return Number((parseNano(created ?? '') ?? 0n) / 1_000_000_000n);
}

/** Newest first; the layers' sizes in the order of the entries that made one. */
export async function history(
  room: Room,
  reference: string,
  platform?: Platform,
): Promise<readonly HistoryItem[]> {
  const record = room.store.resolve(reference, platform);
  const documented: readonly HistoryEntry[] = record.config.history ?? [];
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
  if (newest === undefined) return [];
  const named = { id: record.id, tags: shown(record.tags) };
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
