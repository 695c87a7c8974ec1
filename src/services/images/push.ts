/** `docker push`: layers compressed where they are not, sent where the registry lacks them, the manifest last. */

import type { Ctx } from '../../core/ctx.ts';
import { internal, notFound } from '../../core/errors.ts';
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
import { allOrNone } from './assemble.ts';
import { digestOf, maxDocument, mediaTypes } from './config.ts';
import type { Room } from './deps.ts';
import { emitImage } from './emit.ts';
import { withLease } from './gc.ts';
import { compressedLayer } from './layer-content.ts';
import type { Lease } from './leases.ts';
import { parseDocument } from './manifests.ts';
import { createMeter } from './progress.ts';
import { referenceOf } from './pull.ts';
import type { OnProgress, PushInput } from './types.ts';
import { Readable } from 'node:stream';

interface Prepared {
  readonly layers: readonly ImageLayer[];
  readonly manifest: { readonly descriptor: Descriptor; readonly bytes: Buffer };
  readonly blobs: readonly Descriptor[];
}

/** What is sent: the manifest that the image came with, as long as all it names is here, or a new one. */
async function prepare(room: Room, ctx: Ctx, lease: Lease, record: ImageRecord): Promise<Prepared> {
  const known = record.manifest;
  if (known !== undefined && (await room.blobs.has(known.digest)) !== undefined) {
    const bytes = await room.blobs.readAll(known.digest, maxDocument);
    const document = parseDocument(bytes, known.mediaType);
    if (document.is === 'manifest') {
      const { config, layers } = document.manifest;
      const allHere = await Promise.all(layers.map((blob) => room.blobs.has(blob.digest)));
      if (allHere.every((info) => info !== undefined))
        return { layers: record.layers, manifest: { descriptor: known, bytes }, blobs: [...layers, config] };
    }
  }
  const layers: ImageLayer[] = [];
  for (const layer of record.layers) layers.push(await compressedLayer(room, ctx, lease, layer));
  const configSize = (await room.blobs.has(record.id))?.size;
  if (configSize === undefined) throw internal(`config of image ${record.id} is missing`);
  const config: Descriptor = { mediaType: mediaTypes.dockerConfig, digest: record.id, size: configSize };
  const blobs = layers.flatMap(({ blob }) =>
    blob === undefined ? [] : [{ mediaType: mediaTypes.dockerLayer, digest: blob.digest, size: blob.size }],
  );
  const body = { schemaVersion: 2, mediaType: mediaTypes.dockerManifest, config, layers: blobs };
  const bytes = Buffer.from(JSON.stringify(body));
  const descriptor = { mediaType: mediaTypes.dockerManifest, digest: digestOf(bytes), size: bytes.length };
  await lease.blob(descriptor.digest);
  await room.blobs.ingest(ctx, Readable.from([bytes]), { digest: descriptor.digest });
  return { layers, manifest: { descriptor, bytes }, blobs: [...blobs, config] };
}

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
  const meter = shownId === undefined ? undefined : createMeter(onProgress, 'Pushing', shownId, blob.size);
  const from = mountSource(room, reference, blob.digest);
  const { outcome } = await room.gate.run(() =>
    room.registry.pushBlob(
      ctx,
      { domain: reference.domain, path: reference.path },
      blob,
      () => room.blobs.read(blob.digest),
      input.credentials,
      from,
      (bytes) => meter?.set(bytes),
    ),
  );
  if (outcome === 'exists') say('Layer already exists');
  else if (outcome === 'mounted') say(`Mounted from ${from?.path ?? ''}`);
  else say('Pushed');
}

async function pushOne(
  room: Room,
  ctx: Ctx,
  input: PushInput,
  reference: ImageReference,
  record: ImageRecord,
  onProgress: OnProgress,
): Promise<void> {
  await withLease(room, ctx, async (lease) => {
    await lease.blob(record.id);
    const { layers, manifest, blobs } = await prepare(room, ctx, lease, record);
    const diffIdOf = new Map(layers.map((layer) => [layer.blob?.digest, layer.diffId]));
    await allOrNone(
      ctx,
      blobs.map(
        (blob) => (own: Ctx) =>
          pushLayer(room, own, input, reference, blob, diffIdOf.get(blob.digest), onProgress),
      ),
    );
    const tag = reference.tag ?? '';
    const { descriptor, bytes } = manifest;
    const repository = { domain: reference.domain, path: reference.path };
    const { digest } = await room.registry.pushManifest(
      ctx,
      repository,
      tag,
      descriptor.mediaType,
      bytes,
      input.credentials,
    );
    const pushed = `${repositoryName(reference)}@${digest}`;
    await room.store.change(() => {
      const now = room.store.get(record.id);
      if (now === undefined) return [];
      const repoDigests = now.repoDigests.includes(pushed) ? now.repoDigests : [...now.repoDigests, pushed];
      // What the image came with stays what it is, also when its layers had to be packed anew for this push.
      return [{ put: { ...now, layers, manifest: now.manifest ?? descriptor, repoDigests } }];
    });
    onProgress({ status: `${tag}: digest: ${digest} size: ${bytes.length}` });
    onProgress({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: bytes.length } });
  });
}

export async function push(room: Room, ctx: Ctx, input: PushInput, onProgress: OnProgress): Promise<void> {
  const parsed = referenceOf(input);
  const name = repositoryName(parsed);
  onProgress({ status: `The push refers to repository [${name}]` });
  const wantsAll = input.allTags === true && parsed.tag === undefined;
  const prefix = `${name}:`;
  const tags = wantsAll
    ? room.store.all().flatMap((record) => record.tags.filter((tag) => tag.startsWith(prefix)))
    : [formatReference(withDefaultTag(parsed))];
  for (const tag of tags) {
    const record = room.store.byTag(tag);
    if (record === undefined)
      throw notFound(`An image does not exist locally with the tag: ${familiar(name)}`);
    await pushOne(room, ctx, input, { ...parsed, tag: tag.slice(prefix.length) }, record, onProgress);
    emitImage(room, 'push', record, familiar(name), familiar(tag));
  }
  if (tags.length === 0) throw notFound(`An image does not exist locally with the tag: ${familiar(name)}`);
}
