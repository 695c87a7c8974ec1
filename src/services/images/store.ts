/**
 * The images that exist: all records in memory, with indexes by tag and digest that are derived and never stored.
 * Changes go through one queue, are durable before they show, and are atomic over several records.
 */

import { conflict, notFound } from '../../core/errors.ts';
import { KeyedQueue } from '../../core/keyed-queue.ts';
import type { ImageRecord } from '../../core/model/image.ts';
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
  readonly #images = new Map<string, ImageRecord>();
  readonly #tags = new Map<string, string>();
  readonly #queue = new KeyedQueue();

  constructor(records: RecordStore) {
    this.#records = records;
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

  /** The image that has a normalized reference with a tag. */
  byTag(normalized: string): ImageRecord | undefined {
    const id = this.#tags.get(normalized);
    return id === undefined ? undefined : this.#images.get(id);
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

  /** By name, digest, id or unique prefix of an id. `invalid` for what is no reference, `conflict` for a prefix of several. */
  find(reference: string): ImageRecord | undefined {
    const exact = this.#images.get(reference) ?? this.#images.get(`sha256:${reference}`);
    if (exact !== undefined) return exact;
    const prefix = reference.startsWith('sha256:') ? reference.slice(7) : reference;
    const isPrefix = /^[0-9a-f]{1,64}$/.test(prefix);
    // `sha256:12ab` is an image called sha256 only when no id begins like this.
    const named = isPrefix && prefix.length === 64 ? undefined : this.#byName(parseReference(reference));
    if (named !== undefined || !isPrefix) return named;
    const found = this.all().filter((record) => record.id.startsWith(`sha256:${prefix}`));
    if (found.length > 1) throw conflict(`ambiguous image ID prefix: ${reference}`);
    return found[0];
  }

  resolve(reference: string): ImageRecord {
    const record = this.find(reference);
    if (record !== undefined) return record;
    throw notFound(`No such image: ${describeMissing(reference)}`);
  }

  #byName(reference: ImageReference): ImageRecord | undefined {
    if (reference.digest === undefined) return this.byTag(formatReference(withDefaultTag(reference)));
    const pinned = `${repositoryName(reference)}@${reference.digest}`;
    return this.all().find((record) => record.repoDigests.includes(pinned));
  }

  #show(record: ImageRecord): void {
    this.#hide(record.id);
    this.#images.set(record.id, record);
    for (const tag of record.tags) this.#tags.set(tag, record.id);
  }

  #hide(id: string): void {
    for (const tag of this.#images.get(id)?.tags ?? [])
      if (this.#tags.get(tag) === id) this.#tags.delete(tag);
    this.#images.delete(id);
  }
}

function describeMissing(reference: string): string {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(reference)) return reference;
  return familiar(formatReference(withDefaultTag(parseReference(reference))));
}

/** The changes that move a tag to `record` (which may be new): whoever had it loses it. Pure. */
export function planTag(
  store: ImageStore,
  record: ImageRecord,
  tags: readonly string[],
  at: string,
): ImageChange[] {
  const added = tags.filter((tag) => !record.tags.includes(tag));
  const losers = new Map<string, ImageRecord>();
  for (const tag of added) {
    const holder = store.byTag(tag);
    if (holder === undefined || holder.id === record.id) continue;
    const current = losers.get(holder.id) ?? holder;
    losers.set(holder.id, { ...current, tags: current.tags.filter((other) => other !== tag) });
  }
  const put = {
    ...record,
    tags: [...record.tags, ...added],
    lastTaggedAt: added.length > 0 ? at : record.lastTaggedAt,
  };
  return [...[...losers.values()].map((loser) => ({ put: loser })), { put }];
}
