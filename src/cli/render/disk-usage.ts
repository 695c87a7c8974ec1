/** Disk usage as sums, and the tables of `system df -v`. */
import type { BuildCacheRecord, ContainerSummary, DiskUsage, ImageSummary } from '../../client/index.ts';
import { Struct } from '../../template/index.ts';
import { humanDuration, humanSize4, localTime, shortId } from './units.ts';

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);

/** Stopped containers give their space back. */
const isActive = ({ State }: ContainerSummary): boolean =>
  ['running', 'paused', 'restarting'].includes(State);

interface Row {
  readonly type: string;
  readonly count: number;
  readonly active: number;
  readonly size: number;
  readonly reclaimable: number;
  readonly percent: boolean;
}

function imagesRow(images: readonly ImageSummary[], layersSize: number): Row {
  const used = images.filter((image) => image.Containers > 0);
  const inUse = sum(
    used.filter((i) => i.Size !== -1 && i.SharedSize !== -1).map((i) => i.Size - i.SharedSize),
  );
  return {
    type: 'Images',
    count: images.length,
    active: used.length,
    size: layersSize,
    reclaimable: layersSize - inUse,
    percent: true,
  };
}

function usageRows(usage: DiskUsage): Row[] {
  const containers = usage.Containers ?? [];
  const volumes = usage.Volumes ?? [];
  const cache = usage.BuildCache ?? [];
  const images = usage.Images ?? [];
  const volumeSize = (unused: boolean): number =>
    sum(
      volumes
        .filter((v) => (v.UsageData?.Size ?? -1) !== -1 && (!unused || v.UsageData?.RefCount === 0))
        .map((v) => v.UsageData?.Size ?? 0),
    );
  return [
    imagesRow(images, usage.LayersSize ?? sum(images.map((image) => image.Size))),
    {
      type: 'Containers',
      count: containers.length,
      active: containers.filter(isActive).length,
      size: sum(containers.map((c) => c.SizeRw ?? 0)),
      reclaimable: sum(containers.filter((c) => !isActive(c)).map((c) => c.SizeRw ?? 0)),
      percent: true,
    },
    {
      type: 'Local Volumes',
      count: volumes.length,
      active: volumes.filter((v) => (v.UsageData?.RefCount ?? 0) > 0).length,
      size: volumeSize(false),
      reclaimable: volumeSize(true),
      percent: true,
    },
    {
      type: 'Build Cache',
      count: cache.length,
      active: cache.filter((record) => record.InUse).length,
      size: sum(cache.filter((record) => !record.Shared).map((record) => record.Size)),
      reclaimable: sum(
        cache.filter((record) => !record.InUse && !record.Shared).map((record) => record.Size),
      ),
      percent: false,
    },
  ];
}

function reclaimable(row: Row): string {
  const size = humanSize4(row.reclaimable);
  return row.percent && row.size > 0 ? `${size} (${Math.trunc((row.reclaimable * 100) / row.size)}%)` : size;
}

export const USAGE_TITLES = {
  Type: 'TYPE',
  TotalCount: 'TOTAL',
  Active: 'ACTIVE',
  Size: 'SIZE',
  Reclaimable: 'RECLAIMABLE',
} as const;
export const USAGE_TABLE = '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}';

export const usageStructs = (usage: DiskUsage): Struct[] =>
  usageRows(usage).map(
    (row) =>
      new Struct('*formatter.diskUsageContext', {
        Active: () => String(row.active),
        Reclaimable: () => reclaimable(row),
        Size: () => humanSize4(row.size),
        TotalCount: () => String(row.count),
        Type: () => row.type,
      }),
  );

export const CACHE_TITLES = {
  ID: 'CACHE ID',
  CacheType: 'CACHE TYPE',
  Size: 'SIZE',
  CreatedSince: 'CREATED',
  LastUsedSince: 'LAST USED',
  UsageCount: 'USAGE',
  Shared: 'SHARED',
} as const;
export const CACHE_TABLE =
  '{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}';

export function cacheRow(
  record: BuildCacheRecord,
  options: { readonly truncate: boolean; readonly now: number },
): Struct {
  const since = (text: string | null | undefined): string =>
    text == null ? '' : `${humanDuration(options.now - Date.parse(text))} ago`;
  return new Struct('*formatter.buildCacheContext', {
    CacheType: () => record.Type,
    CreatedAt: () => localTime(Date.parse(record.CreatedAt)),
    CreatedSince: () => since(record.CreatedAt),
    Description: () => record.Description,
    ID: () => `${options.truncate ? shortId(record.ID) : record.ID}${record.InUse ? '*' : ''}`,
    InUse: () => String(record.InUse),
    LastUsedAt: () => (record.LastUsedAt == null ? '' : localTime(Date.parse(record.LastUsedAt))),
    LastUsedSince: () => since(record.LastUsedAt),
    Parent: () =>
      (record.Parents ?? (record.Parent === undefined || record.Parent === '' ? [] : [record.Parent])).join(
        ', ',
      ),
    Shared: () => String(record.Shared),
    Size: () => humanSize4(record.Size),
    UsageCount: () => String(record.UsageCount),
  });
}
