/**
 * The images that exist: all records in memory, with indexes by tag and digest that are derived and never stored.
 * Changes go through one queue, are durable before they show, and are atomic over several records.
 */

import { conflict, invalid, notFound } from '../../core/errors.ts';
import { KeyedQueue } from '../../core/keyed-queue.ts';
import { platformOf, type ImageRecord, type Platform } from '../../core/model/image.ts';
import { formatPlatform, platformFit } from '../../core/platform.ts';
import type { RecordStore } from '../../core/ports/record-store.ts';
import {
  familiar,
  formatReference,
  parseReference,
  repositoryName,
  withDefaultTag,
  type ImageReference,
} from '../../core/reference.ts';

export type ImageChange = { readonly put: ImageRecord } | { readonly remove: string };

export class ImageStore {
  readonly #records: RecordStore;
  readonly #host: Platform;
  readonly #images = new Map<string, ImageRecord>();
  /** Tag or `name@digest` -> ids. More than one when images of several platforms came with one index. */
  readonly #names = new Map<string, string[]>();
  /** Digest of an index -> ids of the images that came with it. */
  readonly #indexes = new Map<string, string[]>();
  readonly #queue = new KeyedQueue();

  /** `host`: what is chosen from several platforms when nobody asks for one. */
  constructor(records: RecordStore, host: Platform) {
    this.#records = records;
    this.#host = host;
  }

  /** Reads what is stored; to be called once, first. */
  async open(): Promise<void> {
    for (const record of await this.#records.list('image')) this.#show(record);
  }

  get(id: string): ImageRecord | undefined {
    return this.#images.get(id);
  }

  all(): ImageRecord[] {
    return [...this.#images.values()];
  }

  /**
   * The images that have a name (a normalized reference with a tag, or `name@digest`): the one that fits `platform` (the
   * host's by default) best first, those that do not fit last.
   */
  named(name: string, platform?: Platform): ImageRecord[] {
    const ids = this.#names.get(name) ?? [];
    const records = ids.flatMap((id) => this.#images.get(id) ?? []);
    return records.length < 2 ? records : this.#byFit(records, platform);
  }

  /** All normalized names with a tag, in no order. */
  tags(): string[] {
    return [...this.#names.keys()].filter((name) => !name.includes('@'));
  }

  /** The image that has a tag; of several platforms the host's own, or any. */
  byTag(normalized: string): ImageRecord | undefined {
    return this.named(normalized)[0];
  }

  /** The image and those of other platforms that came with the same index; the host's platform first. */
  siblings(record: ImageRecord): ImageRecord[] {
    const ids = record.index === undefined ? [] : (this.#indexes.get(record.index.digest) ?? []);
    if (ids.length < 2) return [record];
    return this.#byFit(ids.flatMap((id) => this.#images.get(id) ?? []));
  }

  /**
   * What `docker images` shows as one: an image, or those of several platforms that came with one index, the host's first.
   * The first of each stands for all.
   */
  groups(): ImageRecord[][] {
    return this.all().flatMap((record) => {
      const group = this.siblings(record);
      return group[0]?.id === record.id ? [group] : [];
    });
  }

  #byFit(records: readonly ImageRecord[], platform = this.#host): ImageRecord[] {
    const fit = (record: ImageRecord): number => platformFit(platform, platformOf(record.config));
    const order = (a: ImageRecord, b: ImageRecord): number =>
      fit(b) - fit(a) || (a.importedAt < b.importedAt ? -1 : a.importedAt > b.importedAt ? 1 : 0);
    return [...records].sort(order);
  }

  /** Runs `plan` when no other change is under way, and commits what it returns. What it reads stays true until then. */
  change(plan: () => readonly ImageChange[]): Promise<void> {
    return this.#queue.run('images', async () => {
      const changes = plan();
      await this.#records.commit(
        changes.map((change) =>
          'put' in change
            ? { op: 'put', kind: 'image', id: change.put.id, record: change.put }
            : { op: 'delete', kind: 'image', id: change.remove },
        ),
      );
      for (const change of changes) {
        if ('put' in change) this.#show(change.put);
        else this.#hide(change.remove);
      }
    });
  }

  /**
   * By name, digest, id or unique prefix of an id. `invalid` for what is no reference, `conflict` for a prefix of several.
   * Of several platforms the one that fits `platform` best.
   */
  find(reference: string, platform?: Platform): ImageRecord | undefined {
    const exact = this.#images.get(reference) ?? this.#images.get(`sha256:${reference}`);
    if (exact !== undefined) return platform === undefined ? exact : this.#sibling(exact, platform);
    const prefix = reference.startsWith('sha256:') ? reference.slice(7) : reference;
    const isPrefix = /^[0-9a-f]{1,64}$/.test(prefix);
    // `sha256:12ab` is an image called sha256 only when no id begins like this.
    const named =
      isPrefix && prefix.length === 64 ? [] : this.named(nameOf(parseReference(reference)), platform);
    if (named.length > 0 || !isPrefix) return named[0];
    const found = this.all().filter((record) => record.id.startsWith(`sha256:${prefix}`));
    if (found.length > 1) throw conflict(`ambiguous image ID prefix: ${reference}`);
    const [only] = found;
    return only === undefined || platform === undefined ? only : this.#sibling(only, platform);
  }

  /** As `find`; `notFound` when there is none, or none for the platform that is asked for. */
  resolve(reference: string, platform?: Platform): ImageRecord {
    const record = this.find(reference, platform);
    if (record === undefined) throw notFound(`No such image: ${describeMissing(reference)}`);
    if (platform !== undefined && platformFit(platform, platformOf(record.config)) < 0)
      throw notFound(
        `image with reference ${reference} was found but does not provide the specified platform (${formatPlatform(platform)})`,
      );
    return record;
  }

  #sibling(record: ImageRecord, platform: Platform): ImageRecord {
    return this.#byFit(this.siblings(record), platform)[0] ?? record;
  }

