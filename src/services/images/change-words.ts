/** Words and variables of Dockerfile lines: quotes, escapes, `$NAME` and `${NAME:-default}`. Pure. */

import { invalid } from '../../core/errors.ts';

/** Words split at blanks; quotes hold blanks together and stay, as do escapes: `expand` takes both away. */
export function rawWords(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === '\\' && quote !== "'" && at + 1 < text.length) {
      word += char + (text[at + 1] ?? '');
      at += 1;
    } else if (quote !== '' || !/\s/.test(char)) {
      if (quote === '' && (char === '"' || char === "'")) quote = char;
      else if (char === quote) quote = '';
      word += char;
    } else {
      if (word !== '') words.push(word);
      word = '';
    }
  }
  if (word !== '') words.push(word);
  return words;
}

/** `["a", "b"]`, or undefined when it is not that (then it is a shell line). */
export function jsonList(rest: string): string[] | undefined {
  if (!rest.startsWith('[')) return undefined;
  try {
    const value = JSON.parse(rest) as unknown;
    const isList = Array.isArray(value) && value.every((each) => typeof each === 'string');
    return isList ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

interface Substitution {
  readonly value: string;
  /** Characters of the source. */
  readonly length: number;
}

/** `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}` and both without colon, at the beginning of `text`. */
function substitute(text: string, lookup: Lookup, depth: number): Substitution {
  const plain = /^\$([a-zA-Z_]\w*|\d)/.exec(text);
  if (plain !== null) return { value: lookup(plain[1] ?? '') ?? '', length: plain[0].length };
  if (!text.startsWith('${')) return { value: '$', length: 1 };
  const end = closingBrace(text);
  const inner = /^(\w+)(?:(:?[-+?])(.*))?$/s.exec(text.slice(2, end));
  if (inner === null || depth > 20) throw invalid(`failed to process "${text}": unsupported modifier`);
  const [, name = '', operator = '', word = ''] = inner;
  const value = lookup(name);
  const isSet = operator.startsWith(':') ? (value ?? '') !== '' : value !== undefined;
  const other = (): string => expandDeeper(word, lookup, depth + 1);
  const length = end + 1;
  switch (operator.slice(-1)) {
    case '-':
      return { value: isSet ? (value ?? '') : other(), length };
    case '+':
      return { value: isSet ? other() : '', length };
    case '?':
      if (!isSet)
        throw invalid(`failed to process "${text}": ${name}: ${other() || 'not allowed to be unset'}`);
      return { value: value ?? '', length };
    default:
      return { value: value ?? '', length };
  }
}

function closingBrace(text: string): number {
  let depth = 0;
  for (let at = 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '{') depth += 1;
    else if (text[at] === '}') {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  throw invalid(`failed to process "${text}": syntax error: missing '}'`);
}

function expandDeeper(word: string, lookup: Lookup, depth: number): string {
  let result = '';
  let quote = '';
  for (let at = 0; at < word.length; at += 1) {
    const char = word[at] ?? '';
    if (char === '\\' && quote !== "'") {
      const next = word[at + 1] ?? '';
      // Between double quotes a backslash only takes the meaning of what has one there.
      result += quote === '"' && !'"$\\'.includes(next) ? char + next : next;
      at += 1;
    } else if (char === quote) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === '$' && quote !== "'") {
      const { value, length } = substitute(word.slice(at), lookup, depth);
      result += value;
      at += length - 1;
    } else result += char;
  }
  if (quote !== '')
    throw invalid(
      `failed to process "${word}": unexpected end of statement while looking for matching ${quote === '"' ? 'double' : 'single'}-quote`,
    );
  return result;
}

/** A word as it is meant: quotes and escapes resolved, variables replaced. */
export function expand(word: string, lookup: Lookup): string {
  return expandDeeper(word, lookup, 0);
}
