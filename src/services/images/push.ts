/** `docker push`: layers compressed where they are not, sent where the registry lacks them, the manifest last. */

import type { Ctx } from '../../core/ctx.ts';
import { invalid, notFound } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import type { Descriptor, ImageLayer, ImageRecord } from '../../core/model/image.ts';
import type { Repository } from '../../core/ports/registry.ts';
import {
  familiar,
  formatReference,
  repositoryName,
  withDefaultTag,
  type ImageReference,
} from '../../core/reference.ts';
import { allOrNone } from './all-or-none.ts';
import type { Room } from './deps.ts';
import { emitImage } from './emit.ts';
import { blobsOf, withLease } from './gc.ts';
import type { Lease } from './leases.ts';
import { createMeter } from './progress.ts';
import { isForeign, planPush, type PushDocument, type PushPlan } from './push-plan.ts';
import { referenceOf } from './pull.ts';
import type { OnProgress, PushInput } from './types.ts';

/** A repository on the same registry that the layer was pulled from or pushed to: it can be mounted, not sent. */
function mountSource(room: Room, reference: ImageReference, digest: string): Repository | undefined {
  for (const record of room.store.all()) {
    if (!record.layers.some((layer) => layer.blob?.digest === digest)) continue;
    for (const name of record.repoDigests) {
      const repository = name.slice(0, name.indexOf('@'));
      const path = repository.slice(reference.domain.length + 1);
      if (repository.startsWith(`${reference.domain}/`) && path !== reference.path)
        return { domain: reference.domain, path };
    }
  }
  return undefined;
}

async function pushLayer(
  room: Room,
  ctx: Ctx,
  input: PushInput,
  reference: ImageReference,
  blob: Descriptor,
  shownId: string | undefined,
  onProgress: OnProgress,
): Promise<void> {
  const say = (status: string): void => {
    if (shownId !== undefined) onProgress({ status, progressDetail: {}, id: shortId(shownId) });
  };
  say('Preparing');
  if (isForeign(blob)) {
    say('Skipped foreign layer');
    return;
  }
  const meter = shownId === undefined ? undefined : createMeter(onProgress, 'Pushing', shownId, blob.size);
  const from = mountSource(room, reference, blob.digest);
  const { outcome } = await room.uploadGate.run(() =>
    room.registry.pushBlob(
      ctx,
      { domain: reference.domain, path: reference.path },
      blob,
      { file: room.blobs.path(blob.digest) },
      input.credentials,
      from,
      (bytes) => meter?.set(bytes),
    ),
  );
  if (outcome === 'exists') say('Layer already exists');
  else if (outcome === 'mounted') say(`Mounted from ${from?.path ?? ''}`);
  else say('Pushed');
}

interface Standing {
  /** What the tag names in the registry now. */
  readonly tagged: string | undefined;
  /** Whether the registry showed that a push is allowed. */
  readonly isAllowed: boolean;
}

/** The registry is not asked about a repository that the image never was in: it will be sent anyway. */
async function standingOf(room: Room, ctx: Ctx, target: Target): Promise<Standing> {
  const { input, reference, record } = target;
  const prefix = `${repositoryName(reference)}@`;
  if (reference.tag === undefined || !record.repoDigests.some((name) => name.startsWith(prefix)))
    return { tagged: undefined, isAllowed: false };
  const repository = repositoryOf(reference);
  // Both at once: most pushes of what was pulled or pushed before need them.
  const [tagged, isAllowed] = await Promise.all([
    room.registry.manifestDigest(ctx, repository, reference.tag, input.credentials),
    room.registry.mayPush(ctx, repository, input.credentials),
  ]);
  return { tagged, isAllowed };
}

/** Whether the registry has all of it already: it takes no manifest whose blobs it lacks. */
async function isThere(room: Room, ctx: Ctx, target: Target, digest: string): Promise<boolean> {
  const { input, reference, record } = target;
  if (!record.repoDigests.includes(`${repositoryName(reference)}@${digest}`)) return false;
  const repository = repositoryOf(reference);
  return (await room.registry.manifestDigest(ctx, repository, digest, input.credentials)) === digest;
}

const repositoryOf = ({ domain, path }: ImageReference): Repository => ({ domain, path });

interface Target {
  readonly input: PushInput;
  readonly reference: ImageReference;
  readonly record: ImageRecord;
}

/** The record after a push: with the blobs as they travelled, and the manifest that was sent. Undefined: as it was. */
function pushed(now: ImageRecord, plan: PushPlan | undefined, name: string): ImageRecord | undefined {
  const isKnown = now.repoDigests.includes(name);
  const { layers, manifest } = plan ?? now;
  if (isKnown && now.layers === layers && now.manifest !== undefined) return undefined;
  const repoDigests = isKnown ? now.repoDigests : [...now.repoDigests, name];
  // What the image came with stays what it is, also when its layers had to be packed anew for this push.
  const own = now.manifest ?? manifest;
  return { ...now, layers, ...(own !== undefined && { manifest: own }), repoDigests };
}

/** The layers of a manifest that is there: a registry takes none whose blobs it lacks. */
function sayExist(layers: readonly ImageLayer[], onProgress: OnProgress): void {
  for (const diffId of new Set(layers.map((layer) => layer.diffId)))
    onProgress({ status: 'Layer already exists', progressDetail: {}, id: shortId(diffId) });
}

