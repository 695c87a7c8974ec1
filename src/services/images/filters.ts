/** Filters of `docker images` and `docker image prune`. */

import { invalid } from '../../core/errors.ts';
import type { ImageRecord } from '../../core/model/image.ts';
import { parseMoment } from '../../core/moment.ts';
import { familiar } from '../../core/reference.ts';
import { parseNano } from '../../core/time.ts';
import { globMatch, isPattern } from './glob.ts';
import type { ImageStore } from './store.ts';
import type { Filters } from './types.ts';

export type Predicate = (record: ImageRecord) => boolean;

export function checkFilters(filters: Filters, known: readonly string[]): void {
  for (const name of Object.keys(filters))
    if (!known.includes(name)) throw invalid(name === '' ? 'invalid filter' : `invalid filter '${name}'`);
}

/** A boolean filter given once or several times alike. `invalid` for anything else. */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters[name];
  if (values === undefined) return undefined;
  if (values.length === 0) throw invalid(`invalid filter '${name}'`);
  const isTrue = values.some((value) => value === '1' || value === 'true');
  const isFalse = values.some((value) => value === '0' || value === 'false');
  if (isTrue === isFalse) throw invalid(`invalid filter '${name}=[${values.join(' ')}]'`);
  return isTrue;
}

const createdNano = (record: ImageRecord): bigint | undefined => parseNano(record.config.created ?? '');

/** Seconds since the epoch of when an image was made; 0 when it does not say. */
export function createdSeconds(record: ImageRecord): number {
  return Number((createdNano(record) ?? 0n) / 1_000_000_000n);
}

function hasLabel(record: ImageRecord, wanted: string): boolean {
  const labels = record.config.config?.Labels ?? {};
  const equals = wanted.indexOf('=');
  const key = equals < 0 ? wanted : wanted.slice(0, equals);
  return Object.hasOwn(labels, key) && (equals < 0 || labels[key] === wanted.slice(equals + 1));
}

const nameOf = (text: string): string => text.replace(/@.*$/, '').replace(/:[^/:]*$/, '');

/** Whether a tag fits a pattern, as a whole or by its name alone. */
export function tagMatches(pattern: string, tag: string): boolean {
  const short = familiar(tag);
  return globMatch(pattern, short) || globMatch(pattern, nameOf(short));
}

/** What was made at a time that the test takes; an image that does not say when it was made fits none. */
const madeWhen =
  (test: (nano: bigint) => boolean): Predicate =>
  (record) => {
    const created = createdNano(record);
    return created !== undefined && test(created);
  };

function checkPattern(pattern: string): void {
  if (!isPattern(pattern)) throw invalid('syntax error in pattern');
}

/** Images that fit all filters; values of one filter are alternatives, except labels, which must all be there. */
export function imagePredicate(store: ImageStore, filters: Filters, now: bigint): Predicate {
  const tests: Predicate[] = [];
  const dangling = booleanFilter(filters, 'dangling');
  // What is known by digest only is dangling when that is asked for, and named when the others are: as Docker has it.
  if (dangling === true) tests.push((record) => record.tags.length === 0);
  if (dangling === false) tests.push((record) => record.tags.length + record.repoDigests.length > 0);
  const references = filters['reference'] ?? [];
  for (const pattern of references) checkPattern(pattern);
  if (references.length > 0)
    tests.push((record) =>
      [...record.tags, ...record.repoDigests].some((tag) =>
        references.some((pattern) => tagMatches(pattern, tag)),
      ),
    );
  for (const label of filters['label'] ?? []) tests.push((record) => hasLabel(record, label));
  for (const label of filters['label!'] ?? []) tests.push((record) => !hasLabel(record, label));
  for (const name of filters['before'] ?? []) {
    const before = createdNano(store.resolve(name));
    if (before !== undefined) tests.push(madeWhen((created) => created < before));
  }
  for (const name of filters['since'] ?? []) {
    const since = createdNano(store.resolve(name));
    if (since !== undefined) tests.push(madeWhen((created) => created > since));
  }
  for (const text of filters['until'] ?? []) {
    const until = parseMoment(text, now);
    tests.push(madeWhen((created) => created < until));
  }
  return (record) => tests.every((test) => test(record));
}
