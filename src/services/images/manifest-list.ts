/** What the index of an image names: which platforms and attestations there are, and which of them are here. */

import {
  platformOf,
  referenceAnnotations,
  type AttachedManifest,
  type Descriptor,
  type ImageRecord,
  type Platform,
} from '../../core/model/image.ts';
import { maxDocument } from './config.ts';
import type { Room } from './deps.ts';
import { parseDocument } from './manifests.ts';
import { manifestOf } from './save.ts';
import type { ManifestSummary } from './types.ts';

const unknownPlatform: Platform = { os: 'unknown', architecture: 'unknown' };

/** Bytes of those that are in the content store, each counted once. */
async function contentSize(room: Room, digests: readonly (string | undefined)[]): Promise<number> {
  const wanted = [...new Set(digests.filter((digest) => digest !== undefined))];
  const infos = await Promise.all(wanted.map((digest) => room.blobs.has(digest)));
  return infos.reduce((total, info) => total + (info?.size ?? 0), 0);
}

async function imageManifest(
  room: Room,
  record: ImageRecord,
  descriptor: Descriptor,
): Promise<ManifestSummary> {
  const layers = record.layers.map(({ blob }) => blob?.digest);
  const content = await contentSize(room, [descriptor.digest, record.id, ...layers]);
  const unpacked = record.layers.reduce((total, { size }) => total + size, 0);
  const containers = room.containers().filter(({ imageId }) => imageId === record.id);
  return {
    id: descriptor.digest,
    descriptor,
    available: true,
    content,
    kind: 'image',
    image: {
      platform: descriptor.platform ?? platformOf(record.config),
      containers: containers.map(({ id }) => id),
      unpacked,
    },
  };
}

async function otherManifest(
  room: Room,
  descriptor: Descriptor,
  attached: AttachedManifest | undefined,
): Promise<ManifestSummary> {
  const annotations = descriptor.annotations ?? {};
  const blobs = (attached?.blobs ?? []).map(({ digest }) => digest);
  const content = await contentSize(room, [descriptor.digest, ...blobs]);
  const common = { id: descriptor.digest, descriptor, available: attached !== undefined, content };
  const type = annotations[referenceAnnotations.type];
  if (type === referenceAnnotations.attestation)
    return { ...common, kind: 'attestation', attestationFor: annotations[referenceAnnotations.digest] ?? '' };
  if (type !== undefined || descriptor.artifactType !== undefined || attached !== undefined)
    return { ...common, kind: 'unknown' };
  const image = { platform: descriptor.platform ?? unknownPlatform, containers: [], unpacked: 0 };
  return { ...common, kind: 'image', image };
}

/** The entries of an index, those of indexes within it in their place; empty when it is not here. */
async function entriesOf(room: Room, index: Descriptor, depth = 0): Promise<Descriptor[]> {
  if (depth > 4 || (await room.blobs.has(index.digest)) === undefined) return [];
  const document = parseDocument(await room.blobs.readAll(index.digest, maxDocument), index.mediaType);
  if (document.is !== 'index') return [];
  const found: Descriptor[] = [];
  for (const entry of document.manifests) {
    const inner = entry.mediaType.includes('index') || entry.mediaType.includes('manifest.list');
    if (inner) found.push(...(await entriesOf(room, entry, depth + 1)));
    else found.push(entry);
  }
  return found;
}

/** Every manifest of an image, in the order of its index. `group`: the image and its other platforms. */
export async function listManifests(room: Room, group: readonly ImageRecord[]): Promise<ManifestSummary[]> {
  const [first] = group;
  if (first === undefined) return [];
  const entries = first.index === undefined ? [] : await entriesOf(room, first.index);
  const byDigest = new Map(group.map((record) => [record.manifest?.digest, record]));
  const attached = new Map(
    group.flatMap((record) => (record.attached ?? []).map((each) => [each.descriptor.digest, each])),
  );
  const summaries: ManifestSummary[] = [];
  for (const descriptor of entries) {
    const record = byDigest.get(descriptor.digest);
    byDigest.delete(descriptor.digest);
    summaries.push(
      record === undefined
        ? await otherManifest(room, descriptor, attached.get(descriptor.digest))
        : await imageManifest(room, record, descriptor),
    );
  }
  // Made here, or without an index: the manifest it would be saved with.
  for (const record of byDigest.values()) {
    const { descriptor } = await manifestOf(room, record);
    const platform = platformOf(record.config);
    summaries.push(await imageManifest(room, record, { ...descriptor, platform }));
  }
  return summaries;
}
