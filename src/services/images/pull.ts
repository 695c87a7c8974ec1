/** `docker pull`: manifest, choice of a platform, layers side by side, record last. */

import { Readable } from 'node:stream';
import type { Ctx } from '../../core/ctx.ts';
import { invalid, notFound, unavailable } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import {
  chainIdsOf,
  type Descriptor,
  type ImageConfig,
  type ImageRecord,
  type Platform,
} from '../../core/model/image.ts';
import type { RegistryCredentials } from '../../core/ports/registry.ts';
import {
  familiar,
  formatReference,
  isDigest,
  parseReference,
  repositoryName,
  withDefaultTag,
  type ImageReference,
} from '../../core/reference.ts';
import { allOrNone, commitImage, unpackLayer } from './assemble.ts';
import { maxDocument, mediaTypes, parseImageConfig } from './config.ts';
import type { Room } from './deps.ts';
import { download, type Source } from './download.ts';
import { emitImage } from './emit.ts';
import { withLease } from './gc.ts';
import { hasContent } from './layer-content.ts';
import type { Lease } from './leases.ts';
import {
  choosePlatform,
  formatPlatform,
  parseDocument,
  parsePlatformText,
  type Manifest,
} from './manifests.ts';
import { createMeter } from './progress.ts';
import type { OnProgress, PullInput } from './types.ts';

/** Name and tag or digest as the API gives them, apart or together. */
export function referenceOf(input: { readonly reference: string; readonly tag?: string }): ImageReference {
  const parsed = parseReference(input.reference);
  const { tag } = input;
  if (tag === undefined || tag === '') return parsed;
  const { domain, path } = parsed;
  if (isDigest(tag)) return { domain, path, digest: tag };
  return parseReference(`${formatReference({ domain, path })}:${tag}`);
}

interface Fetched {
  /** What the tag or digest named: an index or a manifest. */
  readonly top: Descriptor;
  readonly manifest: Manifest;
  readonly descriptor: Descriptor;
}

/** Keeps a document's bytes, so that push and save can hand on exactly what came. */
async function keep(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  descriptor: Descriptor,
  bytes: Buffer,
): Promise<void> {
  await lease.blob(descriptor.digest);
  await room.blobs.ingest(ctx, Readable.from([bytes]), { digest: descriptor.digest, size: bytes.length });
}

async function fetchManifest(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  source: Source,
  name: string,
  platform: Platform,
): Promise<Fetched> {
  let top: Descriptor | undefined;
  for (let reference = name, depth = 0; depth < 4; depth++) {
    const { descriptor, bytes } = await room.registry.manifest(
      ctx,
      source.repository,
      reference,
      source.credentials,
    );
    const document = parseDocument(bytes, descriptor.mediaType);
    await keep(room, ctx, lease, descriptor, bytes);
    top ??= descriptor;
    if (document.is === 'manifest') return { top, manifest: document.manifest, descriptor };
    reference = choosePlatform(document.manifests, platform).digest;
  }
  throw invalid('invalid manifest: indexes within indexes');
}

const configTypes: readonly string[] = [
  mediaTypes.ociConfig,
  mediaTypes.dockerConfig,
  'application/octet-stream',
  '',
];

async function fetchConfig(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  source: Source,
  config: Descriptor,
): Promise<ImageConfig> {
  if (!configTypes.includes(config.mediaType))
    throw invalid(`unsupported media type ${config.mediaType}: this is not a container image`);
  if (config.size > maxDocument)
    throw invalid(`image config ${config.digest} is too large: ${config.size} bytes`);
  await lease.blob(config.digest);
  await download(room, ctx, source, config, () => {});
  return parseImageConfig(await room.blobs.readAll(config.digest, maxDocument));
}

function checkPlatform(room: Room, input: PullInput, config: ImageConfig, wanted: Platform): void {
  const own: Platform = { os: config.os, architecture: config.architecture };
  if (config.os !== room.platform.os)
    throw invalid(
      `image operating system ${JSON.stringify(config.os)} cannot be used on this platform: operating system is not supported`,
    );
  if (input.platform !== undefined && own.architecture !== wanted.architecture)
    throw notFound(
      `image with reference ${input.reference} was found but its platform (${formatPlatform(own)}) does not match the specified platform (${formatPlatform(wanted)})`,
    );
}

