/** `docker rmi` and `docker tag`, by Docker's rules and in its words. */

import type { Ctx } from '../../core/ctx.ts';
import { conflict, invalid, notFound } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import type { ImageRecord, Platform } from '../../core/model/image.ts';
import {
  familiar,
  formatReference,
  isTag,
  parseReference,
  repositoryName,
  withDefaultTag,
} from '../../core/reference.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import type { Room } from './deps.ts';
import { emitImage } from './emit.ts';
import { blobsOf, collectGarbage } from './gc.ts';
import { planTag, refuseAmbiguous, type ImageChange } from './store.ts';
import type { RemovedItem } from './types.ts';

export async function tag(
  room: Room,
  reference: string,
  target: { readonly repository: string; readonly tag?: string },
): Promise<void> {
  const parsed = parseReference(target.repository);
  if (parsed.digest !== undefined) throw invalid('refusing to create a tag with a digest reference');
  if (target.tag !== undefined && target.tag !== '' && !isTag(target.tag))
    throw invalid('invalid tag format');
  const named = target.tag === undefined || target.tag === '' ? parsed : { ...parsed, tag: target.tag };
  const normalized = formatReference(withDefaultTag(named));
  refuseAmbiguous(normalized);
  const { id } = room.store.resolve(reference);
  const at = formatNano(nowNano());
  await room.store.change(() => {
    const record = room.store.get(id);
    if (record === undefined) throw notFound(`No such image: ${reference}`);
    // Every platform of the image takes the name; whoever had it before loses it once.
    const own = groupOf(room, record);
    const others = planTag(room.store, record, [normalized], at).filter((change) => isOther(change, own));
    return [...others, ...own.map((each) => ({ put: withTag(each, normalized, at) }))];
  });
  emitImage(room, 'tag', room.store.get(id), familiar(normalized));
}

/** What an id or a name of a record stands for: all platforms of the image, or one of them that was named by its own id. */
function groupOf(room: Room, record: ImageRecord): ImageRecord[] {
  const group = room.store.siblings(record);
  return group[0]?.id === record.id ? group : [record];
}

const isOther = (change: ImageChange, own: readonly ImageRecord[]): boolean =>
  'put' in change && own.every(({ id }) => id !== change.put.id);

function withTag(record: ImageRecord, tag: string, at: string): ImageRecord {
  return record.tags.includes(tag) ? record : { ...record, tags: [...record.tags, tag], lastTaggedAt: at };
}

const repositoryOf = (name: string): string => name.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
const tagsOf = (records: readonly ImageRecord[]): string[] => [
  ...new Set(records.flatMap(({ tags }) => tags)),
];
const namesOf = (...records: readonly ImageRecord[]): string[] => [
  ...new Set([...tagsOf(records), ...records.flatMap(({ repoDigests }) => repoDigests)]),
];

/** At most one tag, and every other name a digest in the same repository. */
function isSingleReference(group: readonly ImageRecord[]): boolean {
  const names = namesOf(...group);
  if (names.length <= 1) return true;
  return tagsOf(group).length <= 1 && new Set(names.map(repositoryOf)).size === 1;
}

const isIdOf = (record: ImageRecord, reference: string): boolean =>
  record.id.startsWith(reference) || record.id.startsWith(`sha256:${reference}`);

/** Why an image may not go; undefined when it may. `hard` reasons hold even against force. */
function obstacle(
  room: Room,
  record: ImageRecord,
  checks: { soft: boolean; references: boolean },
): Error | undefined {
  const refuse = (how: string, why: string): Error =>
    conflict(`conflict: unable to delete ${shortId(record.id)} (${how}) - ${why}`);
  const users = room.containers().filter((container) => container.imageId === record.id);
  const running = users.find((container) => container.active);
  if (room.store.all().some((other) => other.parent === record.id))
    return refuse('cannot be forced', 'image has dependent child images');
  if (running !== undefined)
    return refuse('cannot be forced', `image is being used by running container ${shortId(running.id)}`);
  if (!checks.soft) return undefined;
  if (checks.references && namesOf(record).length > 0)
    return refuse('must be forced', 'image is referenced in multiple repositories');
  const stopped = users[0];
  if (stopped !== undefined)
    return refuse('must be forced', `image is being used by stopped container ${shortId(stopped.id)}`);
  return undefined;
}

/** Takes names from an image, in all its platforms, and says so. */
async function untag(
  room: Room,
  group: readonly ImageRecord[],
  names: readonly string[],
): Promise<RemovedItem[]> {
  const [first] = group;
  if (names.length === 0 || first === undefined) return [];
  const without = (list: readonly string[]): string[] => list.filter((name) => !names.includes(name));
  await room.store.change(() =>
    group.flatMap(({ id }) => {
      const record = room.store.get(id);
      if (record === undefined) return [];
      return [{ put: { ...record, tags: without(record.tags), repoDigests: without(record.repoDigests) } }];
    }),
  );
  // Digests that go along with the last tag of their repository are no news.
  const told = names.some((name) => !name.includes('@'))
    ? names.filter((name) => !name.includes('@'))
    : names;
  for (const _name of told) emitImage(room, 'untag', room.store.get(first.id), first.id);
  return names.map((name) => ({ untagged: familiar(name) }));
}

