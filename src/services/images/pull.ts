/** `docker pull`: manifest, choice of a platform, layers side by side, record last. */

import type { Ctx } from '../../core/ctx.ts';
import { forbidden, invalid, notFound, unavailable } from '../../core/errors.ts';
import {
  platformOf,
  type Descriptor,
  type ImageConfig,
  type ImageRecord,
  type Platform,
} from '../../core/model/image.ts';
import { formatPlatform, parsePlatformText, platformFit } from '../../core/platform.ts';
import type { RegistryCredentials } from '../../core/ports/registry.ts';
import {
  defaultDomain,
  familiar,
  formatReference,
  isDigest,
  parseReference,
  repositoryName,
  withDefaultTag,
  type ImageReference,
} from '../../core/reference.ts';
import { commitImage } from './assemble.ts';
import { maxDocument, mediaTypes, parseImageConfig } from './config.ts';
import type { Room, Source } from './deps.ts';
import { download } from './download.ts';
import { emitImage } from './emit.ts';
import { fetchAttached, fetchManifest } from './fetch-manifest.ts';
import { withLease } from './gc.ts';
import type { Lease } from './leases.ts';
import { pullLayers } from './pull-layer.ts';
import { checkTrust } from './trust.ts';
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

function checkPlatform(
  room: Room,
  input: PullInput,
  shown: string,
  config: ImageConfig,
  wanted: Platform,
): void {
  const own = platformOf(config);
  if (input.platform !== undefined && platformFit(wanted, own) < 0)
    throw notFound(
      `image with reference ${shown} was found but its platform (${formatPlatform(own)}) does not match the specified platform (${formatPlatform(wanted)})`,
    );
  if (config.os !== room.platform.os)
    throw invalid(
      `image operating system ${JSON.stringify(config.os)} cannot be used on this platform: operating system is not supported`,
    );
}

interface Target {
  readonly reference: ImageReference;
  /** What was asked for, in full: with a tag that stands beside a digest. */
  readonly asked: ImageReference;
  readonly input: PullInput;
  readonly wanted: Platform;
  readonly credentials: RegistryCredentials | undefined;
}

/** A tag beside a digest is told, although it does not count. */
const shownAs = (reference: ImageReference, asked: ImageReference): string =>
  familiar(formatReference(reference.digest === undefined ? reference : asked));

interface Pulled {
  readonly record: ImageRecord;
  /** The name leads to another image than before, or to one for the first time. */
  readonly isNew: boolean;
}

/** Layers of an image that is here are no news. */
function withoutKnownLayers(onProgress: OnProgress, before: ImageRecord | undefined): OnProgress {
  if (before === undefined) return onProgress;
  return (message) => {
    if (message.status !== 'Already exists') onProgress(message);
  };
}

async function pullOne(room: Room, ctx: Ctx, target: Target, onProgress: OnProgress): Promise<Pulled> {
  const { reference, asked, input, wanted, credentials } = target;
  const shown = shownAs(reference, asked);
  const name = reference.digest ?? reference.tag ?? '';
  const source: Source = { repository: { domain: reference.domain, path: reference.path }, credentials };
  return withLease(room, ctx, async (lease) => {
    const fetched = await fetchManifest(room, ctx, lease, source, name, wanted);
    // Of a digest the whole name is told.
    const id = reference.digest === undefined ? name : formatReference(asked);
    onProgress({ status: `Pulling from ${reference.path}`, id });
    await checkTrust(room, ctx, source, fetched.top.digest);
    const { manifest, descriptor, top } = fetched;
    const config = await fetchConfig(room, ctx, lease, source, manifest.config);
    checkPlatform(room, input, shown, config, wanted);
    const diffIds = config.rootfs.diff_ids;
    if (diffIds.length !== manifest.layers.length)
      throw invalid(
        `invalid manifest, layers length mismatch: expected ${manifest.layers.length}, got ${diffIds.length}`,
      );
    const before = room.store.get(manifest.config.digest);
    const image = { blobs: manifest.layers, diffIds };
    const layers = await pullLayers(room, ctx, lease, source, image, withoutKnownLayers(onProgress, before));
    const attached = await fetchAttached(room, ctx, lease, source, fetched);
    if (ctx.signal.aborted) throw unavailable('context canceled');
    const tags = reference.digest === undefined ? [formatReference(reference)] : [];
    const digest = `${repositoryName(reference)}@${top.digest}`;
    const record = await commitImage(room, {
      id: manifest.config.digest,
      config,
      layers,
      tags,
      repoDigests: [digest],
      manifest: descriptor,
      ...(top.digest !== descriptor.digest && { index: top }),
      ...(fetched.innerIndexes.length > 0 && { innerIndexes: fetched.innerIndexes }),
      ...(attached.length > 0 && { attached }),
    });
    onProgress({ status: `Digest: ${top.digest}` });
    const isKnown =
      reference.digest === undefined
        ? tags.every((tag) => before?.tags.includes(tag) === true)
        : before?.repoDigests.includes(digest) === true;
    return { record, isNew: !isKnown };
  });
}

/** A name in the registry: no image has it, and none may. */
function refuseReserved({ domain, path }: ImageReference): void {
  if (domain === defaultDomain && path === 'library/scratch') throw forbidden("'scratch' is a reserved name");
}

export async function pull(
  room: Room,
  ctx: Ctx,
  input: PullInput,
  onProgress: OnProgress,
): Promise<ImageRecord> {
  const parsed = referenceOf(input);
  refuseReserved(parsed);
  const wanted =
    input.platform === undefined ? room.platform : parsePlatformText(input.platform, room.platform);
  const { credentials } = input;
  const { domain, path } = parsed;
  const isWhole = input.allTags === true && parsed.tag === undefined && parsed.digest === undefined;
  const tags = isWhole ? await room.registry.tags(ctx, { domain, path }, credentials) : undefined;
  // A digest pins the content; a tag beside it is only for people to read.
  const single =
    parsed.digest === undefined ? withDefaultTag(parsed) : { domain, path, digest: parsed.digest };
  const references = tags === undefined ? [single] : tags.map((tag) => ({ domain, path, tag }));
  let record: ImageRecord | undefined;
  let isAnyNew = false;
  for (const reference of references) {
    const pulled = await pullOne(
      room,
      ctx,
      { reference, asked: parsed, input, wanted, credentials },
      onProgress,
    );
    ({ record } = pulled);
    isAnyNew ||= pulled.isNew;
    emitImage(
      room,
      'pull',
      record,
      familiar(repositoryName(reference)),
      familiar(formatReference(reference)),
    );
  }
  if (record === undefined) throw notFound(`no tags in repository ${familiar(repositoryName(parsed))}`);
  const what = isWhole ? familiar(repositoryName(parsed)) : shownAs(single, parsed);
  onProgress({
    status: `Status: ${isAnyNew ? 'Downloaded newer image' : 'Image is up to date'} for ${what}`,
  });
  return record;
}
