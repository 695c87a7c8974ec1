/** `docker save`: one archive that is an OCI image layout and a docker-archive at once, as Docker writes since version 25. */

import { Readable } from 'node:stream';
import type { Ctx } from '../../core/ctx.ts';
import { internal, unavailable } from '../../core/errors.ts';
import {
  platformOf,
  type Descriptor,
  type ImageLayer,
  type ImageRecord,
  type Platform,
} from '../../core/model/image.ts';
import { familiar, parseReference } from '../../core/reference.ts';
import { encodeHeader, simpleHeader, tarEnd, tarPadding } from '../../core/tar/index.ts';
import { digestOf, maxDocument, mediaTypes } from './config.ts';
import type { Room } from './deps.ts';
import { emitImage } from './emit.ts';
import { blobsOf, endLeaseWith } from './gc.ts';
import { layerDescriptor, plainLayer } from './layer-content.ts';
import { parseDocument } from './manifests.ts';

interface Chosen {
  /** One image, or those of several platforms that share an index; the host's platform first. */
  readonly records: readonly ImageRecord[];
  /** Normalized tags to write; empty for an image that was asked for by id. */
  readonly tags: readonly string[];
  /** Whether it is all that is here of the image, which its index then describes. */
  readonly isWhole: boolean;
}

/** The platforms of an image that are wanted: all that are here, or those asked for. */
function platformsOf(
  room: Room,
  reference: string,
  record: ImageRecord,
  platforms: readonly Platform[],
): ImageRecord[] {
  const all = room.store.siblings(record);
  // An id means one image, unless it is the one that stands for all in the list.
  if (platforms.length === 0) return all[0]?.id === record.id ? all : [record];
  return [...new Set(platforms.map((platform) => room.store.resolve(reference, platform)))];
}

/** The images asked for, each once. A name without tag means all tags of that repository. */
function choose(room: Room, references: readonly string[], platforms: readonly Platform[]): Chosen[] {
  const chosen = new Map<string, { records: ImageRecord[]; tags: string[]; isWhole: boolean }>();
  const add = (reference: string, record: ImageRecord, tags: readonly string[]): void => {
    const records = platformsOf(room, reference, record, platforms);
    const key = records.map(({ id }) => id).join(' ');
    const isWhole = platforms.length === 0 && records.length === room.store.siblings(record).length;
    const entry = chosen.get(key) ?? { records, tags: [], isWhole };
    for (const tag of tags) if (!entry.tags.includes(tag)) entry.tags.push(tag);
    chosen.set(key, entry);
  };
  for (const reference of references) {
    const bare = /^(sha256:)?[0-9a-f]{64}$/.test(reference) ? undefined : parseReference(reference);
    const repository = bare === undefined ? '' : `${bare.domain}/${bare.path}:`;
    const tags =
      bare === undefined || bare.tag !== undefined || bare.digest !== undefined
        ? []
        : room.store.tags().filter((tag) => tag.startsWith(repository));
    for (const tag of tags) {
      const record = room.store.byTag(tag);
      if (record !== undefined) add(tag, record, [tag]);
    }
    if (tags.length > 0) continue;
    const record = room.store.resolve(reference);
    const tag = bare?.tag === undefined ? undefined : `${repository}${bare.tag}`;
    add(reference, record, tag !== undefined && record.tags.includes(tag) ? [tag] : []);
  }
  return [...chosen.values()];
}

/** The manifest that the image came with, while all that it names is here, or one made from its record. */
export async function manifestOf(
  room: Room,
  record: ImageRecord,
): Promise<{ descriptor: Descriptor; bytes: Buffer; layers: readonly Descriptor[] }> {
  const known = await ownManifest(room, record);
  if (known !== undefined) return known;
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
  return { descriptor, bytes, layers };
}

async function ownManifest(
  room: Room,
  { manifest: own }: ImageRecord,
): Promise<{ descriptor: Descriptor; bytes: Buffer; layers: readonly Descriptor[] } | undefined> {
  if (own === undefined || (await room.blobs.has(own.digest)) === undefined) return undefined;
  const bytes = await room.blobs.readAll(own.digest, maxDocument);
  const document = parseDocument(bytes, own.mediaType);
  if (document.is !== 'manifest') return undefined;
  const { layers } = document.manifest;
  const present = await Promise.all(layers.map(({ digest }) => room.blobs.has(digest)));
  if (present.includes(undefined)) return undefined;
  const { mediaType, digest, size } = own;
  return { descriptor: { mediaType, digest, size }, bytes, layers };
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
      ...descriptor.annotations,
      'io.containerd.image.name': tag,
      'org.opencontainers.image.ref.name': tag.slice(tag.lastIndexOf(':') + 1),
    },
  }));
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

class Archive {
  readonly #room: Room;
  readonly #ctx: Ctx;
  readonly #written = new Set<string>();
  readonly #index: Descriptor[] = [];
  readonly #docker: unknown[] = [];

