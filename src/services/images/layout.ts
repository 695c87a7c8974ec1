/** Reads an OCI image layout out of an archive: every image of every index, with all that belongs to it. */

import { invalid, isKind } from '../../core/errors.ts';
import { referenceAnnotations, type AttachedManifest, type Descriptor } from '../../core/model/image.ts';
import { formatReference, parseReference, withDefaultTag } from '../../core/reference.ts';
import type { ArchiveFiles } from './archive-files.ts';
import type { Origin } from './assemble.ts';
import { isObject, mediaTypes } from './config.ts';
import { parseDescriptor, parseDocument, type Manifest } from './manifests.ts';

/** One image of an archive, before anything is unpacked. */
export interface Found extends Origin {
  readonly config: Buffer;
  readonly layers: readonly Descriptor[];
}

/** What one entry of an archive names: an image, or an index with an image for each platform. */
export interface FoundGroup {
  /** Normalized, with a tag. */
  readonly tags: readonly string[];
  readonly images: readonly Found[];
}

/** Indexes within indexes, and their entries, are followed no further: an archive could hold a bomb of them. */
const maxDepth = 4;
const maxManifests = 1000;

export const normalizeTag = (text: string): string => formatReference(withDefaultTag(parseReference(text)));
const pathOf = (digest: string): string => `blobs/sha256/${digest.slice(7)}`;

/** Tags of an OCI layout: the full name that containerd and BuildKit write, or a bare tag, which names nothing alone. */
function tagsOf(descriptor: Descriptor): string[] {
  const name = descriptor.annotations?.['io.containerd.image.name'];
  const reference = name ?? descriptor.annotations?.['org.opencontainers.image.ref.name'] ?? '';
  const isName = name !== undefined || /[/:]/.test(reference);
  if (!isName || reference.includes('@')) return [];
  try {
    return [normalizeTag(reference)];
  } catch {
    return [];
  }
}

interface Leaf {
  readonly descriptor: Descriptor;
  /** The indexes on the way, outermost first. */
  readonly indexes: readonly Descriptor[];
  readonly manifest: Manifest;
}

/** Every manifest below `top` whose bytes the archive holds. */
async function leavesOf(files: ArchiveFiles, top: Descriptor): Promise<Leaf[]> {
  const leaves: Leaf[] = [];
  let count = 0;
  const walk = async (descriptor: Descriptor, indexes: readonly Descriptor[]): Promise<void> => {
    if (indexes.length > maxDepth) throw invalid('invalid archive: indexes within indexes');
    if (++count > maxManifests) throw invalid('invalid archive: too many manifests in one index');
    const blob = files.find(pathOf(descriptor.digest));
    // An index may name platforms that were not saved with it.
    if (blob === undefined && indexes.length > 0) return;
    const bytes = await files.readDocument(files.get(pathOf(descriptor.digest)).digest);
    const document = parseDocument(bytes, descriptor.mediaType);
    if (document.is === 'manifest') {
      leaves.push({ descriptor, indexes, manifest: document.manifest });
      return;
    }
    for (const entry of document.manifests) await walk(entry, [...indexes, descriptor]);
  };
  await walk(top, []);
  return leaves;
}

const isImage = ({ manifest, descriptor }: Leaf): boolean =>
  descriptor.annotations?.[referenceAnnotations.type] === undefined &&
  (manifest.config.mediaType === mediaTypes.ociConfig ||
    manifest.config.mediaType === mediaTypes.dockerConfig);

const contentOf = ({ manifest }: Leaf): readonly Descriptor[] => [manifest.config, ...manifest.layers];

/** What belongs to an image: artifacts that name it, and those that name no image of this index. */
function attachedTo(image: Leaf, images: readonly Leaf[], others: readonly Leaf[]): AttachedManifest[] {
  const digests = new Set(images.map(({ descriptor }) => descriptor.digest));
  return others.flatMap((leaf) => {
    const subject = leaf.descriptor.annotations?.[referenceAnnotations.digest];
    const isElsewhere = subject !== undefined && subject !== image.descriptor.digest && digests.has(subject);
    return isElsewhere ? [] : [{ descriptor: leaf.descriptor, blobs: contentOf(leaf) }];
  });
}

async function findGroup(files: ArchiveFiles, top: Descriptor): Promise<FoundGroup | undefined> {
  const leaves = await leavesOf(files, top);
  const has = (leaf: Leaf): boolean =>
    contentOf(leaf).every(({ digest }) => files.find(pathOf(digest)) !== undefined);
  const all = leaves.filter(isImage);
  // Attestations and other artifacts lie beside images; alone they are nothing to load.
  if (all.length === 0) return undefined;
  const whole = all.filter(has);
  if (whole.length === 0)
    for (const leaf of all) for (const { digest } of contentOf(leaf)) files.get(pathOf(digest));
  const others = leaves.filter((leaf) => !isImage(leaf) && has(leaf));
  const images: Found[] = [];
  for (const leaf of whole) {
    const [index, ...innerIndexes] = leaf.indexes;
    const attached = attachedTo(leaf, all, others);
    images.push({
      config: await files.readDocument(files.get(pathOf(leaf.manifest.config.digest)).digest),
      layers: leaf.manifest.layers,
      manifest: leaf.descriptor,
      ...(index !== undefined && { index }),
      ...(innerIndexes.length > 0 && { innerIndexes }),
      ...(attached.length > 0 && { attached }),
    });
  }
  return { tags: tagsOf(top), images };
}

/** Joins entries that name the same thing: writers make one entry a tag. */
function merge(tops: readonly Descriptor[]): Map<string, { top: Descriptor; tags: string[] }> {
  const merged = new Map<string, { top: Descriptor; tags: string[] }>();
  for (const top of tops) {
    const entry = merged.get(top.digest) ?? { top, tags: [] };
    for (const tag of tagsOf(top)) if (!entry.tags.includes(tag)) entry.tags.push(tag);
    merged.set(top.digest, entry);
  }
  return merged;
}

/** A descriptor of `index.json` without what it says about the name, which is not part of the image. */
function bare(top: Descriptor): Descriptor {
  const { mediaType, digest, size, platform, artifactType } = top;
  return {
    mediaType,
    digest,
    size,
    ...(platform !== undefined && { platform }),
    ...(artifactType !== undefined && { artifactType }),
  };
}

export async function findInLayout(files: ArchiveFiles): Promise<FoundGroup[]> {
  const index = await files.readJson('index.json');
  if (!isObject(index) || !Array.isArray(index['manifests'])) throw invalid('invalid archive: index.json');
  const entries = (index['manifests'] as readonly unknown[]).map((each) => parseDescriptor(each, 'index'));
  if (entries.length > maxManifests) throw invalid('invalid archive: too many manifests in one index');
  const groups: FoundGroup[] = [];
  for (const { top, tags } of merge(entries).values()) {
    try {
      const group = await findGroup(files, bare(top));
      if (group !== undefined) groups.push({ ...group, tags });
    } catch (error) {
      // Something that cannot be loaded beside others that can; fatal when it is all there is.
      if (!isKind(error, 'notFound') || entries.length === 1) throw error;
    }
  }
  return groups;
}
