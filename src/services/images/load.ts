/** `docker load`: docker-archives (also old ones with linked layers) and OCI layouts, with any number of images. */

import type { Ctx } from '../../core/ctx.ts';
import { invalid, notFound, unavailable } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import {
  platformOf,
  type Descriptor,
  type ImageLayer,
  type ImageRecord,
  type Platform,
} from '../../core/model/image.ts';
import { formatPlatform, platformFit } from '../../core/platform.ts';
import { familiar } from '../../core/reference.ts';
import { ArchiveFiles } from './archive-files.ts';
import { commitImage, unpackAll, unpackLayer, type NewImage } from './assemble.ts';
import { digestOf, isObject, mediaTypes, parseImageConfig } from './config.ts';
import type { Room } from './deps.ts';
import { emitImage } from './emit.ts';
import { withLease } from './gc.ts';
import { findInLayout, normalizeTag, type Found, type FoundGroup } from './layout.ts';
import type { Lease } from './leases.ts';
import { progressBar } from './progress.ts';
import type { LoadInput, OnProgress } from './types.ts';

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];

async function findInDockerArchive(files: ArchiveFiles): Promise<FoundGroup[]> {
  const entries = await files.readJson('manifest.json');
  if (!Array.isArray(entries)) throw invalid('invalid archive: manifest.json is no list');
  const found: FoundGroup[] = [];
  for (const entry of entries) {
    if (!isObject(entry) || typeof entry['Config'] !== 'string')
      throw invalid('invalid archive: manifest.json');
    const layers = strings(entry['Layers']).map((name) => {
      const { digest, size } = files.get(name);
      return { mediaType: mediaTypes.ociLayer, digest, size };
    });
    const config = await files.readDocument(files.get(entry['Config']).digest);
    found.push({ images: [{ config, layers }], tags: strings(entry['RepoTags']).map(normalizeTag) });
  }
  return found;
}

async function findImages(files: ArchiveFiles): Promise<FoundGroup[]> {
  // `docker save` writes both since version 25; manifest.json has the full tags, index.json the manifests' digests.
  const byDocker = files.find('manifest.json') === undefined ? [] : await findInDockerArchive(files);
  const byLayout = files.find('index.json') === undefined ? [] : await findInLayout(files);
  if (byDocker.length + byLayout.length === 0)
    throw invalid('invalid archive: neither manifest.json nor index.json names an image');
  const isTwin = (one: FoundGroup, other: FoundGroup): boolean =>
    other.images.some(({ config }) => one.images.some((image) => image.config.equals(config)));
  const joined = byDocker.map((group) => {
    const twin = byLayout.find((other) => isTwin(group, other));
    return twin === undefined ? group : { ...twin, tags: [...new Set([...group.tags, ...twin.tags])] };
  });
  // An image for other platforms only stands in the index alone.
  return [...joined, ...byLayout.filter((group) => !byDocker.some((other) => isTwin(group, other)))];
}

interface Ready {
  readonly image: Found;
  readonly config: NewImage['config'];
}

/** The images of a group that can be unpacked here, and of those the ones for the platforms that are asked for. */
function choose(room: Room, group: FoundGroup, platforms: readonly Platform[]): Ready[] {
  const all = group.images.map((image) => ({ image, config: parseImageConfig(image.config) }));
  const ready = all.filter(({ config }) => config.os === room.platform.os);
  if (ready.length === 0)
    throw invalid(`cannot load ${all[0]?.config.os ?? ''} image on ${room.platform.os}`);
  if (platforms.length === 0) return ready;
  const chosen = platforms.flatMap((wanted) => {
    const fit = ({ config }: Ready): number => platformFit(wanted, platformOf(config));
    const [best] = ready.filter((each) => fit(each) >= 0).sort((a, b) => fit(b) - fit(a));
    return best ?? [];
  });
  return [...new Set(chosen)];
}

function reportLayers(
  config: NewImage['config'],
  layers: readonly Descriptor[],
  onProgress: OnProgress,
): void {
  layers.forEach((layer, index) => {
    const id = shortId(config.rootfs.diff_ids[index] ?? layer.digest);
    const { size } = layer;
    const progressDetail = { current: size, total: size };
    onProgress({ status: 'Loading layer', progressDetail, progress: progressBar(size, size), id });
  });
}

