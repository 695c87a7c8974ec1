/** `images --tree`: each image with its platforms below it. */
import type { ImageManifest, ImageSummary } from '../../client/index.ts';
import type { Sink } from '../io.ts';
import { alignColumns } from './table.ts';
import { humanSize, shortId } from './units.ts';

interface Line {
  readonly name: string;
  readonly id: string;
  readonly usage: number;
  readonly content: number;
  readonly isUsed: boolean;
}

function platformOf(manifest: ImageManifest): string {
  const platform = manifest.ImageData?.Platform;
  if (platform === undefined) return manifest.Kind;
  const { os, architecture, variant = '' } = platform;
  return [os, architecture, variant].filter((part) => part !== '').join('/');
}

const describe = ({ name, id, usage, content, isUsed }: Line): string =>
  [name, shortId(id), humanSize(usage), humanSize(content), isUsed ? 'U' : ''].join('\t');

const isInUse = (manifest: ImageManifest): boolean => (manifest.ImageData?.Containers.length ?? 0) > 0;

/** With `all` also attestations, and platforms that the index names but that are not here. */
function imageLines(image: ImageSummary, all: boolean): string[] {
  const manifests = image.Manifests ?? [];
  const shown = manifests.filter((each) => all || (each.Kind === 'image' && each.Available));
  const total = (of: (manifest: ImageManifest) => number): number =>
    manifests.reduce((sum, manifest) => sum + of(manifest), 0);
  const content = total((manifest) => manifest.Size.Content);
  const names = image.RepoTags?.length ? image.RepoTags : ['<untagged>'];
  const head = names.map((name) =>
    describe({ name, id: image.Id, usage: image.Size + content, content, isUsed: manifests.some(isInUse) }),
  );
  return [
    ...head,
    ...shown.map((manifest, at) =>
      describe({
        name: `${at === shown.length - 1 ? '└─' : '├─'} ${platformOf(manifest)}`,
        id: manifest.ID,
        usage: manifest.Size.Total,
        content: manifest.Size.Content,
        isUsed: isInUse(manifest),
      }),
    ),
  ];
}

export function writeImageTree(out: Sink, images: readonly ImageSummary[], all: boolean): void {
  const header = ['IMAGE', 'ID', 'DISK USAGE', 'CONTENT SIZE', 'EXTRA'].join('\t');
  const lines = images.flatMap((image) => imageLines(image, all));
  const text = alignColumns([header, ...lines].join('\n'));
  out.write(
    `${text
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n')}\n`,
  );
}
