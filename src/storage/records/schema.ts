/**
 * Versions and shapes of stored records. A row carries the version of its kind's shape; an older row is brought up by
 * pure functions, one a step, when the store opens. A row that cannot be read is set aside, never deleted.
 */

import type { RecordKind } from '../../core/ports/record-store.ts';

type Json = Readonly<Record<string, unknown>>;
type Check = 'string' | 'object' | 'array';

export interface KindSchema {
  /** `steps[n]` turns version n+1 into n+2; so the present version is `steps.length + 1`. */
  readonly steps: readonly ((old: Json) => Json)[];
  /** Fields without which a record cannot be worked with. */
  readonly required: Readonly<Record<string, Check>>;
}
export type Schema = Readonly<Record<RecordKind, KindSchema>>;

export const schema: Schema = {
  container: {
    steps: [],
    required: { id: 'string', name: 'string', config: 'object', hostConfig: 'object', state: 'object' },
  },
  image: { steps: [], required: { id: 'string', config: 'object', layers: 'array', tags: 'array' } },
  network: { steps: [], required: { id: 'string', name: 'string' } },
  volume: { steps: [], required: { name: 'string', driver: 'string' } },
  debt: { steps: [], required: { networkId: 'string', addresses: 'array', endpoints: 'array' } },
  meta: { steps: [], required: {} },
};

export const versionOf = (kinds: Schema, kind: RecordKind): number => kinds[kind].steps.length + 1;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function holds(value: unknown, check: Check): boolean {
  if (check === 'array') return Array.isArray(value);
  return check === 'object' ? isObject(value) : typeof value === 'string';
}

export type Decoded =
  | { readonly state: 'current' }
  | { readonly state: 'migrated'; readonly json: string }
  | { readonly state: 'damaged'; readonly reason: string };

/** What is to be done with a stored row. Pure. */
export function decodeRow(kinds: Schema, kind: string, version: number, json: string): Decoded {
  const of = Object.hasOwn(kinds, kind) ? kinds[kind as RecordKind] : undefined;
  if (of === undefined) return { state: 'damaged', reason: `unknown kind ${kind}` };
  const present = of.steps.length + 1;
  if (!Number.isInteger(version) || version < 1)
    return { state: 'damaged', reason: `bad version ${version}` };
  if (version > present)
    return { state: 'damaged', reason: `written by a newer version (${version}, known ${present})` };
  try {
    let value: unknown = JSON.parse(json);
    if (!isObject(value)) return { state: 'damaged', reason: 'not a JSON object' };
    for (const step of of.steps.slice(version - 1)) value = step(value as Json);
    for (const [field, check] of Object.entries(of.required))
      if (!holds((value as Json)[field], check))
        return { state: 'damaged', reason: `field ${field} is missing or of the wrong type` };
    if (version === present) return { state: 'current' };
    return { state: 'migrated', json: JSON.stringify(value) };
  } catch (error) {
    return { state: 'damaged', reason: error instanceof Error ? error.message : String(error) };
  }
}
