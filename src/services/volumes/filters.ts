/** Filters of `docker volume ls` and `docker volume prune`. */

import { invalid } from '../../core/errors.ts';
import type { VolumeRecord } from '../../core/model/volume.ts';
import type { VolumeFilters } from './types.ts';

type Predicate = (record: VolumeRecord) => boolean;

function check(filters: VolumeFilters, known: readonly string[]): void {
  for (const name of Object.keys(filters))
    if (!known.includes(name)) throw invalid(`invalid filter '${name}'`);
}

function flag(filters: VolumeFilters, name: string): boolean | undefined {
  const values = filters[name];
  if (values === undefined || values.length === 0) return undefined;
  const isTrue = values.some((value) => value === '1' || value === 'true');
  const isFalse = values.some((value) => value === '0' || value === 'false');
  if (isTrue === isFalse) throw invalid(`invalid filter '${name}=[${values.join(' ')}]'`);
  return isTrue;
}

function hasLabel(record: VolumeRecord, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  const key = equals < 0 ? wanted : wanted.slice(0, equals);
  return Object.hasOwn(record.labels, key) && (equals < 0 || record.labels[key] === wanted.slice(equals + 1));
}

export function volumePredicate(filters: VolumeFilters, inUse: (name: string) => boolean): Predicate {
  check(filters, ['dangling', 'driver', 'label', 'name']);
  const dangling = flag(filters, 'dangling');
  const names = filters['name'] ?? [];
  const drivers = filters['driver'] ?? [];
  const labels = filters['label'] ?? [];
  return (record) =>
    (dangling === undefined || inUse(record.name) !== dangling) &&
    // A part of the name is enough, as in Docker.
    (names.length === 0 || names.some((name) => record.name.includes(name))) &&
    (drivers.length === 0 || drivers.includes(record.driver)) &&
    labels.every((label) => hasLabel(record, label));
}

/** Which volumes pruning may take, whether used or not: anonymous ones, or all of them with `all=true`. */
export function pruneCandidates(filters: VolumeFilters): Predicate {
  check(filters, ['label', 'label!', 'all']);
  const all = flag(filters, 'all') ?? false;
  const labels = filters['label'] ?? [];
  const without = filters['label!'] ?? [];
  return (record) =>
    (all || record.anonymous) &&
    labels.every((label) => hasLabel(record, label)) &&
    without.every((label) => !hasLabel(record, label));
}
