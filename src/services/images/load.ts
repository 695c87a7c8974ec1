/** `docker load`: docker-archives (also old ones with linked layers) and OCI layouts, with any number of images. */

import type { Ctx } from '../../core/ctx.ts';
import { invalid, isKind, unavailable } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import type { Descriptor, ImageRecord } from '../../core/model/image.ts';
import { familiar, formatReference, parseReference, withDefaultTag } from '../../core/reference.ts';
import { ArchiveFiles } from './archive-files.ts';
import { commitImage, unpackAll, type NewImage } from './assemble.ts';
import { digestOf, isObject, mediaTypes, parseImageConfig } from './config.ts';
import type { Room } from './deps.ts';
import { emitImage } from './emit.ts';
import { withLease } from './gc.ts';
import type { Lease } from './leases.ts';
import { choosePlatform, parseDescriptor, parseDocument } from './manifests.ts';
import { progressBar } from './progress.ts';
import type { LoadInput, OnProgress } from './types.ts';

/** One image of an archive, before anything is unpacked. */
interface Found {
  readonly config: Buffer;
  readonly layers: readonly Descriptor[];
  readonly tags: readonly string[];
  readonly manifest?: Descriptor;
}

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];

const normalizeTag = (text: string): string => formatReference(withDefaultTag(parseReference(text)));

async function findInDockerArchive(files: ArchiveFiles): Promise<Found[]> {
  const entries = await files.readJson('manifest.json');
  if (!Array.isArray(entries)) throw invalid('invalid archive: manifest.json is no list');
  const found: Found[] = [];
  for (const entry of entries) {
    if (!isObject(entry) || typeof entry['Config'] !== 'string')
      throw invalid('invalid archive: manifest.json');
    const layers = strings(entry['Layers']).map((name) => {
      const { digest, size } = files.get(name);
      return { mediaType: mediaTypes.ociLayer, digest, size };
    });
    const config = await files.readDocument(files.get(entry['Config']).digest);
    found.push({ config, layers, tags: strings(entry['RepoTags']).map(normalizeTag) });
  }
  return found;
}

/** Tags of an OCI layout: the full name that containerd and BuildKit write, or a bare tag, which names nothing alone. */
function tagsOf(descriptor: Descriptor): string[] {
  const name = descriptor.annotations?.['io.containerd.image.name'];
  const reference = name ?? descriptor.annotations?.['org.opencontainers.image.ref.name'] ?? '';
  const isName = name !== undefined || /[/:]/.test(reference);
  if (!isName || reference.includes('@')) return [];
  try {
    return [normalizeTag(reference)];
  } catch {
    return [];
  }
}

async function findManifest(
  room: Room,
  files: ArchiveFiles,
  descriptor: Descriptor,
): Promise<Found | undefined> {
  let at = descriptor;
  for (let depth = 0; depth < 4; depth++) {
    const blob = files.get(`blobs/sha256/${at.digest.slice(7)}`);
    const document = parseDocument(await files.readDocument(blob.digest), at.mediaType);
    if (document.is === 'index') {
      at = choosePlatform(document.manifests, room.platform);
      continue;
    }
    const { config, layers } = document.manifest;
    const isImage = config.mediaType === mediaTypes.ociConfig || config.mediaType === mediaTypes.dockerConfig;
    // Attestations and other artifacts lie beside images.
    if (!isImage) return undefined;
    for (const layer of layers) files.get(`blobs/sha256/${layer.digest.slice(7)}`);
    const bytes = await files.readDocument(files.get(`blobs/sha256/${config.digest.slice(7)}`).digest);
    return { config: bytes, layers, tags: tagsOf(descriptor), manifest: at };
  }
  throw invalid('invalid archive: indexes within indexes');
}

async function findInLayout(room: Room, files: ArchiveFiles): Promise<Found[]> {
  const index = await files.readJson('index.json');
  if (!isObject(index) || !Array.isArray(index['manifests'])) throw invalid('invalid archive: index.json');
  const found: Found[] = [];
  for (const entry of index['manifests'] as readonly unknown[]) {
    const descriptor = parseDescriptor(entry, 'index');
    try {
      const image = await findManifest(room, files, descriptor);
      if (image !== undefined) found.push(image);
    } catch (error) {
      // An image for other platforms only; fatal when it is all there is.
      if (!isKind(error, 'notFound') || index['manifests'].length === 1) throw error;
    }
  }
  return found;
}

async function findImages(room: Room, files: ArchiveFiles): Promise<Found[]> {
  // `docker save` writes both since version 25; manifest.json has the full tags, index.json the manifests' digests.
  const byDocker = files.find('manifest.json') === undefined ? [] : await findInDockerArchive(files);
  const byLayout = files.find('index.json') === undefined ? [] : await findInLayout(room, files);
  if (byDocker.length === 0) {
    if (byLayout.length === 0)
      throw invalid('invalid archive: neither manifest.json nor index.json names an image');
    return byLayout;
  }
  return byDocker.map((image) => {
    const twin = byLayout.find((other) => other.config.equals(image.config));
    return twin === undefined ? image : { ...twin, tags: image.tags };
  });
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

async function loadOne(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  image: Found,
  quiet: boolean,
  onProgress: OnProgress,
): Promise<ImageRecord> {
  const config = parseImageConfig(image.config);
  if (config.os !== room.platform.os) throw invalid(`cannot load ${config.os} image on ${room.platform.os}`);
  const id = digestOf(image.config);
  const layers = await unpackAll(room, ctx, lease, config, image.layers);
  if (!quiet) reportLayers(config, image.layers, onProgress);
  const { manifest } = image;
  return commitImage(room, {
    id,
    config,
    layers,
    tags: image.tags,
    ...(manifest !== undefined && { manifest }),
  });
}

export async function load(
  room: Room,
  ctx: Ctx,
  input: LoadInput,
  onProgress: OnProgress,
): Promise<readonly ImageRecord[]> {
  const loaded = await withLease(room, ctx, async (lease) => {
    const files = await ArchiveFiles.read(room, ctx, lease, input.source);
    const found = await findImages(room, files);
    const records: { record: ImageRecord; tags: readonly string[] }[] = [];
    for (const image of found) {
      if (ctx.signal.aborted) throw unavailable('context canceled');
      const record = await loadOne(room, ctx, lease, image, input.quiet ?? false, onProgress);
      records.push({ record, tags: image.tags });
    }
    return records;
  });
  for (const { record, tags } of loaded) {
    for (const tag of tags) onProgress({ stream: `Loaded image: ${familiar(tag)}\n` });
    if (tags.length === 0) onProgress({ stream: `Loaded image ID: ${record.id}\n` });
    emitImage(room, 'load', record, record.id);
  }
  return loaded.map(({ record }) => record);
}