/** Plain layers one on top of the other, as they were unpacked on arrival; compressed ones side by side. */
async function placeLayers(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  files: ArchiveFiles,
  { image, config }: Ready,
): Promise<ImageLayer[]> {
  const diffIds = config.rootfs.diff_ids;
  const isPlain = image.layers.some(({ digest }) => files.isPlainLayer(digest));
  if (!isPlain || image.layers.length !== diffIds.length)
    return unpackAll(room, ctx, lease, config, image.layers);
  const layers: ImageLayer[] = [];
  for (const [at, blob] of image.layers.entries()) {
    const place = { diffId: diffIds[at] ?? '', parent: layers.at(-1)?.chainId };
    if (!files.isPlainLayer(blob.digest))
      layers.push(await unpackLayer(room, ctx, lease, { ...place, blob }));
    else if (blob.digest === place.diffId) layers.push(await files.place(ctx, lease, place));
    else
      throw invalid(
        `layer content has diff id ${blob.digest}, which is not what the image says (${place.diffId})`,
      );
  }
  return layers;
}

async function unpackOne(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  files: ArchiveFiles,
  ready: Ready,
  tags: readonly string[],
): Promise<NewImage> {
  const { image, config } = ready;
  const layers = await placeLayers(room, ctx, lease, files, ready);
  const { config: bytes, layers: _layers, ...origin } = image;
  return { ...origin, id: digestOf(bytes), config, layers, tags };
}

interface LoadedGroup {
  readonly tags: readonly string[];
  readonly records: readonly ImageRecord[];
}

/** Unpacks all images before the first is committed: a damaged archive then changes nothing. */
async function loadGroups(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  files: ArchiveFiles,
  groups: readonly { readonly tags: readonly string[]; readonly ready: readonly Ready[] }[],
  onLayers: (ready: Ready) => void,
): Promise<LoadedGroup[]> {
  const unpacked: { readonly tags: readonly string[]; readonly images: NewImage[] }[] = [];
  for (const { tags, ready } of groups) {
    const images: NewImage[] = [];
    for (const each of ready) {
      if (ctx.signal.aborted) throw unavailable('context canceled');
      images.push(await unpackOne(room, ctx, lease, files, each, tags));
      onLayers(each);
    }
    unpacked.push({ tags, images });
  }
  await room.snapshots.sync();
  const loaded: LoadedGroup[] = [];
  for (const { tags, images } of unpacked) {
    const records: ImageRecord[] = [];
    for (const image of images) records.push(await commitImage(room, image, { synced: true }));
    loaded.push({ tags, records });
  }
  return loaded;
}

export async function load(
  room: Room,
  ctx: Ctx,
  input: LoadInput,
  onProgress: OnProgress,
): Promise<readonly ImageRecord[]> {
  const platforms = input.platforms ?? [];
  const loaded = await withLease(room, ctx, async (lease) => {
    const files = await ArchiveFiles.read(room, ctx, lease, input.source);
    try {
      const found = await findImages(files);
      const groups = found.map((group) => ({ tags: group.tags, ready: choose(room, group, platforms) }));
      if (groups.every(({ ready }) => ready.length === 0))
        throw notFound(
          `the archive has no image for the requested platform (${platforms.map(formatPlatform).join(', ')})`,
        );
      return await loadGroups(room, ctx, lease, files, groups, ({ image, config }) => {
        if (input.quiet !== true) reportLayers(config, image.layers, onProgress);
      });
    } finally {
      await files.close();
    }
  });
  for (const { tags, records } of loaded) {
    if (records.length > 0)
      for (const tag of tags) onProgress({ stream: `Loaded image: ${familiar(tag)}\n` });
    for (const record of records) {
      if (tags.length === 0) onProgress({ stream: `Loaded image ID: ${record.id}\n` });
      emitImage(room, 'load', record, record.id);
    }
  }
  return loaded.flatMap(({ records }) => records);
}