interface DeleteOptions {
  readonly force: boolean;
  readonly noPrune: boolean;
  /** Something in the way is no error: the image stays. */
  readonly quiet: boolean;
  /** Its names stay with the other platforms of the image. */
  readonly isPart?: boolean;
}

/** Deletes an image, its layers and blobs, and then its parents that nothing else needs. */
export async function deleteImage(
  room: Room,
  ctx: Ctx,
  record: ImageRecord,
  options: DeleteOptions,
): Promise<RemovedItem[]> {
  const current = room.store.get(record.id);
  if (current === undefined) return [];
  const isPart = options.isPart === true;
  const why = obstacle(room, current, { soft: !options.force, references: !isPart });
  if (why !== undefined) {
    // Only the name was to go: the image stays for whoever uses it.
    if (options.quiet) return [];
    throw why;
  }
  const items = isPart ? [] : await untag(room, [current], namesOf(current));
  const name = current.id;
  await room.store.change(() => [{ remove: current.id }]);
  emitImage(room, 'delete', current, name);
  items.push({ deleted: current.id });
  const { layers } = await collectGarbage(room, ctx, {
    layers: current.layers.map((layer) => layer.chainId),
    blobs: blobsOf(current),
  });
  for (const chainId of current.layers.map((layer) => layer.chainId).toReversed())
    if (layers.includes(chainId)) items.push({ deleted: chainId });
  const parent = current.parent === undefined ? undefined : room.store.get(current.parent);
  // A parent that has a name of its own is not ours to remove.
  if (options.noPrune || parent === undefined || namesOf(parent).length > 0) return items;
  const quietly = { noPrune: false, force: false, quiet: true };
  return [...items, ...(await deleteImage(room, ctx, parent, quietly))];
}

/** Removes one name. The image goes with its last name. */
async function removeByName(
  room: Room,
  ctx: Ctx,
  record: ImageRecord,
  reference: string,
  options: { readonly force: boolean; readonly noPrune: boolean },
): Promise<RemovedItem[]> {
  const group = room.store.siblings(record);
  if (!options.force && isSingleReference(group)) {
    const ids = new Set(group.map(({ id }) => id));
    const user = room.containers().find((container) => ids.has(container.imageId));
    if (user !== undefined)
      throw conflict(
        `conflict: unable to remove repository reference ${JSON.stringify(reference)} (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(user.imageId)}`,
      );
  }
  const parsed = withDefaultTag(parseReference(reference));
  const { digest } = parsed;
  const name = digest === undefined ? formatReference(parsed) : `${repositoryName(parsed)}@${digest}`;
  const going = [name];
  const repository = repositoryName(parsed);
  const left = tagsOf(group).filter((other) => other !== name && repositoryOf(other) === repository);
  // Digests of a repository without a tag left in it would keep the image alive unseen.
  if (digest === undefined && left.length === 0)
    going.push(
      ...namesOf(...group).filter((other) => other.includes('@') && repositoryOf(other) === repository),
    );
  const items = await untag(room, group, going);
  for (const { id } of group) {
    const rest = room.store.get(id);
    if (rest === undefined || namesOf(rest).length > 0) continue;
    items.push(...(await deleteImage(room, ctx, rest, { ...options, quiet: true })));
  }
  return items;
}

/** Removes single platforms of an image; the names stay with those that are left. */
async function removeParts(
  room: Room,
  ctx: Ctx,
  parts: readonly ImageRecord[],
  options: { readonly force: boolean; readonly noPrune: boolean },
): Promise<RemovedItem[]> {
  const items: RemovedItem[] = [];
  for (const part of parts)
    items.push(...(await deleteImage(room, ctx, part, { ...options, quiet: false, isPart: true })));
  return items;
}

async function removeById(
  room: Room,
  ctx: Ctx,
  group: readonly ImageRecord[],
  options: { readonly force: boolean; readonly noPrune: boolean },
): Promise<RemovedItem[]> {
  const items: RemovedItem[] = [];
  if (isSingleReference(group)) {
    for (const record of group) {
      const why = obstacle(room, record, { soft: !options.force, references: false });
      if (why !== undefined) throw why;
    }
    items.push(...(await untag(room, group, namesOf(...group))));
  }
  for (const record of group)
    items.push(...(await deleteImage(room, ctx, record, { ...options, quiet: false })));
  return items;
}

export async function remove(
  room: Room,
  ctx: Ctx,
  reference: string,
  input: {
    readonly force?: boolean;
    readonly noPrune?: boolean;
    readonly platforms?: readonly Platform[];
  },
): Promise<readonly RemovedItem[]> {
  const record = room.store.resolve(reference);
  const options = { force: input.force ?? false, noPrune: input.noPrune ?? false };
  const all = room.store.siblings(record);
  const wanted = (input.platforms ?? []).map((platform) => room.store.resolve(reference, platform));
  const isSome = wanted.length > 0 && all.some(({ id }) => wanted.every((part) => part.id !== id));
  if (isSome) return removeParts(room, ctx, [...new Set(wanted)], options);
  if (!isIdOf(record, reference)) return removeByName(room, ctx, record, reference, options);
  const group = groupOf(room, record);
  if (group.length < all.length) return removeParts(room, ctx, group, options);
  return removeById(room, ctx, group, options);
}
