/** `docker push`: layers compressed where they are not, sent where the registry lacks them, the manifest last. */

import type { Ctx } from '../../core/ctx.ts';
import { notFound } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import type { Descriptor, ImageRecord } from '../../core/model/image.ts';
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
import { withLease } from './gc.ts';
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

/** What the tag names in the registry now; it is not asked about a repository that the image never was in. */
async function digestAtTag(room: Room, ctx: Ctx, target: Target): Promise<string | undefined> {
  const { input, reference, record } = target;
  const prefix = `${repositoryName(reference)}@`;
  if (reference.tag === undefined || !record.repoDigests.some((name) => name.startsWith(prefix)))
    return undefined;
  return await room.registry.manifestDigest(ctx, repositoryOf(reference), reference.tag, input.credentials);
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
function pushed(now: ImageRecord, plan: PushPlan, name: string): ImageRecord | undefined {
  const isKnown = now.repoDigests.includes(name);
  if (isKnown && now.layers === plan.layers && now.manifest !== undefined) return undefined;
  const repoDigests = isKnown ? now.repoDigests : [...now.repoDigests, name];
  // What the image came with stays what it is, also when its layers had to be packed anew for this push.
  return { ...now, layers: plan.layers, manifest: now.manifest ?? plan.manifest, repoDigests };
}

async function sendAll(
  room: Room,
  ctx: Ctx,
  target: Target,
  plan: PushPlan,
  tagged: string | undefined,
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
    for (const blob of plan.blobs) {
      const id = diffIdOf.get(blob.digest);
      if (id !== undefined)
        onProgress({ status: 'Layer already exists', progressDetail: {}, id: shortId(id) });
    }
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
  // Put once more it would be the same: registries store, sync and announce each one.
  if (tagged === digest) return digest;
  return await put(ctx, plan.top, reference.tag ?? '');
}

async function pushOne(room: Room, ctx: Ctx, target: Target, onProgress: OnProgress): Promise<void> {
  const { input, reference, record } = target;
  await withLease(room, ctx, async (lease) => {
    await lease.blob(record.id);
    const asked = digestAtTag(room, ctx, target);
    // Told where it is awaited.
    asked.catch(() => {});
    const plan = await planPush(room, ctx, lease, record, input.platform !== undefined);
    const tag = reference.tag ?? '';
    const digest = await sendAll(room, ctx, target, plan, await asked, onProgress);
    await room.store.change(() => {
      const now = room.store.get(record.id);
      const put = now === undefined ? undefined : pushed(now, plan, `${repositoryName(reference)}@${digest}`);
      return put === undefined ? [] : [{ put }];
    });
    const size = plan.top.bytes.length;
    onProgress({ status: `${tag}: digest: ${digest} size: ${size}` });
    onProgress({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
    if (plan.insteadOf !== undefined)
      onProgress({
        aux: {
          manifestPushedInsteadOfIndex: true,
          originalIndex: plan.insteadOf,
          selectedManifest: plan.top.descriptor,
        },
      });
  });
}

export async function push(room: Room, ctx: Ctx, input: PushInput, onProgress: OnProgress): Promise<void> {
  const parsed = referenceOf(input);
  const name = repositoryName(parsed);
  onProgress({ status: `The push refers to repository [${name}]` });
  const wantsAll = input.allTags === true && parsed.tag === undefined;
  const prefix = `${name}:`;
  const tags = wantsAll
    ? [...new Set(room.store.all().flatMap((record) => record.tags))].filter((tag) => tag.startsWith(prefix))
    : [formatReference(withDefaultTag(parsed))];
  for (const tag of tags) {
    const record =
      input.platform === undefined ? room.store.byTag(tag) : room.store.resolve(tag, input.platform);
    if (record === undefined)
      throw notFound(`An image does not exist locally with the tag: ${familiar(name)}`);
    const reference = { ...parsed, tag: tag.slice(prefix.length) };
    await pushOne(room, ctx, { input, reference, record }, onProgress);
    emitImage(room, 'push', record, familiar(name), familiar(tag));
  }
  if (tags.length === 0) throw notFound(`An image does not exist locally with the tag: ${familiar(name)}`);
}
