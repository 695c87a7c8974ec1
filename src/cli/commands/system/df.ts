/** `system df`. */
import type { DiskUsage, ImageSummary } from '../../../client/index.ts';
import { type CommandModule, noArgs } from '../../command.ts';
import type { Io } from '../../io.ts';
import { CONTAINER_TITLES, containerRow } from '../../render/container.ts';
import {
  CACHE_TABLE,
  CACHE_TITLES,
  cacheRow,
  USAGE_TABLE,
  USAGE_TITLES,
  usageStructs,
} from '../../render/disk-usage.ts';
import { IMAGE_TITLES, imageNames, imageRow } from '../../render/image.ts';
import { writeListing } from '../../render/listing.ts';
import { humanSize4 } from '../../render/units.ts';
import { VOLUME_TITLES, volumeRow } from '../../render/volume.ts';
import { type Struct, toJson } from '../../../template/index.ts';

const IMAGE_TABLE =
  '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}';
const CONTAINER_TABLE =
  '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}';
const VOLUME_TABLE = '{{.Name}}\t{{.Links}}\t{{.Size}}';

/** Under its first name only: the size counts once. */
function firstRow(image: ImageSummary, options: { truncate: boolean; now: number }): Struct {
  const [name = { repository: '<none>', tag: '<none>', digest: '' }] = imageNames(image, {
    digests: false,
    rowPerDigest: false,
  });
  return imageRow(image, { ...name, digest: '' }, options);
}

interface Rows {
  readonly images: readonly Struct[];
  readonly containers: readonly Struct[];
  readonly volumes: readonly Struct[];
  readonly cache: readonly Struct[];
}

function rowsOf(usage: DiskUsage, options: { truncate: boolean; now: number }): Rows {
  return {
    images: (usage.Images ?? []).map((image) => firstRow(image, options)),
    containers: (usage.Containers ?? []).map((c) => containerRow({ ...c, SizeRootFs: 0 }, options)),
    volumes: (usage.Volumes ?? []).map(volumeRow),
    cache: (usage.BuildCache ?? []).map((record) => cacheRow(record, options)),
  };
}

function writeVerbose(io: Io, usage: DiskUsage): void {
  const rows = rowsOf(usage, { truncate: true, now: io.now() });
  const cacheSize = (usage.BuildCache ?? []).reduce(
    (total, record) => total + (record.Shared ? 0 : record.Size),
    0,
  );
  const out = io.stdout;
  out.write('Images space usage:\n\n');
  writeListing(out, { format: '', table: IMAGE_TABLE, titles: IMAGE_TITLES, rows: rows.images });
  out.write('\nContainers space usage:\n\n');
  writeListing(out, { format: '', table: CONTAINER_TABLE, titles: CONTAINER_TITLES, rows: rows.containers });
  out.write('\nLocal Volumes space usage:\n\n');
  writeListing(out, { format: '', table: VOLUME_TABLE, titles: VOLUME_TITLES, rows: rows.volumes });
  out.write(`\nBuild cache usage: ${humanSize4(cacheSize)}\n\n`);
  writeListing(out, { format: '', table: CACHE_TABLE, titles: CACHE_TITLES, rows: rows.cache });
}

export const command: CommandModule = {
  args: noArgs,
  async run({ io, flags, client }) {
    const usage = await client().system.diskUsage();
    const format = flags.string('format');
    if (!flags.bool('verbose')) {
      writeListing(io.stdout, {
        format,
        table: USAGE_TABLE,
        titles: USAGE_TITLES,
        rows: usageStructs(usage),
      });
    } else if (format === '' || format === 'table') writeVerbose(io, usage);
    else {
      const rows = rowsOf(usage, { truncate: false, now: io.now() });
      const list = (items: readonly Struct[]): string => `[${items.map(toJson).join(',')}]`;
      io.stdout.write(
        `{"Images":${list(rows.images)},"Containers":${list(rows.containers)},"Volumes":${list(rows.volumes)},"BuildCache":${list(rows.cache)}}\n`,
      );
    }
  },
};
