/** `docker import` and `docker commit`: an image from one archive of files. */

import { pipeline, Readable } from 'node:stream';
import { decompress, peekCompression, type Compression } from '../../core/compression.ts';
import type { Ctx } from '../../core/ctx.ts';
import { invalid } from '../../core/errors.ts';
import type { ContainerConfig } from '../../core/model/container-spec.ts';
import {
  chainIdOf,
  type Descriptor,
  type HistoryEntry,
  type ImageConfig,
  type ImageLayer,
  type ImageRecord,
} from '../../core/model/image.ts';
import { parsePlatformText } from '../../core/platform.ts';
import { familiar, formatReference, isTag, parseReference, withDefaultTag } from '../../core/reference.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import { commitImage, unpackLayer } from './assemble.ts';
import { applyChanges } from './changes.ts';
import { encodeImageConfig, mediaTypes } from './config.ts';
import type { Room } from './deps.ts';
import { emitImage } from './emit.ts';
import { withLease } from './gc.ts';
import { publishStaged } from './layer-content.ts';
import type { Lease } from './leases.ts';
import { createMeter, meterStream } from './progress.ts';
import type { CommitInput, CommittedImage, ImportInput, OnProgress } from './types.ts';

/** The normalized tag of `repository` and `tag` as given apart; empty without a repository. */
export function tagOf(repository: string | undefined, tag: string | undefined): string[] {
  if (repository === undefined || repository === '') return [];
  const parsed = parseReference(repository);
  if (parsed.digest !== undefined) throw invalid('cannot import digest reference');
  if (tag !== undefined && tag !== '' && !isTag(tag)) throw invalid('invalid tag format');
  const full =
    tag === undefined || tag === ''
      ? parsed
      : parseReference(`${formatReference({ domain: parsed.domain, path: parsed.path })}:${tag}`);
  return [formatReference(withDefaultTag(full))];
}

/** How a layer may travel as it is; everything else is stored uncompressed. */
const kept: Partial<Record<Compression, string>> = {
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
};

/**
 * Makes a layer of an archive. A compressed one that may travel as it is is kept, and its diff id shows while it is
 * unpacked; any other is unpacked as it comes in.
 */
async function storeLayer(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  source: Readable,
  parent: string | undefined,
): Promise<ImageLayer> {
  const { compression, stream } = await peekCompression(source);
  const mediaType = kept[compression];
  if (mediaType === undefined) {
    const staged = await room.snapshots.stage(ctx, decompress(stream, compression));
    const chainId = chainIdOf(parent, staged.diffId);
    try {
      await lease.layer(chainId);
      return await publishStaged(room, staged, parent, chainId);
    } catch (error) {
      await room.snapshots.discard(staged);
      throw error;
    }
  }
  const { digest, size } = await room.blobs.ingest(ctx, stream, { hold: (found) => lease.blob(found) });
  const blob: Descriptor = { mediaType, digest, size };
  const input = { file: room.blobs.path(digest), compression, parent };
  const { diffId } = await room.snapshots.unpackFile(ctx, input);
  // The layer could not be held before its id was known; unpacked again, should it have been collected just then.
  return unpackLayer(room, ctx, lease, { diffId, parent, blob });
}

async function storeConfig(room: Room, ctx: Ctx, lease: Lease, config: ImageConfig): Promise<string> {
  const bytes = encodeImageConfig(config);
  const expected = { size: bytes.length, hold: (digest: string) => lease.blob(digest) };
  return (await room.blobs.ingest(ctx, Readable.from([bytes]), expected)).digest;
}

/** Bytes at an address, with Docker's progress as they come. */
async function fetchSource(room: Room, ctx: Ctx, text: string, onProgress: OnProgress): Promise<Readable> {
  const { address, stream, size } = await room.remoteFiles.open(ctx, text);
  onProgress({ status: `Downloading from ${address}` });
  const meter = createMeter(onProgress, 'Importing', '', size ?? -1);
  const metered = meterStream((bytes) => meter.add(bytes));
  pipeline(stream, metered, () => {});
  return metered;
}

