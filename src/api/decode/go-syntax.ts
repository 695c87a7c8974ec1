/**
 * The words of Go's encoding/json for malformed text. Runs only after JSON.parse refused the text, walks it once more
 * with Go's state machine and returns the first error; never recursive, so that deep nesting cannot exhaust the stack.
 */

type Expect = 'value' | 'valueOrEnd' | 'key' | 'keyOrEnd' | 'colon' | 'afterPair' | 'afterElement' | 'end';

const space = /[ \t\r\n]/;
const literals: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };
const numberState = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;

const places: Readonly<Record<Expect, string>> = {
  value: 'looking for beginning of value',
  valueOrEnd: 'looking for beginning of value',
  key: 'looking for beginning of object key string',
  keyOrEnd: 'looking for beginning of object key string',
  colon: 'after object key',
  afterPair: 'after object key:value pair',
  afterElement: 'after array element',
  end: 'after top-level value',
};

/** A character in quotes, as Go's quoteChar. */
function quoted(char: string): string {
  if (char === "'") return "'\\''";
  if (char === '"') return "'\"'";
  const code = char.charCodeAt(0);
  const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };
  const shown =
    named[char] ?? (code < 32 || code === 127 ? `\\x${code.toString(16).padStart(2, '0')}` : char);
  return `'${shown}'`;
}

class SyntaxProblem extends Error {}

const ended = 'unexpected EOF';

function unexpected(char: string | undefined, where: string): SyntaxProblem {
  return new SyntaxProblem(char === undefined ? ended : `invalid character ${quoted(char)} ${where}`);
}

/** The position after the string that begins at `from`. */
function scanString(text: string, from: number): number {
  for (let at = from + 1; ; at++) {
    const char = text[at];
    if (char === undefined) throw new SyntaxProblem(ended);
    if (char === '"') return at + 1;
    if (char < ' ') throw unexpected(char, 'in string literal');
    if (char !== '\\') continue;
    at++;
    const escape = text[at];
    if (escape === 'u') {
      for (let digit = 1; digit <= 4; digit++) {
        if (!/^[0-9a-fA-F]$/.test(text[at + digit] ?? ' '))
          throw unexpected(text[at + digit], 'in \\u hexadecimal character escape');
      }
      at += 4;
    } else if (escape === undefined || !'bfnrt\\/"'.includes(escape)) {
      throw unexpected(escape, 'in string escape code');
    }
  }
}

function scanLiteral(text: string, from: number, word: string): number {
  for (let index = 1; index < word.length; index++) {
    const char = text[from + index];
    if (char !== word[index]) throw unexpected(char, `in literal ${word} (expecting '${word[index]}')`);
  }
  return from + word.length;
}

function scanNumber(text: string, from: number): number {
  const match = numberState.exec(text.slice(from, from + 400))?.[0] ?? '';
  if (match === '') throw unexpected(text[from + 1], 'in numeric literal');
  const next = text[from + match.length];
  if (next === '.' && !match.includes('.'))
    throw unexpected(text[from + match.length + 1], 'after decimal point in numeric literal');
  if ((next === 'e' || next === 'E') && !/[eE]/.test(match))
    throw unexpected(text[from + match.length + 1], 'in exponent of numeric literal');
  return from + match.length;
}

/** The position after a scalar, or undefined when `char` opens an object or array. */
function scanScalar(text: string, at: number, char: string, where: string): number {
  if (char === '"') return scanString(text, at);
  const word = literals[char];
  if (word !== undefined) return scanLiteral(text, at, word);
  if (char === '-' || (char >= '0' && char <= '9')) return scanNumber(text, at);
  throw unexpected(char, where);
}

function walk(text: string): void {
  const stack: ('{' | '[')[] = [];
  let expect: Expect = 'value';
  const afterValue = (): Expect => {
    const top = stack.at(-1);
    return top === undefined ? 'end' : top === '{' ? 'afterPair' : 'afterElement';
  };
  for (let at = 0; ;) {
    while (at < text.length && space.test(text[at] ?? '')) at++;
    const char = text[at];
    if (char === undefined) {
      if (expect === 'end') return;
      throw new SyntaxProblem(stack.length === 0 ? 'EOF' : ended);
    }
    const where = places[expect];
    if (expect === 'end') return;
    if (expect === 'value' || expect === 'valueOrEnd') {
      if (char === '{' || char === '[') {
        stack.push(char);
        expect = char === '{' ? 'keyOrEnd' : 'valueOrEnd';
        at++;
      } else if (char === ']' && expect === 'valueOrEnd') {
        stack.pop();
        expect = afterValue();
        at++;
      } else {
        at = scanScalar(text, at, char, where);
        expect = afterValue();
      }
    } else if (expect === 'key' || expect === 'keyOrEnd') {
      if (char === '}' && expect === 'keyOrEnd') {
        stack.pop();
        expect = afterValue();
        at++;
      } else if (char === '"') {
        at = scanString(text, at);
        expect = 'colon';
      } else throw unexpected(char, where);
    } else if (expect === 'colon') {
      if (char !== ':') throw unexpected(char, where);
      expect = 'value';
      at++;
    } else if (char === ',') {
      expect = expect === 'afterPair' ? 'key' : 'value';
      at++;
    } else if (char === (expect === 'afterPair' ? '}' : ']')) {
      stack.pop();
      expect = afterValue();
      at++;
    } else throw unexpected(char, where);
  }
}

/** Go's message for the first syntax error of the text's first value; undefined when that value is sound. */
export function goSyntaxError(text: string): string | undefined {
  try {
    walk(text);
    return undefined;
  } catch (error) {
    if (error instanceof SyntaxProblem) return error.message;
    throw error;
  }
}
