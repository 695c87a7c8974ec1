/**
 * The part of TOML that `hosts.toml` files use: tables with bare and quoted keys, strings, booleans, integers, arrays.
 * What lies outside of it is refused, never guessed.
 */

import { invalid } from '../core/errors.ts';

export type TomlValue = string | number | boolean | readonly TomlValue[] | TomlTable;
export interface TomlTable {
  readonly [key: string]: TomlValue;
}
type Open = Map<string, TomlValue | Open>;

const escapes: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
};

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  fail(what: string): Error {
    const line = this.#text.slice(0, this.#at).split('\n').length;
    return invalid(`line ${line}: ${what}`);
  }

  peek(): string {
    return this.#text.charAt(this.#at);
  }

  take(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  match(pattern: RegExp): string | undefined {
    const sticky = new RegExp(pattern.source, 'y');
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  /** Blanks and comments; with `lines` also ends of lines. */
  skip(lines: boolean): void {
    for (;;) {
      this.match(lines ? /[ \t\r\n]*/ : /[ \t\r]*/);
      if (this.peek() !== '#') return;
      this.match(/[^\n]*/);
    }
  }

  string(): string {
    if (this.take("'")) return this.#until("'", /[^'\n]*/);
    this.take('"');
    let text = '';
    for (;;) {
      text += this.match(/[^"\\\n]*/) ?? '';
      if (this.take('"')) return text;
      if (!this.take('\\')) throw this.fail('a string does not end');
      text += this.#escape();
    }
  }

  #escape(): string {
    const code = this.match(/u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}/);
    if (code !== undefined) {
      const point = Number.parseInt(code.slice(1), 16);
      if (point > 0x10ffff) throw this.fail('no such character');
      return String.fromCodePoint(point);
    }
    const letter = this.match(/./);
    const known = letter === undefined ? undefined : escapes[letter];
    if (known === undefined) throw this.fail('unknown escape in a string');
    return known;
  }

  #until(end: string, pattern: RegExp): string {
    const text = this.match(pattern) ?? '';
    if (!this.take(end)) throw this.fail('a string does not end');
    return text;
  }

  key(): string[] {
    const path: string[] = [];
    do {
      this.skip(false);
      const part = this.peek() === '"' || this.peek() === "'" ? this.string() : this.match(/[A-Za-z0-9_-]+/);
      if (part === undefined) throw this.fail('a key was expected');
      path.push(part);
      this.skip(false);
    } while (this.take('.'));
    return path;
  }

  value(depth = 0): TomlValue {
    const first = this.peek();
    if (first === '"' || first === "'") return this.string();
    if (first === '[') return this.#array(depth);
    const word = this.match(/[A-Za-z0-9_+-]+/) ?? '';
    if (word === 'true' || word === 'false') return word === 'true';
    if (/^[+-]?\d[\d_]*$/.test(word)) return Number(word.replaceAll('_', ''));
    throw this.fail('a string, number, boolean or array was expected');
  }

  #array(depth: number): TomlValue[] {
    if (depth > 8) throw this.fail('arrays within arrays');
    this.take('[');
    const items: TomlValue[] = [];
    for (;;) {
      this.skip(true);
      if (this.take(']')) return items;
      items.push(this.value(depth + 1));
      this.skip(true);
      if (!this.take(',') && this.peek() !== ']') throw this.fail('a comma or ] was expected');
    }
  }
}

function descend(reader: Reader, table: Open, path: readonly string[]): Open {
  let at = table;
  for (const key of path) {
    const next = at.get(key) ?? new Map();
    if (!(next instanceof Map)) throw reader.fail(`${key} is no table`);
    at.set(key, next);
    at = next;
  }
  return at;
}

const close = (table: Open): TomlTable =>
  // Entries, not assignments: a key may be called __proto__.
  Object.fromEntries([...table].map(([key, value]) => [key, value instanceof Map ? close(value) : value]));

/** `invalid` with the line for what is not understood. */
export function parseToml(text: string): TomlTable {
  const reader = new Reader(text);
  const root: Open = new Map();
  let table = root;
  for (reader.skip(true); !reader.done; reader.skip(true)) {
    if (reader.take('[')) {
      if (reader.peek() === '[') throw reader.fail('arrays of tables are not understood');
      table = descend(reader, root, reader.key());
      if (!reader.take(']')) throw reader.fail('] was expected');
    } else {
      const path = reader.key();
      if (!reader.take('=')) throw reader.fail('= was expected');
      reader.skip(false);
      const place = descend(reader, table, path.slice(0, -1));
      const last = path.at(-1) ?? '';
      if (place.has(last)) throw reader.fail(`${last} stands twice`);
      place.set(last, reader.value());
    }
    reader.skip(false);
    if (!reader.done && !reader.take('\n')) throw reader.fail('the end of the line was expected');
  }
  return close(root);
}