  #show(record: ImageRecord): void {
    this.#hide(record.id);
    this.#images.set(record.id, record);
    for (const name of [...record.tags, ...record.repoDigests]) addId(this.#names, name, record.id);
    if (record.index !== undefined) addId(this.#indexes, record.index.digest, record.id);
  }

  #hide(id: string): void {
    const old = this.#images.get(id);
    this.#images.delete(id);
    for (const name of [...(old?.tags ?? []), ...(old?.repoDigests ?? [])]) dropId(this.#names, name, id);
    if (old?.index !== undefined) dropId(this.#indexes, old.index.digest, id);
  }
}

function addId(map: Map<string, string[]>, key: string, id: string): void {
  const ids = map.get(key);
  if (ids === undefined) map.set(key, [id]);
  else if (!ids.includes(id)) ids.push(id);
}

function dropId(map: Map<string, string[]>, key: string, id: string): void {
  const left = (map.get(key) ?? []).filter((other) => other !== id);
  if (left.length === 0) map.delete(key);
  else map.set(key, left);
}

/** The name under which the store knows a reference. */
function nameOf(reference: ImageReference): string {
  return reference.digest === undefined
    ? formatReference(withDefaultTag(reference))
    : `${repositoryName(reference)}@${reference.digest}`;
}

function describeMissing(reference: string): string {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(reference)) return `sha256:${reference.slice(-64)}`;
  return familiar(formatReference(withDefaultTag(parseReference(reference))));
}

/** `sha256:12ab` would be an id. */
export function refuseAmbiguous(tag: string): void {
  if (/^sha(256|384|512):/.test(familiar(tag)))
    throw invalid('refusing to create an ambiguous tag using digest algorithm as name');
}

/**
 * The changes that move tags to `record` (which may be new): whoever had them loses them, except images of other platforms
 * that came with the same index. Pure.
 */
export function planTag(
  store: ImageStore,
  record: ImageRecord,
  tags: readonly string[],
  at: string,
): ImageChange[] {
  const losers = new Map<string, ImageRecord>();
  for (const tag of tags) {
    for (const holder of store.named(tag)) {
      const isSibling = record.index !== undefined && holder.index?.digest === record.index.digest;
      if (holder.id === record.id || isSibling) continue;
      const current = losers.get(holder.id) ?? holder;
      losers.set(holder.id, { ...current, tags: current.tags.filter((other) => other !== tag) });
    }
  }
  const added = tags.filter((tag) => !record.tags.includes(tag));
  for (const tag of added) refuseAmbiguous(tag);
  const put = {
    ...record,
    tags: [...record.tags, ...added],
    lastTaggedAt: added.length > 0 ? at : record.lastTaggedAt,
  };
  return [...[...losers.values()].map((loser) => ({ put: loser })), { put }];
}
