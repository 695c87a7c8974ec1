/** The syntax of Go's regexp package (RE2), into a tree. It has nothing that needs going back: no back-references, no look-around. */
import { invalid } from '../errors.ts';
import { ClassReader, foldCase, perlClass, type CharTest } from './classes.ts';

export type Pattern =
  | { readonly kind: 'empty' }
  | { readonly kind: 'char'; readonly test: CharTest }
  | { readonly kind: 'assert'; readonly at: 'begin' | 'end' | 'line-begin' | 'line-end' | 'word' | 'no-word' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly part: Pattern; readonly least: number; readonly most: number };

const maxRepeat = 1000;
const maxDepth = 200;

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiLine: boolean;
  readonly dotAll: boolean;
}

const wrong = (what: string, text: string): Error => invalid(`error parsing regexp: ${what}: \`${text}\``);

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f', v: '\v', a: '\x07' };

export class PatternParser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #flags: Flags = { ignoreCase: false, multiLine: false, dotAll: false };

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Pattern {
    const pattern = this.#choice();
    if (this.#at < this.#text.length) throw wrong('unexpected )', this.#text);
    return pattern;
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #char(): string {
    const char = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    this.#at += char.length;
    return char;
  }

  #choice(): Pattern {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 ? (parts[0] as Pattern) : { kind: 'choice', parts };
  }

  #sequence(): Pattern {
    const parts: Pattern[] = [];
    while (this.#at < this.#text.length && !'|)'.includes(this.#text[this.#at] ?? '')) {
      const start = this.#at;
      parts.push(this.#repeated(this.#atom(), start));
    }
    return { kind: 'sequence', parts };
  }

  #repeated(atom: Pattern, start: number): Pattern {
    let part = atom;
    for (let isFirst = true; ; isFirst = false) {
      const at = this.#at;
      const bounds = this.#bounds();
      if (bounds === undefined) return part;
      this.#take('?');
      if (!isFirst) throw wrong('invalid nested repetition operator', this.#text.slice(start + 1, this.#at));
      if (bounds.least > maxRepeat || (bounds.most > maxRepeat && bounds.most !== Infinity)) {
        throw wrong('invalid repeat count', this.#text.slice(at, this.#at));
      }
      part = { kind: 'repeat', part, ...bounds };
    }
  }

  #bounds(): { readonly least: number; readonly most: number } | undefined {
    if (this.#take('*')) return { least: 0, most: Infinity };
    if (this.#take('+')) return { least: 1, most: Infinity };
    if (this.#take('?')) return { least: 0, most: 1 };
    const counts = /^\{(\d+)(,(\d*))?\}/.exec(this.#text.slice(this.#at, this.#at + 16));
    if (counts === null) return undefined;
    this.#at += counts[0].length;
    const least = Number(counts[1]);
    const most = counts[2] === undefined ? least : counts[3] === '' ? Infinity : Number(counts[3]);
    if (most < least) throw wrong('invalid repeat count', counts[0]);
    return { least, most };
  }

  #atom(): Pattern {
    const start = this.#at;
    const char = this.#char();
    switch (char) {
      case '(':
        return this.#group(start);
      case '[':
        return this.#class(start);
      case '.':
        return { kind: 'char', test: this.#flags.dotAll ? () => true : (code) => code !== 10 };
      case '^':
        return { kind: 'assert', at: this.#flags.multiLine ? 'line-begin' : 'begin' };
      case '$':
        return { kind: 'assert', at: this.#flags.multiLine ? 'line-end' : 'end' };
      case '\\':
        return this.#escape(start);
      case '*':
      case '+':
      case '?':
        throw wrong('missing argument to repetition operator', char);
      default:
        return this.#literal(char);
    }
  }

  #literal(char: string): Pattern {
    const code = char.codePointAt(0) ?? 0;
    const test: CharTest = (other) => other === code;
    return { kind: 'char', test: this.#flags.ignoreCase ? foldCase(test) : test };
  }

  #group(start: number): Pattern {
    const outer = this.#flags;
    this.#depth += 1;
    if (this.#depth > maxDepth) throw wrong('expression nests too deeply', this.#text);
    if (this.#take('?')) {
      const opening = /^(?:P?<\w+>|([imsU]*(?:-[imsU]+)?)([:)]))/.exec(this.#text.slice(this.#at));
      if (opening === null)
        throw wrong('invalid or unsupported Perl syntax', this.#text.slice(start, this.#at + 1));
      this.#at += opening[0].length;
      if (opening[1] !== undefined) this.#flags = withFlags(outer, opening[1]);
      if (opening[2] === ')') {
        this.#depth -= 1;
        return { kind: 'empty' };
      }
    }
    const inner = this.#choice();
    if (!this.#take(')')) throw wrong('missing closing )', this.#text);
    this.#flags = outer;
    this.#depth -= 1;
    return inner;
  }

  #class(start: number): Pattern {
    const reader = new ClassReader(this.#text, this.#at);
    const test = reader.read();
    if (test === undefined) throw wrong('missing closing ]', this.#text.slice(start));
    this.#at = reader.at;
    return { kind: 'char', test: this.#flags.ignoreCase ? foldCase(test) : test };
  }

  #escape(start: number): Pattern {
    if (this.#at >= this.#text.length) throw wrong('trailing backslash at end of expression', '');
    const char = this.#char();
    const assertion = ({ A: 'begin', z: 'end', b: 'word', B: 'no-word' } as const)[char];
    if (assertion !== undefined) return { kind: 'assert', at: assertion };
    const named = perlClass(char);
    if (named !== undefined) return { kind: 'char', test: named };
    if (char === 'x' || char === 'p' || char === 'P') {
      const reader = new ClassReader(this.#text, start);
      const test = reader.escape();
      if (test === undefined) throw wrong('invalid escape sequence', this.#text.slice(start, this.#at));
      this.#at = reader.at;
      return { kind: 'char', test };
    }
    const plain = escapes[char];
    if (plain !== undefined) return this.#literal(plain);
    if (/^[A-Za-z0-9]$/.test(char)) throw wrong('invalid escape sequence', this.#text.slice(start, this.#at));
    return this.#literal(char);
  }
}

function withFlags(flags: Flags, text: string): Flags {
  const [set = '', clear = ''] = text.split('-');
  const state = (letter: string, before: boolean): boolean =>
    set.includes(letter) || (before && !clear.includes(letter));
  return {
    ignoreCase: state('i', flags.ignoreCase),
    multiLine: state('m', flags.multiLine),
    dotAll: state('s', flags.dotAll),
  };
}
