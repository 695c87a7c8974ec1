/** From one registry to another without storing anything here: what the target lacks is handed through. */

import type { Ctx } from '../../core/ctx.ts';
import { invalid } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import type { Descriptor } from '../../core/model/image.ts';
import { parsePlatformText } from '../../core/platform.ts';
import type { RegistryCredentials, Repository } from '../../core/ports/registry.ts';
import { formatReference, parseReference, withDefaultTag } from '../../core/reference.ts';
import { allOrNone } from './all-or-none.ts';
import type { Room, Source } from './deps.ts';
import { choosePlatform, parseDocument } from './manifests.ts';
import { createMeter } from './progress.ts';
import { isForeign } from './push-plan.ts';
import type { CopyInput, OnProgress, PutManifestInput } from './types.ts';

interface Target {
  readonly repository: Repository;
  readonly credentials: RegistryCredentials | undefined;
}

const maxDepth = 4;
/** More than any image of our time has. */
const maxDocuments = 1000;

async function copyBlob(
  room: Room,
  ctx: Ctx,
  source: Source,
  target: Target,
  blob: Descriptor,
  onProgress: OnProgress,
): Promise<void> {
  const id = shortId(blob.digest);
  const say = (status: string): void => onProgress({ status, progressDetail: {}, id });
  if (isForeign(blob)) {
    say('Skipped foreign layer');
    return;
  }
  const meter = createMeter(onProgress, 'Copying', blob.digest, blob.size);
  const isNear = source.repository.domain === target.repository.domain;
  const from = isNear && source.repository.path !== target.repository.path ? source.repository : undefined;
  const { outcome } = await room.uploadGate.run(() =>
    room.registry.pushBlob(ctx, target.repository, blob, source, target.credentials, from, (bytes) =>
      meter.set(bytes),
    ),
  );
  if (outcome === 'exists') say('Already exists');
  else if (outcome === 'mounted') say(`Mounted from ${from?.path ?? ''}`);
  else say('Copied');
}

interface Walk {
  readonly source: Source;
  readonly target: Target;
  readonly onProgress: OnProgress;
  /** What was copied, and what is on the way: an index may name a thing twice. */
  readonly seen: Set<string>;
}

/** Copies what `reference` names and all below it; what it leads to comes first. Returns its descriptor. */
async function copyTree(
  room: Room,
  ctx: Ctx,
  walk: Walk,
  reference: string,
  as: string | undefined,
  depth = 0,
): Promise<Descriptor> {
  const { source, target, seen, onProgress } = walk;
  if (depth > maxDepth || seen.size > maxDocuments) throw invalid('invalid manifest: indexes within indexes');
  const { repository, credentials } = source;
  const { descriptor, bytes } = await room.registry.manifest(ctx, repository, reference, credentials);
  const document = parseDocument(bytes, descriptor.mediaType);
  if (document.is === 'index') {
    for (const { digest } of document.manifests) {
      if (seen.has(digest)) continue;
      seen.add(digest);
      await copyTree(room, ctx, walk, digest, undefined, depth + 1);
    }
  } else {
    const blobs = [...document.manifest.layers, document.manifest.config].filter(
      (blob) => !seen.has(blob.digest),
    );
    const unique = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
    for (const blob of unique) seen.add(blob.digest);
    await allOrNone(
      ctx,
      unique.map((blob) => (own: Ctx) => copyBlob(room, own, source, target, blob, onProgress)),
    );
  }
  await room.registry.pushManifest(
    ctx,
    target.repository,
    as ?? descriptor.digest,
    descriptor.mediaType,
    bytes,
    target.credentials,
  );
  return descriptor;
}

/** The manifest of one platform, through indexes. */
async function digestFor(
  room: Room,
  ctx: Ctx,
  source: Source,
  reference: string,
  platform: string,
): Promise<string> {
  let at = reference;
  for (let depth = 0; depth <= maxDepth; depth++) {
    const { repository, credentials } = source;
    const { descriptor, bytes } = await room.registry.manifest(ctx, repository, at, credentials);
    const document = parseDocument(bytes, descriptor.mediaType);
    if (document.is === 'manifest') return descriptor.digest;
    at = choosePlatform(document.manifests, parsePlatformText(platform, room.platform)).digest;
  }
  throw invalid('invalid manifest: indexes within indexes');
}

export async function copy(room: Room, ctx: Ctx, input: CopyInput, onProgress: OnProgress): Promise<string> {
  const from = withDefaultTag(parseReference(input.from));
  const given = parseReference(input.to);
  if (given.digest !== undefined) throw invalid('the target of a copy has a tag, not a digest');
  // What is copied by digest needs no tag; otherwise the target has the source's.
  const tag = given.tag ?? from.tag;
  const source: Source = {
    repository: { domain: from.domain, path: from.path },
    credentials: input.fromCredentials,
  };
  const target: Target = {
    repository: { domain: given.domain, path: given.path },
    credentials: input.toCredentials,
  };
  const name = from.digest ?? from.tag ?? '';
  const reference =
    input.platform === undefined ? name : await digestFor(room, ctx, source, name, input.platform);
  const to = { ...target.repository, ...(tag !== undefined && { tag }) };
  onProgress({ status: `Copying ${formatReference(from)} to ${formatReference(to)}` });
  const walk: Walk = { source, target, onProgress, seen: new Set() };
  const { digest } = await copyTree(room, ctx, walk, reference, tag);
  onProgress({ status: `Digest: ${digest}` });
  onProgress({ aux: { Tag: tag ?? '', Digest: digest } });
  return digest;
}

/** A document that somebody put together, with the images that it lists copied into its repository first. */
export async function putManifest(room: Room, ctx: Ctx, input: PutManifestInput): Promise<string> {
  const { domain, path, tag } = withDefaultTag(parseReference(input.reference));
  parseDocument(input.bytes, input.mediaType);
  const target: Target = { repository: { domain, path }, credentials: input.credentials };
  for (const text of input.sources) {
    const from = withDefaultTag(parseReference(text));
    if (from.domain !== domain)
      throw invalid(
        `cannot use source images from a different registry than the target image: ${from.domain} != ${domain}`,
      );
    const source: Source = { repository: { domain, path: from.path }, credentials: input.credentials };
    const walk: Walk = { source, target, onProgress: () => {}, seen: new Set() };
    if (from.path !== path) await copyTree(room, ctx, walk, from.digest ?? from.tag ?? '', undefined);
  }
  const { digest } = await room.registry.pushManifest(
    ctx,
    target.repository,
    tag ?? '',
    input.mediaType,
    input.bytes,
    input.credentials,
  );
  return digest;
}