async function pullLayer(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  source: Source,
  layer: {
    readonly blob: Descriptor;
    readonly diffId: string;
    readonly chainId: string;
    readonly parent: string | undefined;
  },
  onProgress: OnProgress,
): Promise<Awaited<ReturnType<typeof unpackLayer>>> {
  const { blob, chainId } = layer;
  const id = shortId(blob.digest);
  const say = (status: string): void => onProgress({ status, progressDetail: {}, id });
  await lease.layer(chainId);
  await lease.blob(blob.digest);
  const there = await room.snapshots.layer(chainId);
  if (there !== undefined && (await hasContent(room, { ...layer, size: there.size }))) {
    say('Already exists');
    return unpackLayer(room, ctx, lease, layer);
  }
  say('Pulling fs layer');
  const meter = createMeter(onProgress, 'Downloading', blob.digest, blob.size);
  await download(room, ctx, source, blob, (progress) => {
    if (progress.is === 'bytes') meter.set(progress.received);
    else say(`Retrying in ${progress.seconds} second${progress.seconds === 1 ? '' : 's'}`);
  });
  say('Verifying Checksum');
  say('Download complete');
  createMeter(onProgress, 'Extracting', blob.digest, blob.size).set(blob.size);
  const done = await unpackLayer(room, ctx, lease, layer);
  say('Pull complete');
  return done;
}

interface Target {
  readonly reference: ImageReference;
  readonly input: PullInput;
  readonly credentials: RegistryCredentials | undefined;
}

async function pullOne(room: Room, ctx: Ctx, target: Target, onProgress: OnProgress): Promise<ImageRecord> {
  const { reference, input, credentials } = target;
  const name = reference.digest ?? reference.tag ?? '';
  const source: Source = { repository: { domain: reference.domain, path: reference.path }, credentials };
  const wanted =
    input.platform === undefined ? room.platform : parsePlatformText(input.platform, room.platform);
  return withLease(room, ctx, async (lease) => {
    const fetched = await fetchManifest(room, ctx, lease, source, name, wanted);
    onProgress({ status: `Pulling from ${reference.path}`, id: name });
    const { manifest, descriptor, top } = fetched;
    const config = await fetchConfig(room, ctx, lease, source, manifest.config);
    checkPlatform(room, input, config, wanted);
    const diffIds = config.rootfs.diff_ids;
    if (diffIds.length !== manifest.layers.length)
      throw invalid(
        `invalid manifest, layers length mismatch: expected ${manifest.layers.length}, got ${diffIds.length}`,
      );
    const chain = chainIdsOf(diffIds);
    const before = room.store.get(manifest.config.digest);
    const layers = await allOrNone(
      ctx,
      manifest.layers.map((blob, index) => (own: Ctx) => {
        const place = { diffId: diffIds[index] ?? '', chainId: chain[index] ?? '', parent: chain[index - 1] };
        return pullLayer(room, own, lease, source, { blob, ...place }, onProgress);
      }),
    );
    if (ctx.signal.aborted) throw unavailable('context canceled');
    const tags = reference.digest === undefined ? [formatReference(reference)] : [];
    const record = await commitImage(room, {
      id: manifest.config.digest,
      config,
      layers,
      tags,
      repoDigests: [`${repositoryName(reference)}@${top.digest}`],
      manifest: descriptor,
      ...(top.digest !== descriptor.digest && { index: top }),
    });
    onProgress({ status: `Digest: ${top.digest}` });
    const isNew = before === undefined || tags.some((tag) => !before.tags.includes(tag));
    const shown = familiar(formatReference(reference));
    onProgress({
      status: `Status: ${isNew ? 'Downloaded newer image' : 'Image is up to date'} for ${shown}`,
    });
    return record;
  });
}

export async function pull(
  room: Room,
  ctx: Ctx,
  input: PullInput,
  onProgress: OnProgress,
): Promise<ImageRecord> {
  const parsed = referenceOf(input);
  const { credentials } = input;
  const { domain, path } = parsed;
  const isWhole = input.allTags === true && parsed.tag === undefined && parsed.digest === undefined;
  const tags = isWhole ? await room.registry.tags(ctx, { domain, path }, credentials) : undefined;
  // A digest pins the content; a tag beside it is only for people to read.
  const single =
    parsed.digest === undefined ? withDefaultTag(parsed) : { domain, path, digest: parsed.digest };
  const references = tags === undefined ? [single] : tags.map((tag) => ({ domain, path, tag }));
  let record: ImageRecord | undefined;
  for (const reference of references) {
    record = await pullOne(room, ctx, { reference, input, credentials }, onProgress);
    const shown = familiar(formatReference(reference));
    emitImage(room, 'pull', record, familiar(repositoryName(reference)), shown);
  }
  if (record === undefined) throw notFound(`no tags in repository ${familiar(repositoryName(parsed))}`);
  return record;
}