export async function importImage(
  room: Room,
  ctx: Ctx,
  input: ImportInput,
  onProgress: OnProgress,
): Promise<ImageRecord> {
  const tags = tagOf(input.repository, input.tag);
  const platform =
    input.platform === undefined ? room.platform : parsePlatformText(input.platform, room.platform);
  if (platform.os !== room.platform.os) throw invalid('operating system is not supported');
  const config = applyChanges({}, input.changes ?? []);
  const record = await withLease(room, ctx, async (lease) => {
    const source =
      typeof input.source === 'string'
        ? await fetchSource(room, ctx, input.source, onProgress)
        : input.source;
    const layer = await storeLayer(room, ctx, lease, source, undefined);
    const created = formatNano(nowNano());
    const comment = input.message ?? '';
    const document: ImageConfig = {
      created,
      architecture: platform.architecture,
      os: platform.os,
      ...(platform.variant !== undefined && { variant: platform.variant }),
      ...(comment !== '' && { comment }),
      config,
      rootfs: { type: 'layers', diff_ids: [layer.diffId] },
      history: [{ created, comment }],
    };
    const id = await storeConfig(room, ctx, lease, document);
    return commitImage(room, { id, config: document, layers: [layer], tags });
  });
  onProgress({ status: record.id });
  if (tags[0] !== undefined) emitImage(room, 'tag', record, familiar(tags[0]));
  emitImage(room, 'import', record, record.id);
  return record;
}

function childConfig(
  base: ImageRecord | undefined,
  room: Room,
  input: CommitInput,
  config: ContainerConfig,
  layer: ImageLayer | undefined,
): ImageConfig {
  const created = formatNano(nowNano());
  const entry: HistoryEntry = {
    created,
    created_by: input.createdBy,
    ...(input.author !== undefined && input.author !== '' && { author: input.author }),
    ...(input.comment !== undefined && input.comment !== '' && { comment: input.comment }),
    ...(layer === undefined && { empty_layer: true }),
  };
  const diffIds = base?.config.rootfs.diff_ids ?? [];
  return {
    ...(base === undefined
      ? { architecture: room.platform.architecture, os: room.platform.os }
      : base.config),
    created,
    ...(input.author !== undefined && input.author !== '' && { author: input.author }),
    ...(input.comment !== undefined && input.comment !== '' && { comment: input.comment }),
    config,
    rootfs: { type: 'layers', diff_ids: layer === undefined ? diffIds : [...diffIds, layer.diffId] },
    history: [...(base?.config.history ?? []), entry],
  };
}

export async function commit(room: Room, ctx: Ctx, input: CommitInput): Promise<CommittedImage> {
  const tags = tagOf(input.repository, input.tag);
  const config = applyChanges(input.config, input.changes ?? []);
  const base = input.baseImageId === undefined ? undefined : room.store.resolve(input.baseImageId);
  const record = await withLease(room, ctx, async (lease) => {
    for (const below of base?.layers ?? []) {
      await lease.layer(below.chainId);
      if (below.blob !== undefined) await lease.blob(below.blob.digest);
    }
    const parent = base?.layers.at(-1)?.chainId;
    const layer =
      input.layer === undefined ? undefined : await storeLayer(room, ctx, lease, input.layer, parent);
    const document = childConfig(base, room, input, config, layer);
    const id = await storeConfig(room, ctx, lease, document);
    const layers = [...(base?.layers ?? []), ...(layer === undefined ? [] : [layer])];
    return commitImage(room, {
      id,
      config: document,
      layers,
      tags,
      ...(base !== undefined && { parent: base.id }),
    });
  });
  const reference = tags[0] === undefined ? '' : familiar(tags[0]);
  if (reference !== '') emitImage(room, 'tag', record, reference);
  return { record, reference };
}
