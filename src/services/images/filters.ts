/** Filters of `docker images` and `docker image prune`. */

import { invalid } from '../../core/errors.ts';
import type { ImageRecord } from '../../core/model/image.ts';
import { familiar } from '../../core/reference.ts';
import { parseNano } from '../../core/time.ts';
import { globMatch } from './glob.ts';
import type { ImageStore } from './store.ts';
import type { Filters } from './types.ts';

export type Predicate = (record: ImageRecord) => boolean;

export function checkFilters(filters: Filters, known: readonly string[]): void {
  for (const name of Object.keys(filters))
    if (!known.includes(name)) throw invalid(`invalid filter '${name}'`);
}

/** A boolean filter given once or several times alike. `invalid` for anything else. */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters[name];
  if (values === undefined || values.length === 0) return undefined;
  const isTrue = values.some((value) => value === '1' || value === 'true');
  const isFalse = values.some((value) => value === '0' || value === 'false');
  if (isTrue === isFalse) throw invalid(`invalid filter '${name}=[${values.join(' ')}]'`);
  return isTrue;
}

const createdNano = (record: ImageRecord): bigint => parseNano(record.config.created ?? '') ?? 0n;

/** Seconds since the epoch of when an image was made; 0 when it does not say. */
export function createdSeconds(record: ImageRecord): number {
  return Number(createdNano(record) / 1_000_000_000n);
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** A moment in seconds: a Unix time, an RFC 3339 date, or a Go duration back from now (`24h`, `1h30m`). */
export function parseMoment(text: string, now: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (/^(\d+(\.\d+)?[smh])+$/.test(text)) {
    let back = 0;
    for (const [, value = '0', unit = 's'] of text.matchAll(/(\d+(?:\.\d+)?)([smh])/g))
      back += Number(value) * (unitSeconds[unit] ?? 1);
    return now - back;
  }
  const parsed = Date.parse(text);
  if (Number.isNaN(parsed))
    throw invalid(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return parsed / 1000;
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

/** Images that fit all filters; values of one filter are alternatives, except labels, which must all be there. */
export function imagePredicate(store: ImageStore, filters: Filters, now: number): Predicate {
  const tests: Predicate[] = [];
  const dangling = booleanFilter(filters, 'dangling');
  // What is known by digest only is dangling when that is asked for, and named when the others are: as Docker has it.
  if (dangling === true) tests.push((record) => record.tags.length === 0);
  if (dangling === false) tests.push((record) => record.tags.length + record.repoDigests.length > 0);
  const references = filters['reference'] ?? [];
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
    tests.push((record) => createdNano(record) < before);
  }
  for (const name of filters['since'] ?? []) {
    const since = createdNano(store.resolve(name));
    tests.push((record) => createdNano(record) > since);
  }
  for (const text of filters['until'] ?? []) {
    const until = parseMoment(text, now);
    tests.push((record) => createdSeconds(record) < until);
  }
  return (record) => tests.every((test) => test(record));
}
