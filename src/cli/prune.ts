/** What the prune commands share: filters from flags and config, the report. */
import type { PruneReport } from '../client/index.ts';
import { parseFilters } from './filters.ts';
import type { Flags } from './flags/parse.ts';
import type { Io } from './io.ts';
import { humanSize4 } from './render/units.ts';

export function pruneFilters(flags: Flags): Record<string, string[]> {
  const filters = parseFilters(flags.list('filter'));
  const labels = filters['label'] ?? [];
  const not = [...(filters['label!'] ?? [])];
  return {
    ...Object.fromEntries(Object.entries(filters).filter(([name]) => name !== 'label' && name !== 'label!')),
    ...(labels.length === 0 ? {} : { label: labels }),
    ...(not.length === 0 ? {} : { 'label!': not }),
  };
}

const list = (title: string, items: readonly string[] | null | undefined): string =>
  items == null || items.length === 0 ? '' : `${title}:\n${items.join('\n')}\n\n`;

/** The objects that a prune removed, by kind; '' when there were none. */
export function prunedText(report: PruneReport): string {
  const images = (report.ImagesDeleted ?? []).map((image) =>
    image.Untagged !== undefined && image.Untagged !== ''
      ? `untagged: ${image.Untagged}`
      : `deleted: ${image.Deleted ?? ''}`,
  );
  return [
    list('Deleted Containers', report.ContainersDeleted),
    list('Deleted Networks', report.NetworksDeleted),
    list('Deleted Volumes', report.VolumesDeleted),
    list('Deleted Images', images),
    list('Deleted build cache objects', report.CachesDeleted),
  ].join('');
}

export function writeReclaimed(io: Io, bytes: number): void {
  io.stdout.write(`Total reclaimed space: ${humanSize4(bytes)}\n`);
}
