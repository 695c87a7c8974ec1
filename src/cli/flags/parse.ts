/**
 * Command lines read as pflag reads them: `--name=v`, `--name v`, `-n v`, `-nv`, `-n=v`, bundles (`-it`), `--`, and
 * flags after the first argument unless the command switches that off (run, create, exec).
 */
import { FlagError } from '../exit.ts';
import type { FlagRow } from '../reference.ts';
import { type FlagValue, parseValue } from './values.ts';

export interface FlagSet {
  readonly rows: readonly FlagRow[];
  /** Checks the text of one use of a flag, by name; its error is reported as pflag does. */
  readonly checks?: Readonly<Record<string, (text: string) => void>>;
  /** Flags may follow arguments. */
  readonly interspersed: boolean;
}

export interface Parsed {
  readonly flags: Flags;
  readonly args: readonly string[];
  /** Index in `args` of the first argument after a `--`, or -1. */
  readonly dash: number;
}

/** Default of a flag, as its description states it. */
function defaultOf([, , type, description]: FlagRow): FlagValue {
  const text = / ?\(default (.*)\)$/.exec(description)?.[1];
  switch (type) {
    case 'bool':
      return text === 'true';
    case 'int':
    case 'uint':
    case 'uint16':
    case 'decimal':
    case 'bytes':
    case 'duration':
      return text === undefined ? 0 : Number.parseInt(text, 10);
    case 'string':
      return text === undefined || !text.startsWith('"') ? '' : text.slice(1, -1);
    default:
      return [];
  }
}

/** Values of one command line. Asking for a flag that the command does not have is a mistake in the code. */
export class Flags {
  readonly #rows: readonly FlagRow[];
  readonly #values = new Map<string, FlagValue>();

  constructor(rows: readonly FlagRow[]) {
    this.#rows = rows;
  }

  #value(name: string): FlagValue {
    const set = this.#values.get(name);
    if (set !== undefined) return set;
    const row = this.#rows.find((r) => r[1] === name);
    if (row === undefined) throw new Error(`no flag --${name} in this command`);
    return defaultOf(row);
  }

  set(name: string, value: FlagValue): void {
    const before = this.#values.get(name);
    const both = Array.isArray(value) && Array.isArray(before);
    this.#values.set(
      name,
      both ? [...(before as readonly string[]), ...(value as readonly string[])] : value,
    );
  }

  /** Whether the user gave this flag. */
  changed(name: string): boolean {
    return this.#values.has(name);
  }

  bool(name: string): boolean {
    return this.#value(name) === true;
  }

  string(name: string): string {
    return String(this.#value(name));
  }

  number(name: string): number {
    return Number(this.#value(name));
  }

  list(name: string): readonly string[] {
    const value = this.#value(name);
    return Array.isArray(value) ? (value as readonly string[]) : [];
  }

  /** `key=value` uses of a flag as a record; without `=` the value is empty. */
  map(name: string): Record<string, string> {
    return Object.fromEntries(
      this.list(name).map((item) => {
        const at = item.indexOf('=');
        return at < 0 ? [item, ''] : [item.slice(0, at), item.slice(at + 1)];
      }),
    );
  }
}

function label([short, name]: FlagRow): string {
  return short === '' ? `--${name}` : `-${short}, --${name}`;
}

function assign(set: FlagSet, flags: Flags, row: FlagRow, text: string): void {
  const [, name, type] = row;
  try {
    const value = parseValue(type, name, text);
    set.checks?.[name]?.(text);
    flags.set(name, value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FlagError(`invalid argument ${JSON.stringify(text)} for "${label(row)}" flag: ${reason}`);
  }
}

/** Takes one long flag; answers how many of the following words it used. */
function takeLong(set: FlagSet, flags: Flags, word: string, next: string | undefined): number {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  if (name === '' || name.startsWith('-') || name.startsWith('='))
    throw new FlagError(`bad flag syntax: ${word}`);
  const row = set.rows.find((r) => r[1] === name);
  if (row === undefined) throw new FlagError(`unknown flag: --${name}`);
  if (equals >= 0) assign(set, flags, row, word.slice(equals + 1));
  else if (row[2] === 'bool') assign(set, flags, row, 'true');
  else if (next === undefined) throw new FlagError(`flag needs an argument: --${name}`);
  else {
    assign(set, flags, row, next);
    return 1;
  }
  return 0;
}

/** Takes a bundle of one-letter flags; answers how many of the following words it used. */
function takeShort(set: FlagSet, flags: Flags, word: string, next: string | undefined): number {
  for (let at = 1; at < word.length; at++) {
    const letter = word.charAt(at);
    const rest = word.slice(at + 1);
    const row = set.rows.find((r) => r[0] === letter);
    if (row === undefined) throw new FlagError(`unknown shorthand flag: '${letter}' in ${word}`);
    if (rest.length > 1 && rest.startsWith('=')) {
      assign(set, flags, row, rest.slice(1));
      return 0;
    }
    if (row[2] === 'bool') {
      assign(set, flags, row, 'true');
      continue;
    }
    if (rest !== '') {
      assign(set, flags, row, rest);
      return 0;
    }
    if (next === undefined) throw new FlagError(`flag needs an argument: '${letter}' in ${word}`);
    assign(set, flags, row, next);
    return 1;
  }
  return 0;
}

/** Reads the words after the command's name. Throws FlagError. */
export function parseFlags(set: FlagSet, words: readonly string[]): Parsed {
  const flags = new Flags(set.rows);
  const args: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === '--') return { flags, args: [...args, ...words.slice(i + 1)], dash: args.length };
    if (!word.startsWith('-') || word === '-') {
      if (!set.interspersed) return { flags, args: [...args, ...words.slice(i)], dash: -1 };
      args.push(word);
    } else if (word.startsWith('--')) i += takeLong(set, flags, word, words[i + 1]);
    else i += takeShort(set, flags, word, words[i + 1]);
  }
  return { flags, args, dash: -1 };
}
