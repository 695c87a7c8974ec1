/** Which characters a part of a pattern stands for. */
export type CharTest = (code: number) => boolean;

const range =
  (from: number, to: number): CharTest =>
  (code) =>
    code >= from && code <= to;

const any =
  (...tests: readonly CharTest[]): CharTest =>
  (code) =>
    tests.some((test) => test(code));

const not =
  (test: CharTest): CharTest =>
  (code) =>
    !test(code);

const digit = range(48, 57);
const upper = range(65, 90);
const lower = range(97, 122);
const word = any(digit, upper, lower, (code) => code === 95);
const space: CharTest = (code) => code === 32 || code === 9 || code === 10 || code === 12 || code === 13;

export const isWordCode = word;

/** `\d` and its like; undefined for other letters. */
export function perlClass(letter: string): CharTest | undefined {
  const base = { d: digit, w: word, s: space }[letter.toLowerCase()];
  if (base === undefined) return undefined;
  return letter === letter.toLowerCase() ? base : not(base);
}

const posix: Readonly<Record<string, CharTest>> = {
  alnum: any(digit, upper, lower),
  alpha: any(upper, lower),
  ascii: range(0, 127),
  blank: (code) => code === 32 || code === 9,
  cntrl: any(range(0, 31), (code) => code === 127),
  digit,
  graph: range(33, 126),
  lower,
  print: range(32, 126),
  punct: any(range(33, 47), range(58, 64), range(91, 96), range(123, 126)),
  space: any(space, (code) => code === 11),
  upper,
  word,
  xdigit: any(digit, range(65, 70), range(97, 102)),
};

/** Matches when another case of the character does. */
export function foldCase(test: CharTest): CharTest {
  return (code) => {
    if (test(code)) return true;
    const char = String.fromCodePoint(code);
    const other = [char.toLowerCase(), char.toUpperCase()].map((each) => each.codePointAt(0) ?? code);
    return other.some((each) => each !== code && test(each));
  };
}

/** `\pL`, `\p{Greek}`; a test of one character cannot go back. */
function unicodeClass(name: string, negated: boolean): CharTest | undefined {
  for (const property of [name, `Script=${name}`]) {
    try {
      const pattern = new RegExp(`^\\p{${property}}$`, 'u');
      const test: CharTest = (code) => pattern.test(String.fromCodePoint(code));
      return negated ? not(test) : test;
    } catch {
      // Not a property of that kind.
    }
  }
  return undefined;
}

const letters: Readonly<Record<string, number>> = { t: 9, n: 10, r: 13, f: 12, v: 11, a: 7 };

/** Reads `[...]` (its bracket is behind `at`) or one escape. */
export class ClassReader {
  readonly #text: string;
  at: number;
  /** The last escape's character, when it was one. */
  #code: number | undefined;

  constructor(text: string, at: number) {
    this.#text = text;
    this.at = at;
  }

  /** Undefined when it is not closed, or holds what there is not. */
  read(): CharTest | undefined {
    const negated = this.#text[this.at] === '^';
    if (negated) this.at += 1;
    const tests: CharTest[] = [];
    for (let isFirst = true; ; isFirst = false) {
      if (this.at >= this.#text.length) return undefined;
      if (this.#text[this.at] === ']' && !isFirst) break;
      const test = this.#item();
      if (test === undefined) return undefined;
      tests.push(test);
    }
    this.at += 1;
    const test = any(...tests);
    return negated ? not(test) : test;
  }

  #item(): CharTest | undefined {
    const named = /^\[:(\^?)(\w+):\]/.exec(this.#text.slice(this.at, this.at + 16));
    if (named !== null) {
      this.at += named[0].length;
      const test = posix[named[2] ?? ''];
      return test === undefined || named[1] === '' ? test : not(test);
    }
    const first = this.#single();
    if (first === undefined || typeof first === 'function') return first;
    if (this.#text[this.at] !== '-' || (this.#text[this.at + 1] ?? ']') === ']') return range(first, first);
    this.at += 1;
    const last = this.#single();
    return typeof last !== 'number' || last < first ? undefined : range(first, last);
  }

  #single(): number | CharTest | undefined {
    if (this.#text[this.at] === '\\') {
      this.#code = undefined;
      const test = this.escape();
      return this.#code ?? test;
    }
    const code = this.#text.codePointAt(this.at);
    if (code !== undefined) this.at += code > 0xffff ? 2 : 1;
    return code;
  }

  /** The escape that begins at `at`. */
  escape(): CharTest | undefined {
    const rest = this.#text.slice(this.at, this.at + 40);
    const hex = /^\\x(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{2}))/.exec(rest);
    const property = /^\\([pP])(?:\{(\^?)(\w+)\}|(\w))/.exec(rest);
    if (property !== null) {
      this.at += property[0].length;
      return unicodeClass(property[3] ?? property[4] ?? '', (property[1] === 'P') !== (property[2] === '^'));
    }
    if (hex !== null) {
      this.at += hex[0].length;
      return this.#exactly(Number.parseInt(hex[1] ?? hex[2] ?? '', 16));
    }
    const letter = rest[1];
    if (letter === undefined) return undefined;
    this.at += 2;
    const named = perlClass(letter);
    if (named !== undefined) return named;
    const code = letters[letter] ?? (/[A-Za-z0-9]/.test(letter) ? undefined : letter.codePointAt(0));
    return code === undefined ? undefined : this.#exactly(code);
  }

  #exactly(code: number): CharTest {
    this.#code = code;
    return range(code, code);
  }
}
