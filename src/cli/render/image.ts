/** Images in `images`: one row for each name. */
import type { ImageSummary } from '../../client/index.ts';
import { Struct } from '../../template/index.ts';
import { humanDuration, humanSize, humanSize4, localTime, shortId } from './units.ts';

export const IMAGE_TITLES = {
  ID: 'IMAGE ID',
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  VirtualSize: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
} as const;

const NONE = '<none>';

export interface ImageName {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/** The name without docker.io/library/, as people write it. */
function familiar(name: string): string {
  return name.replace(/^docker\.io\/(library\/)?/, '');
}

function splitTag(reference: string): { repository: string; tag: string } | undefined {
  const at = reference.lastIndexOf(':');
  if (at < 0 || reference.slice(at).includes('/')) return undefined;
  return { repository: familiar(reference.slice(0, at)), tag: reference.slice(at + 1) };
}

/** Tags and digests by repository, in the order of the tags. */
function group(image: ImageSummary): Map<string, { tags: string[]; digests: string[] }> {
  const groups = new Map<string, { tags: string[]; digests: string[] }>();
  const of = (repository: string) => {
    const found = groups.get(repository) ?? { tags: [], digests: [] };
    groups.set(repository, found);
    return found;
  };
  for (const reference of image.RepoTags ?? []) {
    const parts = splitTag(reference);
    if (parts !== undefined) of(parts.repository).tags.push(parts.tag);
  }
  for (const reference of image.RepoDigests ?? []) {
    const at = reference.indexOf('@');
    if (at > 0) of(familiar(reference.slice(0, at))).digests.push(reference.slice(at + 1));
  }
  return groups;
}

const untagged = (image: ImageSummary): boolean =>
  (image.RepoTags ?? []).every((tag) => tag === '<none>:<none>') &&
  (image.RepoDigests ?? []).every((digest) => digest === '<none>@<none>');

/** The names under which `images` shows an image. */
export function imageNames(
  image: ImageSummary,
  options: { readonly digests: boolean; readonly rowPerDigest: boolean },
): ImageName[] {
  const { digests, rowPerDigest } = options;
  if (untagged(image)) return [{ repository: NONE, tag: NONE, digest: NONE }];
  const names: ImageName[] = [];
  for (const [repository, found] of group(image)) {
    if (found.tags.length === 0) {
      // Without --digests an image that is known by digest only is one line, and its digest is not told.
      const shown = rowPerDigest ? found.digests : [''];
      names.push(...shown.map((digest) => ({ repository, tag: NONE, digest })));
    } else if (!digests || found.digests.length === 0) {
      names.push(...found.tags.map((tag) => ({ repository, tag, digest: NONE })));
    } else {
      for (const tag of found.tags)
        names.push(...found.digests.map((digest) => ({ repository, tag, digest })));
    }
  }
  return names;
}

const known = (size: number): string => (size === -1 ? 'N/A' : humanSize4(size));

export function imageRow(
  image: ImageSummary,
  name: ImageName,
  options: { readonly truncate: boolean; readonly now: number },
): Struct {
  return new Struct('*formatter.imageContext', {
    Containers: () => (image.Containers === -1 ? 'N/A' : String(image.Containers)),
    CreatedAt: () => localTime(image.Created * 1000),
    CreatedSince: () => `${humanDuration(options.now - image.Created * 1000)} ago`,
    Digest: () => name.digest,
    ID: () => (options.truncate ? shortId(image.Id) : image.Id),
    Repository: () => name.repository,
    SharedSize: () => known(image.SharedSize),
    Size: () => humanSize(image.Size),
    Tag: () => name.tag,
    UniqueSize: () => (image.SharedSize === -1 ? 'N/A' : humanSize4(image.Size - image.SharedSize)),
    VirtualSize: () => humanSize4(image.Size),
  });
}
