/** `docker save`: one archive that is an OCI image layout and a docker-archive at once, as Docker writes since version 25. */

import { Readable } from 'node:stream';
import type { Ctx } from '../../core/ctx.ts';
import { internal, unavailable } from '../../core/errors.ts';
import type { Descriptor, ImageLayer, ImageRecord } from '../../core/model/image.ts';
import { familiar, parseReference } from '../../core/reference.ts';
import { encodeHeader, simpleHeader, tarEnd, tarPadding } from '../../core/tar/index.ts';
import { compressionOf } from './assemble.ts';
import { digestOf, maxDocument, mediaTypes } from './config.ts';
import type { Room } from './deps.ts';
import { emitImage } from './emit.ts';

interface Chosen {
  readonly record: ImageRecord;
  /** Normalized tags to write; empty for an image that was asked for by id. */
  readonly tags: readonly string[];
}

/** The images asked for, each once. A name without tag means all tags of that repository. */
function choose(room: Room, references: readonly string[]): Chosen[] {
  const chosen = new Map<string, { record: ImageRecord; tags: string[] }>();
  const add = (record: ImageRecord, tags: readonly string[]): void => {
    const entry = chosen.get(record.id) ?? { record, tags: [] };
    for (const tag of tags) if (!entry.tags.includes(tag)) entry.tags.push(tag);
    chosen.set(record.id, entry);
  };
  for (const reference of references) {
    const bare = /^(sha256:)?[0-9a-f]{64}$/.test(reference) ? undefined : parseReference(reference);
    const repository = bare === undefined ? '' : `${bare.domain}/${bare.path}:`;
    const all =
      bare === undefined || bare.tag !== undefined || bare.digest !== undefined
        ? []
        : room.store.all().filter((record) => record.tags.some((tag) => tag.startsWith(repository)));
    for (const record of all)
      add(
        record,
        record.tags.filter((tag) => tag.startsWith(repository)),
      );
    if (all.length > 0) continue;
    const record = room.store.resolve(reference);
    const tag = bare?.tag === undefined ? undefined : `${repository}${bare.tag}`;
    add(record, tag !== undefined && record.tags.includes(tag) ? [tag] : []);
  }
  return [...chosen.values()];
}

const layerTypes = { gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd } as const;

/** A layer's blob as it may be handed on: its media type by its content. */
export async function layerDescriptor(room: Room, layer: ImageLayer): Promise<Descriptor> {
  const { blob } = layer;
  if (blob === undefined || (await room.blobs.has(blob.digest)) === undefined)
    throw internal(`content of layer ${layer.diffId} is missing: pull or load the image again`);
  const compression = await compressionOf(room.blobs.path(blob.digest));
  const mediaType =
    compression === 'gzip' || compression === 'zstd' ? layerTypes[compression] : mediaTypes.ociLayer;
  return { mediaType, digest: blob.digest, size: blob.size };
}

/** The manifest that the image came with, or one made from its record. */
export async function manifestOf(
  room: Room,
  record: ImageRecord,
): Promise<{ descriptor: Descriptor; bytes: Buffer }> {
  if (record.manifest !== undefined && (await room.blobs.has(record.manifest.digest)) !== undefined) {
    const { mediaType, digest, size } = record.manifest;
    return { descriptor: { mediaType, digest, size }, bytes: await room.blobs.readAll(digest, maxDocument) };
  }
  const config = await room.blobs.has(record.id);
  if (config === undefined) throw internal(`config of image ${record.id} is missing`);
  const layers: Descriptor[] = [];
  for (const layer of record.layers) layers.push(await layerDescriptor(room, layer));
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: record.id, size: config.size },
    layers,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length };
  return { descriptor, bytes };
}

const blobPath = (digest: string): string => `blobs/sha256/${digest.slice(7)}`;

async function* file(name: string, bytes: Buffer): AsyncGenerator<Buffer> {
  yield encodeHeader(simpleHeader(name, { size: bytes.length }));
  yield bytes;
  yield tarPadding(bytes.length);
}

async function* blobFile(room: Room, ctx: Ctx, digest: string): AsyncGenerator<Buffer> {
  const info = await room.blobs.has(digest);
  if (info === undefined) throw internal(`content ${digest} is missing`);
  yield encodeHeader(simpleHeader(blobPath(digest), { size: info.size }));
  for await (const chunk of await room.blobs.read(digest)) {
    if (ctx.signal.aborted) throw unavailable('context canceled');
    yield chunk as Buffer;
  }
  yield tarPadding(info.size);
}

/** One entry a tag, as readers of layouts expect: the full name for containerd, the tag alone for the rest. */
function indexEntries(descriptor: Descriptor, tags: readonly string[]): Descriptor[] {
  if (tags.length === 0) return [descriptor];
  return tags.map((tag) => ({
    ...descriptor,
    annotations: {
      'io.containerd.image.name': tag,
      'org.opencontainers.image.ref.name': tag.slice(tag.lastIndexOf(':') + 1),
    },
  }));
}

async function* archive(room: Room, ctx: Ctx, images: readonly Chosen[]): AsyncGenerator<Buffer> {
  const index: Descriptor[] = [];
  const docker: unknown[] = [];
  const written = new Set<string>();
  yield encodeHeader(simpleHeader('blobs/', { type: 'directory' }));
  yield encodeHeader(simpleHeader('blobs/sha256/', { type: 'directory' }));
  for (const { record, tags } of images) {
    const { descriptor, bytes } = await manifestOf(room, record);
    const layers = record.layers.map((layer) => layer.blob?.digest ?? layer.diffId);
    for (const digest of [record.id, ...layers]) {
      if (written.has(digest)) continue;
      written.add(digest);
      yield* blobFile(room, ctx, digest);
    }
    if (!written.has(descriptor.digest)) yield* file(blobPath(descriptor.digest), bytes);
    written.add(descriptor.digest);
    index.push(...indexEntries(descriptor, tags));
    docker.push({
      Config: blobPath(record.id),
      RepoTags: tags.length === 0 ? null : tags.map(familiar),
      Layers: layers.map(blobPath),
    });
  }
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  yield* file('index.json', json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: index }));
  yield* file('manifest.json', json(docker));
  yield* file('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
  yield tarEnd;
}

export async function save(room: Room, ctx: Ctx, references: readonly string[]): Promise<Readable> {
  const images = choose(room, references);
  const lease = room.leases.take();
  // Held while the stream runs: an image removed meanwhile is still written whole.
  for (const { record } of images) {
    await lease.blob(record.id);
    for (const layer of record.layers) if (layer.blob !== undefined) await lease.blob(layer.blob.digest);
    if (record.manifest !== undefined) await lease.blob(record.manifest.digest);
  }
  const out = Readable.from(archive(room, ctx, images), { objectMode: false });
  out.once('close', () => void lease.release());
  for (const { record, tags } of images)
    emitImage(room, 'save', record, tags[0] === undefined ? record.id : familiar(tags[0]));
  return out;
}