async function sendAll(
  room: Room,
  ctx: Ctx,
  target: Target,
  plan: PushPlan,
  { tagged, isAllowed }: Standing,
  onProgress: OnProgress,
): Promise<string> {
  const { input, reference } = target;
  const diffIdOf = new Map(plan.layers.map((layer) => [layer.blob?.digest, layer.diffId]));
  const put = async (own: Ctx, { descriptor, bytes }: PushDocument, as: string): Promise<string> => {
    const { mediaType } = descriptor;
    const repository = repositoryOf(reference);
    return (await room.registry.pushManifest(own, repository, as, mediaType, bytes, input.credentials))
      .digest;
  };
  const { digest } = plan.top.descriptor;
  if (tagged === digest || (await isThere(room, ctx, target, digest))) {
    sayExist(plan.layers, onProgress);
  } else {
    await allOrNone(
      ctx,
      plan.blobs.map(
        (blob) => (own: Ctx) =>
          pushLayer(room, own, input, reference, blob, diffIdOf.get(blob.digest), onProgress),
      ),
    );
    for (const document of plan.below) await put(ctx, document, document.descriptor.digest);
  }
  // Put once more it would be the same: registries store, sync and announce each one. Who may not push is told so by the registry.
  if (tagged === digest && isAllowed) return digest;
  return await put(ctx, plan.top, reference.tag ?? '');
}

/** What a push ends in: the document at the tag. */
interface Outcome {
  readonly descriptor: { readonly digest: string; readonly size: number };
  /** Undefined: nothing had to be sent. */
  readonly plan: PushPlan | undefined;
}

/**
 * The tag names the image's own manifest already. What is here of it does not matter then: blobs that were dropped need not be
 * packed anew. Of an index it has to be known how much of it is here.
 */
function isUnchanged({ input, record }: Target, { tagged, isAllowed }: Standing): boolean {
  const isSingle = input.platform !== undefined || record.index === undefined;
  return isAllowed && isSingle && tagged !== undefined && tagged === record.manifest?.digest;
}

async function bringThere(
  room: Room,
  ctx: Ctx,
  lease: Lease,
  target: Target,
  onProgress: OnProgress,
): Promise<Outcome> {
  const { input, record } = target;
  const standing = await standingOf(room, ctx, target);
  if (record.manifest !== undefined && isUnchanged(target, standing)) {
    sayExist(record.layers, onProgress);
    return { descriptor: record.manifest, plan: undefined };
  }
  const plan = await planPush(room, ctx, lease, record, input.platform !== undefined);
  const digest = await sendAll(room, ctx, target, plan, standing, onProgress);
  return { descriptor: { digest, size: plan.top.bytes.length }, plan };
}

async function pushOne(room: Room, ctx: Ctx, target: Target, onProgress: OnProgress): Promise<void> {
  const { reference, record } = target;
  await withLease(room, ctx, async (lease) => {
    // Removed meanwhile, it is still sent whole.
    for (const digest of blobsOf(record)) await lease.blob(digest);
    for (const { chainId } of record.layers) await lease.layer(chainId);
    const { descriptor, plan } = await bringThere(room, ctx, lease, target, onProgress);
    const { digest, size } = descriptor;
    await room.store.change(() => {
      const now = room.store.get(record.id);
      const put = now === undefined ? undefined : pushed(now, plan, `${repositoryName(reference)}@${digest}`);
      return put === undefined ? [] : [{ put }];
    });
    const tag = reference.tag ?? '';
    onProgress({ status: `${tag}: digest: ${digest} size: ${size}` });
    onProgress({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
    if (plan?.insteadOf !== undefined)
      onProgress({
        aux: {
          manifestPushedInsteadOfIndex: true,
          originalIndex: plan.insteadOf,
          selectedManifest: plan.top.descriptor,
        },
      });
  });
}

/** The words for a name that nothing here has, and for a tag that it does not have. */
function noSuch(room: Room, name: string, tag: string): Error {
  const isNamed = room.store.tags().some((other) => other.startsWith(`${name}:`));
  return notFound(
    isNamed
      ? `tag does not exist: ${familiar(tag)}`
      : `An image does not exist locally with the tag: ${familiar(name)}`,
  );
}

export async function push(room: Room, ctx: Ctx, input: PushInput, onProgress: OnProgress): Promise<void> {
  const parsed = referenceOf(input);
  const name = repositoryName(parsed);
  onProgress({ status: `The push refers to repository [${name}]` });
  if (parsed.digest !== undefined) throw invalid('cannot push a digest reference');
  const wantsAll = input.allTags === true && parsed.tag === undefined;
  const prefix = `${name}:`;
  const tags = wantsAll
    ? [...new Set(room.store.all().flatMap((record) => record.tags))].filter((tag) => tag.startsWith(prefix))
    : [formatReference(withDefaultTag(parsed))];
  for (const tag of tags) {
    const record =
      input.platform === undefined ? room.store.byTag(tag) : room.store.resolve(tag, input.platform);
    if (record === undefined) throw noSuch(room, name, tag);
    const reference = { ...parsed, tag: tag.slice(prefix.length) };
    await pushOne(room, ctx, { input, reference, record }, onProgress);
    emitImage(room, 'push', record, familiar(name), familiar(tag));
  }
  if (tags.length === 0) throw noSuch(room, name, name);
}