  constructor(room: Room, ctx: Ctx) {
    this.#room = room;
    this.#ctx = ctx;
  }

  async *write(images: readonly Chosen[]): AsyncGenerator<Buffer> {
    yield encodeHeader(simpleHeader('blobs/', { type: 'directory' }));
    yield encodeHeader(simpleHeader('blobs/sha256/', { type: 'directory' }));
    for (const chosen of images) yield* this.#group(chosen);
    const { ociIndex } = mediaTypes;
    yield* file('index.json', json({ schemaVersion: 2, mediaType: ociIndex, manifests: this.#index }));
    yield* file('manifest.json', json(this.#docker));
    yield* file('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
    yield tarEnd;
  }

  async *#group({ records, tags, isWhole }: Chosen): AsyncGenerator<Buffer> {
    const manifests: Descriptor[] = [];
    for (const record of records) {
      const { descriptor, bytes, layers } = await manifestOf(this.#room, record);
      yield* this.#blob(record.id);
      for (const [at, layer] of layers.entries()) yield* this.#layer(layer, record.layers[at]);
      yield* this.#document(descriptor.digest, bytes);
      manifests.push({ ...descriptor, platform: platformOf(record.config) });
      // Readers of a docker-archive know one platform: the first, which is the host's.
      if (record !== records[0]) continue;
      this.#docker.push({
        Config: blobPath(record.id),
        RepoTags: tags.length === 0 ? null : tags.map(familiar),
        Layers: layers.map((layer) => blobPath(layer.digest)),
      });
    }
    const index = isWhole ? await this.#sharedIndex(records, manifests) : undefined;
    if (index !== undefined) for (const record of records) yield* this.#belongings(record);
    // Without an index that names them all, each platform is an entry of its own.
    const tops = index === undefined ? manifests : [index];
    for (const top of tops) this.#index.push(...indexEntries(top, tags));
  }

  /** The index that the images came with, when what is written is what it names. */
  async #sharedIndex(
    records: readonly ImageRecord[],
    manifests: readonly Descriptor[],
  ): Promise<Descriptor | undefined> {
    const index = records[0]?.index;
    const isSame = records.every(
      (record, at) =>
        record.index?.digest === index?.digest && record.manifest?.digest === manifests[at]?.digest,
    );
    if (index === undefined || !isSame) return undefined;
    return (await this.#room.blobs.has(index.digest)) === undefined ? undefined : index;
  }

  /** The index, those within it, and what is attached to the image. */
  async *#belongings(record: ImageRecord): AsyncGenerator<Buffer> {
    for (const document of [record.index, ...(record.innerIndexes ?? [])])
      if (document !== undefined) yield* this.#blob(document.digest);
    for (const { descriptor, blobs } of record.attached ?? [])
      for (const { digest } of [...blobs, descriptor]) yield* this.#blob(digest);
  }

  /** The kept blob, or the archive made again: then its digest is the diff id. */
  async *#layer({ digest, size }: Descriptor, layer: ImageLayer | undefined): AsyncGenerator<Buffer> {
    const isKept = (await this.#room.blobs.has(digest)) !== undefined;
    if (isKept || layer === undefined) {
      yield* this.#blob(digest);
      return;
    }
    if (this.#written.has(digest)) return;
    this.#written.add(digest);
    yield encodeHeader(simpleHeader(blobPath(digest), { size }));
    for await (const chunk of await plainLayer(this.#room, this.#ctx, layer)) yield chunk as Buffer;
    yield tarPadding(size);
  }

  async *#blob(digest: string): AsyncGenerator<Buffer> {
    if (this.#written.has(digest)) return;
    this.#written.add(digest);
    yield* blobFile(this.#room, this.#ctx, digest);
  }

  async *#document(digest: string, bytes: Buffer): AsyncGenerator<Buffer> {
    if (this.#written.has(digest)) return;
    this.#written.add(digest);
    yield* file(blobPath(digest), bytes);
  }
}

export async function save(
  room: Room,
  ctx: Ctx,
  references: readonly string[],
  platforms: readonly Platform[] = [],
): Promise<Readable> {
  const images = choose(room, references, platforms);
  const lease = room.leases.take();
  // Held while the stream runs: an image removed meanwhile is still written whole.
  const records = images.flatMap((chosen) => chosen.records);
  for (const digest of records.flatMap(blobsOf)) await lease.blob(digest);
  for (const { chainId } of records.flatMap(({ layers }) => layers)) await lease.layer(chainId);
  const out = Readable.from(new Archive(room, ctx).write(images), { objectMode: false });
  endLeaseWith(room, out, lease);
  for (const { records: saved, tags } of images)
    for (const record of saved)
      emitImage(room, 'save', record, tags[0] === undefined ? record.id : familiar(tags[0]));
  return out;
}
