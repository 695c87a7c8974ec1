import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A recorded answer; values are looked at loosely. */
export function recorded(name: string): Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync(join(import.meta.dirname, `${name}.json`), 'utf8')) as Readonly<
    Record<string, unknown>
  >;
}
