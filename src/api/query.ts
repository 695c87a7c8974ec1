/** Query parameters, read with the rules of dockerd's handlers. */

import { invalid } from '../core/errors.ts';
import { decodeAs, parseJson } from './decode/body.ts';

export type Filters = Readonly<Record<string, readonly string[]>>;

const falseWords = new Set(['', '0', 'no', 'false', 'none']);
const none = new URLSearchParams();

export class Query {
  readonly #parameters: URLSearchParams;

  constructor(text: string) {
    if (text.includes('%') && /%(?![0-9a-fA-F]{2})/.test(text)) throw invalid('invalid URL escape');
    this.#parameters = text === '' ? none : new URLSearchParams(text);
  }

  /** Empty when absent. */
  string(name: string): string {
    return this.#parameters.get(name) ?? '';
  }

  optional(name: string): string | undefined {
    const value = this.#parameters.get(name);
    return value === null || value === '' ? undefined : value;
  }

  list(name: string): readonly string[] {
    return this.#parameters.getAll(name);
  }

  has(name: string): boolean {
    return this.#parameters.has(name);
  }

  /** Everything is true but nothing, `0`, `no`, `false` and `none`. */
  bool(name: string, absent = false): boolean {
    const value = this.#parameters.get(name);
    return value === null ? absent : !falseWords.has(value.trim().toLowerCase());
  }

  /** As Go reads a truth value, where dockerd is strict about it; false when absent or empty. */
  strictBool(name: string): boolean {
    const value = this.optional(name);
    if (value === undefined) return false;
    if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
    if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
    throw invalid(
      `invalid value for ${name}: ${value}: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  }

  /** Undefined when absent or empty. */
  integer(name: string): number | undefined {
    const value = this.optional(name);
    return value === undefined ? undefined : parseInteger(value);
  }

  requiredInteger(name: string): number {
    return parseInteger(this.string(name));
  }

  /** `{"status":["running"]}`, or the older `{"status":{"running":true}}`. */
  filters(): Filters {
    const text = this.string('filters');
    return text === '' ? {} : parseFilters(text);
  }
}

function parseInteger(text: string): number {
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text))
    throw invalid(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (!Number.isSafeInteger(value)) {
    throw invalid(`strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return value;
}

/** As dockerd, which does not say what is wrong with them. */
function parseFilters(text: string): Filters {
  try {
    return decodeFilters(parseJson(text));
  } catch (error) {
    throw invalid('invalid filter', error);
  }
}

function decodeFilters(parsed: unknown): Filters {
  const result: Record<string, readonly string[]> = Object.create(null) as Record<string, readonly string[]>;
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    decodeAs('map[string]map[string]bool', parsed);
    return result;
  }
  for (const [name, values] of Object.entries(parsed)) {
    if (Array.isArray(values)) result[name] = values.map(filterValue);
    else {
      const set = (decodeAs('map[string]bool', values) ?? {}) as Record<string, boolean>;
      // As in dockerd the key alone counts, also `{"running": false}`.
      result[name] = Object.keys(set);
    }
  }
  return result;
}

function filterValue(value: unknown): string {
  return (decodeAs('string', value) ?? '') as string;
}
