/** `image layers`: Slipway's own. What each layer of an image adds, changes, removes and wastes. */
import type { ExploredFile, ExploredImage, ExploredLayer } from '../../../client/index.ts';
import { type CommandContext, type CommandModule, exactArgs } from '../../command.ts';
import { CliError } from '../../exit.ts';
import { parseBytes } from '../../flags/values.ts';
import { layerTree } from '../../render/layer-tree.ts';
import { writeListing } from '../../render/listing.ts';
import { ellipsis, humanSize, shortId } from '../../render/units.ts';
import { Struct } from '../../../template/index.ts';

interface Row extends ExploredLayer {
  readonly diffId: string;
  readonly createdBy: string;
  readonly blobSize: number;
  readonly files: ExploredFile[];
}

interface Explored {
  readonly image: ExploredImage;
  readonly rows: readonly Row[];
  /** Bytes of layers that later layers hide. */
  readonly wasted: number;
}

const TITLES = {
  Layer: 'LAYER',
  DiffID: 'DIFF ID',
  Size: 'SIZE',
  BlobSize: 'BLOB SIZE',
  Added: 'ADDED',
  Changed: 'CHANGED',
  Removed: 'REMOVED',
  Wasted: 'WASTES',
  CreatedBy: 'CREATED BY',
} as const;

async function collect(
  lines: AsyncIterable<ExploredImage | ExploredLayer | ExploredFile>,
): Promise<Explored> {
  let image: ExploredImage | undefined;
  let files: ExploredFile[] = [];
  const rows: Row[] = [];
  for await (const line of lines) {
    if ('layers' in line) image = line;
    else if ('path' in line) files.push(line);
    else {
      const facts = image?.layers[line.layer - 1] ?? { diffId: '', createdBy: '', blobSize: 0 };
      rows.push({ ...line, ...facts, files });
      files = [];
    }
  }
  if (image === undefined || rows.length !== image.layers.length)
    throw new CliError('the engine broke off before it had told all layers');
  return { image, rows, wasted: rows.reduce((total, row) => total + row.hidden, 0) };
}

/** A number of bytes (`50MB`) or a share of the image (`10%`), as bytes of an image of `size`. */
function parseLimit(text: string, size: number): number {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (percent !== null) return (Number(percent[1]) / 100) * size;
  try {
    return parseBytes(text);
  } catch {
    throw new CliError(
      `invalid argument ${JSON.stringify(text)} for --max-waste: neither a size nor a percentage`,
    );
  }
}

const percentOf = (part: number, whole: number): string =>
  whole === 0 ? '0%' : `${((part / whole) * 100).toFixed(1)}%`;

function chosenLayers(texts: readonly string[], count: number): ReadonlySet<number> {
  const numbers = texts.map((text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < 1 || number > count)
      throw new CliError(
        `no layer ${text}: the image has ${count === 1 ? '1 layer' : `layers 1 to ${count}`}`,
      );
    return number;
  });
  return new Set(numbers.length === 0 ? Array.from({ length: count }, (_, at) => at + 1) : numbers);
}

function rowStruct(row: Row, truncate: boolean): Struct {
  const sum = ({ entries, bytes }: { entries: number; bytes: number }): string =>
    entries === 0 ? '-' : `${entries} (${humanSize(bytes)})`;
  const by = row.createdBy.replaceAll(/\p{Cc}/gu, ' ');
  return new Struct('*image.layerContext', {
    Layer: () => String(row.layer),
    DiffID: () => (truncate ? shortId(row.diffId) : row.diffId),
    Size: () => humanSize(row.size),
    BlobSize: () => (row.blobSize === 0 ? 'N/A' : humanSize(row.blobSize)),
    Added: () => sum(row.added),
    Changed: () => sum(row.changed),
    Removed: () => sum(row.removed),
    Wasted: () => (row.hidden === 0 ? '-' : humanSize(row.hidden)),
    CreatedBy: () => (truncate ? ellipsis(by, 45) : by),
  });
}

/** All of it as one JSON document, sizes in bytes. */
function asJson({ image, rows, wasted }: Explored, withFiles: boolean): string {
  const layers = rows.map(({ files, hidden, ...row }) => ({
    ...row,
    wasted: hidden,
    ...(withFiles && {
      files: files.map(({ layer: _layer, hidden: own, ...file }) => ({ ...file, wasted: own })),
    }),
  }));
  const { id, repoTags, platform, size } = image;
  return `${JSON.stringify({ id, repoTags, platform, size, wasted, layers }, undefined, 2)}\n`;
}

function writeText({ io, flags }: CommandContext, explored: Explored, shown: readonly Row[]): void {
  const { image, rows, wasted } = explored;
  writeListing(io.stdout, {
    format: flags.string('format'),
    table: '{{.Layer}}\t{{.Size}}\t{{.Added}}\t{{.Changed}}\t{{.Removed}}\t{{.Wasted}}\t{{.CreatedBy}}',
    titles: TITLES,
    rows: shown.map((row) => rowStruct(row, !flags.bool('no-trunc'))),
  });
  if (flags.string('format') !== '') return;
  if (flags.bool('files'))
    for (const row of shown)
      io.stdout.write(`\nLayer ${row.layer}\n${layerTree(row.files, flags.number('depth') ?? 0)}`);
  const count = rows.length === 1 ? '1 layer' : `${rows.length} layers`;
  io.stdout.write(
    `\n${count}, ${humanSize(image.size)}; hidden by later layers: ${humanSize(wasted)} (${percentOf(wasted, image.size)})\n`,
  );
}

export const command: CommandModule = {
  args: exactArgs(1),
  async run(context) {
    const { io, flags, args, client } = context;
    const limit = flags.string('max-waste');
    parseLimit(limit === '' ? '0' : limit, 0);
    const isJson = flags.string('format') === 'json';
    const lines = await client().images.layers(args[0] ?? '', {
      platform: flags.string('platform'),
      files: flags.bool('files'),
    });
    const explored = await collect(lines);
    const numbers = chosenLayers(flags.list('layer'), explored.rows.length);
    const shown = explored.rows.filter(({ layer }) => numbers.has(layer));
    if (isJson) io.stdout.write(asJson({ ...explored, rows: shown }, flags.bool('files')));
    else writeText(context, explored, shown);
    if (limit === '') return 0;
    const most = parseLimit(limit, explored.image.size);
    if (explored.wasted <= most) return 0;
    throw new CliError(
      `${args[0] ?? ''} wastes ${humanSize(explored.wasted)} (${percentOf(explored.wasted, explored.image.size)} of ${humanSize(explored.image.size)}), more than --max-waste ${limit}`,
    );
  },
};
