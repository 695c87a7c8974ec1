/**
 * Regular expressions as Go's RE2 reads them, as far as filters use them: literals, `.`, classes, groups, alternatives, repeats,
 * anchors and `(?i)`. No back references and nothing that looks around: what is parsed here can be matched in linear time.
 */

/** Whether a code point fits. */
export type Test = (code: number) => boolean;

export type Node =
  | { readonly kind: 'one'; readonly test: Test }
  | { readonly kind: 'at'; readonly place: 'start' | 'end' | 'word' | 'inside' }
  | { readonly kind: 'all'; readonly parts: readonly Node[] }
  | { readonly kind: 'any'; readonly options: readonly Node[] }
  | { readonly kind: 'repeat'; readonly node: Node; readonly min: number; readonly max: number };

const maxPattern = 4096;
const maxDepth = 100;
const maxCount = 1000;

const between =
  (from: string, to: string): Test =>
  (code) =>
    code >= (from.codePointAt(0) ?? 0) && code <= (to.codePointAt(0) ?? 0);
const either =
  (...tests: readonly Test[]): Test =>
  (code) =>
    tests.some((test) => test(code));
const not =
  (test: Test): Test =>
  (code) =>
    !test(code);
const of =
  (characters: string): Test =>
  (code) =>
    characters.includes(String.fromCodePoint(code));

const digit = between('0', '9');
export const isWord = either(digit, between('a', 'z'), between('A', 'Z'), of('_'));
const space = of('\t\n\f\r ');
const shorthands: Readonly<Record<string, Test>> = {
  d: digit,
  D: not(digit),
  w: isWord,
  W: not(isWord),
  s: space,
  S: not(space),
};
const controls: Readonly<Record<string, string>> = {
  t: '\t',
  n: '\n',
  r: '\r',
  f: '\f',
  v: '\v',
  a: '\u0007',
};

/** What is no such expression. */
export class BadPattern extends Error {}

class Parser {
  readonly #text: readonly string[];
  #at = 0;
  #ignoreCase = false;

  constructor(pattern: string) {
    this.#text = Array.from(pattern);
  }

  whole(): Node {
    const node = this.#alternatives(0);
    if (this.#at < this.#text.length) throw new BadPattern('unexpected )');
    return node;
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #take(): string {
    const char = this.#text[this.#at];
    if (char === undefined) throw new BadPattern('the pattern ends too early');
    this.#at += 1;
    return char;
  }

  #eat(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at += 1;
    return true;
  }

  #alternatives(depth: number): Node {
    if (depth > maxDepth) throw new BadPattern('nested too deep');
    const options = [this.#sequence(depth)];
    while (this.#eat('|')) options.push(this.#sequence(depth));
    return options.length === 1 ? (options[0] as Node) : { kind: 'any', options };
  }

  #sequence(depth: number): Node {
    const parts: Node[] = [];
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')'; next = this.#peek())
      parts.push(this.#repeated(this.#atom(depth)));
    return { kind: 'all', parts };
  }

  #repeated(node: Node): Node {
    const [min, max] = this.#count() ?? [1, 1];
    if (min === 1 && max === 1) return node;
    // Whether it takes much or little does not matter to whether it matches.
    this.#eat('?');
    if (this.#count() !== undefined) throw new BadPattern('nothing to repeat');
    return { kind: 'repeat', node, min, max };
  }

  #count(): readonly [number, number] | undefined {
    if (this.#eat('*')) return [0, Infinity];
    if (this.#eat('+')) return [1, Infinity];
    if (this.#eat('?')) return [0, 1];
    const rest = this.#text.slice(this.#at, this.#at + 12).join('');
    const match = /^\{(\d{1,4})(?:(,)(\d{0,4}))?\}/.exec(rest);
    // Braces that are no count stand for themselves.
    if (match === null) return undefined;
    this.#at += match[0].length;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === '' ? Infinity : Number(match[3]);
    const isTooMuch = min > maxCount || (max !== Infinity && max > maxCount);
    if (isTooMuch || min > max) throw new BadPattern('bad repeat count');
    return [min, max];
  }

  #atom(depth: number): Node {
    const char = this.#take();
    switch (char) {
      case '(':
        return this.#group(depth);
      case '[':
        return { kind: 'one', test: this.#folded(this.#set()) };
      case '.':
        return { kind: 'one', test: (code) => code !== 10 };
      case '^':
        return { kind: 'at', place: 'start' };
      case '$':
        return { kind: 'at', place: 'end' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw new BadPattern('nothing to repeat');
      default:
        return this.#literal(char);
    }
  }

  #literal(char: string): Node {
    const wanted = char.codePointAt(0);
    return { kind: 'one', test: this.#folded((code) => code === wanted) };
  }

  #folded(test: Test): Test {
    if (!this.#ignoreCase) return test;
    const code = (text: string): number => text.codePointAt(0) ?? 0;
    return (given) => {
      const char = String.fromCodePoint(given);
      return test(given) || test(code(char.toLowerCase())) || test(code(char.toUpperCase()));
    };
  }

  #group(depth: number): Node {
    const before = this.#ignoreCase;
    if (this.#eat('?')) {
      if (this.#eat('i')) this.#ignoreCase = true;
      // `(?i)` alone holds to the end of the group around it.
      if (this.#ignoreCase && this.#eat(')')) return { kind: 'all', parts: [] };
      if (!this.#eat(':')) throw new BadPattern('unknown kind of group');
    }
    const node = this.#alternatives(depth + 1);
    if (!this.#eat(')')) throw new BadPattern('missing )');
    this.#ignoreCase = before;
    return node;
  }

  #escape(): Node {
    const char = this.#take();
    if (char === 'b' || char === 'B') return { kind: 'at', place: char === 'b' ? 'word' : 'inside' };
    if (char === 'A') return { kind: 'at', place: 'start' };
    if (char === 'z') return { kind: 'at', place: 'end' };
    const shorthand = Object.hasOwn(shorthands, char) ? shorthands[char] : undefined;
    if (shorthand !== undefined) return { kind: 'one', test: shorthand };
    return this.#literal(this.#escaped(char));
  }

  #escaped(char: string): string {
    if (Object.hasOwn(controls, char)) return controls[char] ?? '';
    if (/[a-zA-Z0-9]/.test(char)) throw new BadPattern(`unknown escape \\${char}`);
    return char;
  }

  #set(): Test {
    const isNegated = this.#eat('^');
    const tests: Test[] = [];
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      const from = this.#member();
      if (typeof from !== 'string') tests.push(from);
      else if (this.#peek() === '-' && this.#text[this.#at + 1] !== ']') {
        this.#at += 1;
        const to = this.#member();
        if (typeof to !== 'string' || to < from) throw new BadPattern('bad range');
        tests.push(between(from, to));
      } else tests.push(between(from, from));
    }
    this.#at += 1;
    const any = either(...tests);
    return isNegated ? not(any) : any;
  }

  #member(): string | Test {
    const char = this.#take();
    if (char !== '\\') return char;
    const escaped = this.#take();
    const shorthand = Object.hasOwn(shorthands, escaped) ? shorthands[escaped] : undefined;
    return shorthand ?? this.#escaped(escaped);
  }
}

/** The parsed pattern. Throws BadPattern. */
export function parsePattern(pattern: string): Node {
  if (pattern.length > maxPattern) throw new BadPattern('too long');
  return new Parser(pattern).whole();
}
