/** `docker rmi`, `docker tag` and `docker image prune`, by Docker's rules and in its words. */

import type { Ctx } from '../../core/ctx.ts';
import { conflict, invalid, notFound } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import type { ImageRecord } from '../../core/model/image.ts';
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
import { booleanFilter, checkFilters, imagePredicate } from './filters.ts';
import { blobsOf, collectGarbage } from './gc.ts';
import { planTag } from './store.ts';
import type { Filters, PruneReport, RemovedItem } from './types.ts';

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
  const { id } = room.store.resolve(reference);
  await room.store.change(() => {
    const record = room.store.get(id);
    if (record === undefined) throw notFound(`No such image: ${reference}`);
    return planTag(room.store, record, [normalized], formatNano(nowNano()));
  });
  emitImage(room, 'tag', room.store.get(id), familiar(normalized));
}

const repositoryOf = (name: string): string => name.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
const namesOf = (record: ImageRecord): string[] => [...record.tags, ...record.repoDigests];

/** At most one tag, and every other name a digest in the same repository. */
function isSingleReference(record: ImageRecord): boolean {
  if (namesOf(record).length <= 1) return true;
  return record.tags.length <= 1 && new Set(namesOf(record).map(repositoryOf)).size === 1;
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

/** Takes names from an image and says so. */
async function untag(room: Room, id: string, names: readonly string[]): Promise<RemovedItem[]> {
  if (names.length === 0) return [];
  await room.store.change(() => {
    const record = room.store.get(id);
    if (record === undefined) return [];
    const without = (list: readonly string[]): string[] => list.filter((name) => !names.includes(name));
    return [{ put: { ...record, tags: without(record.tags), repoDigests: without(record.repoDigests) } }];
  });
  for (const _name of names) emitImage(room, 'untag', room.store.get(id), id);
  return names.map((name) => ({ untagged: familiar(name) }));
}

/** Deletes an image, its layers and blobs, and then its parents that nothing else needs. */
async function deleteImage(
  room: Room,
  ctx: Ctx,
  record: ImageRecord,
  options: { readonly force: boolean; readonly noPrune: boolean; readonly quiet: boolean },
): Promise<RemovedItem[]> {
  const current = room.store.get(record.id);
  if (current === undefined) return [];
  const why = obstacle(room, current, { soft: !options.force, references: true });
  if (why !== undefined) {
    // Only the name was to go: the image stays for whoever uses it.
    if (options.quiet) return [];
    throw why;
  }
  const items = await untag(room, current.id, namesOf(current));
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
  return [...items, ...(await deleteImage(room, ctx, parent, { ...options, force: false, quiet: true }))];
}

/** Removes one name. The image goes with its last name. */
async function removeByName(
  room: Room,
  ctx: Ctx,
  record: ImageRecord,
  reference: string,
  options: { readonly force: boolean; readonly noPrune: boolean },
): Promise<RemovedItem[]> {
  if (!options.force && isSingleReference(record)) {
    const user = room.containers().find((container) => container.imageId === record.id);
    if (user !== undefined)
      throw conflict(
        `conflict: unable to remove repository reference ${JSON.stringify(reference)} (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(record.id)}`,
      );
  }
  const parsed = withDefaultTag(parseReference(reference));
  const { digest } = parsed;
  const name = digest === undefined ? formatReference(parsed) : `${repositoryName(parsed)}@${digest}`;
  const going = [name];
  const repository = repositoryName(parsed);
  const left = record.tags.filter((other) => other !== name && repositoryOf(other) === repository);
  // Digests of a repository without a tag left in it would keep the image alive unseen.
  if (digest === undefined && left.length === 0)
    going.push(...record.repoDigests.filter((other) => repositoryOf(other) === repository));
  const items = await untag(room, record.id, going);
  const rest = room.store.get(record.id);
  if (rest === undefined || namesOf(rest).length > 0) return items;
  return [...items, ...(await deleteImage(room, ctx, rest, { ...options, quiet: true }))];
}

export async function remove(
  room: Room,
  ctx: Ctx,
  reference: string,
  options: { readonly force?: boolean; readonly noPrune?: boolean },
): Promise<readonly RemovedItem[]> {
  const record = room.store.resolve(reference);
  const [force, noPrune] = [options.force ?? false, options.noPrune ?? false];
  if (!isIdOf(record, reference)) return removeByName(room, ctx, record, reference, { force, noPrune });
  let items: RemovedItem[] = [];
  if (isSingleReference(record)) {
    const why = obstacle(room, record, { soft: !force, references: false });
    if (why !== undefined) throw why;
    items = await untag(room, record.id, namesOf(record));
  }
  return [...items, ...(await deleteImage(room, ctx, record, { force, noPrune, quiet: false }))];
}

export async function prune(room: Room, ctx: Ctx, filters: Filters): Promise<PruneReport> {
  checkFilters(filters, ['dangling', 'label', 'label!', 'until']);
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true;
  const { dangling: _dangling, ...rest } = filters;
  const fits = imagePredicate(room.store, rest, Date.now() / 1000);
  const used = new Set(room.containers().map((container) => container.imageId));
  const deleted: RemovedItem[] = [];
  const before = layersOf(room);
  const candidates = room.store
    .all()
    .filter((record) => fits(record) && !used.has(record.id) && !(danglingOnly && record.tags.length > 0));
  for (const record of candidates) {
    if (ctx.signal.aborted) break;
    // Looked at again: what was free may have been taken, and a child may have just gone.
    if (room.containers().some((container) => container.imageId === record.id)) continue;
    if (room.store.all().some((other) => other.parent === record.id)) continue;
    deleted.push(...(await deleteImage(room, ctx, record, { force: true, noPrune: false, quiet: true })));
  }
  const after = layersOf(room);
  let spaceReclaimed = 0;
  for (const [chainId, size] of before) if (!after.has(chainId)) spaceReclaimed += size;
  room.events.emit({
    type: 'image',
    action: 'prune',
    actorId: '',
    attributes: { reclaimed: String(spaceReclaimed) },
  });
  return { deleted, spaceReclaimed };
}

function layersOf(room: Room): Map<string, number> {
  return new Map(
    room.store.all().flatMap((record) => record.layers.map((layer) => [layer.chainId, layer.size] as const)),
  );
}
