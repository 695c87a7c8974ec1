/** Functions that templates may call: those of Go's text/template and docker's own. */
import { sprint, sprintf } from './printf.ts';
import { goText, isMap, isTrue, toJson, typeName } from './values.ts';

export type TemplateFunction = (...args: unknown[]) => unknown;

const text = (value: unknown): string => {
  if (typeof value !== 'string')
    throw new Error(`wrong type for value; expected string; got ${typeName(value)}`);
  return value;
};

const integer = (value: unknown): number => {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw new Error(`wrong type for value; expected int; got ${typeName(value)}`);
  }
  return value;
};

function indexOne(item: unknown, key: unknown): unknown {
  if (item == null) throw new Error('error calling index: index of untyped nil');
  if (Array.isArray(item) || typeof item === 'string') {
    const at = integer(key);
    if (at < 0 || at >= item.length) throw new Error(`error calling index: index out of range: ${at}`);
    return typeof item === 'string' ? Buffer.from(item)[at] : item[at];
  }
  if (!isMap(item)) throw new Error(`error calling index: can't index item of type ${typeName(item)}`);
  const found = item[text(key)];
  if (found !== undefined) return found;
  // A Go map of strings answers its zero value; what else the values are decides what "nothing" is.
  return Object.values(item).every((value) => typeof value === 'string') ? '' : null;
}

function slice(item: unknown, ...bounds: unknown[]): unknown {
  if (typeof item !== 'string' && !Array.isArray(item)) {
    throw new Error(`error calling slice: can't slice item of type ${typeName(item)}`);
  }
  const [from = 0, to = item.length] = bounds.map(integer);
  if (from < 0 || to > item.length || from > to)
    throw new Error(`error calling slice: index out of range: ${to}`);
  return item.slice(from, to);
}

function length(item: unknown): number {
  if (typeof item === 'string') return Buffer.byteLength(item);
  if (Array.isArray(item)) return item.length;
  if (isMap(item)) return Object.keys(item).length;
  if (item == null) throw new Error('error calling len: len of untyped nil');
  throw new Error(`error calling len: len of type ${typeName(item)}`);
}

const kind = (value: unknown): string => (typeof value === 'number' ? 'number' : typeName(value));

function equal(name: string, a: unknown, b: unknown): boolean {
  if (a == null || b == null) return a == null && b == null;
  if (kind(a) !== kind(b)) throw new Error(`error calling ${name}: incompatible types for comparison`);
  if (typeof a === 'object')
    throw new Error(`error calling ${name}: non-comparable type ${goText(a)}: ${typeName(a)}`);
  return a === b;
}

function less(name: string, a: unknown, b: unknown): boolean {
  if (typeof a === 'string' && typeof b === 'string') return a < b;
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  if (a == null || b == null || kind(a) === kind(b))
    throw new Error(`error calling ${name}: invalid type for comparison`);
  throw new Error(`error calling ${name}: incompatible types for comparison`);
}

const HTML: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

/** Go's builtins. `and` and `or` are evaluated by the executor, which stops at the first decisive operand. */
const builtins: Readonly<Record<string, TemplateFunction>> = {
  and: (...args) => args.find((arg) => !isTrue(arg)) ?? args.at(-1),
  or: (...args) => args.find(isTrue) ?? args.at(-1),
  not: (value) => !isTrue(value),
  len: length,
  index: (item, ...keys) => keys.reduce((value, key) => indexOne(value, key), item),
  slice,
  print: (...args) => sprint(args),
  printf: (format, ...args) => sprintf(text(format), args),
  println: (...args) => `${args.map(goText).join(' ')}\n`,
  html: (...args) => sprint(args).replaceAll(/["'&<>]/g, (char) => HTML[char] ?? char),
  js: (...args) => JSON.stringify(sprint(args)).slice(1, -1),
  urlquery: (...args) => encodeURIComponent(sprint(args)).replaceAll('%20', '+'),
  eq: (first, ...others) => others.some((other) => equal('eq', first, other)),
  ne: (a, b) => !equal('ne', a, b),
  lt: (a, b) => less('lt', a, b),
  le: (a, b) => less('le', a, b) || equal('le', a, b),
  gt: (a, b) => !(less('gt', a, b) || equal('gt', a, b)),
  ge: (a, b) => !less('ge', a, b),
};

function padText(value: unknown, before: unknown, after: unknown): string {
  const content = text(value);
  return content === '' ? content : ' '.repeat(integer(before)) + content + ' '.repeat(integer(after));
}

function join(list: unknown, separator: unknown): string {
  if (!Array.isArray(list)) throw new Error(`wrong type for value; expected []string; got ${typeName(list)}`);
  return list.map(goText).join(text(separator));
}

const title = (value: unknown): string =>
  text(value).replaceAll(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (all) => all.toUpperCase());

/** docker's additions. */
const docker: Readonly<Record<string, TemplateFunction>> = {
  json: toJson,
  split: (value, separator) => text(value).split(text(separator)),
  join,
  title,
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  pad: padText,
  truncate: (value, count) =>
    text(value).length < integer(count) ? value : text(value).slice(0, integer(count)),
};

export const functions: ReadonlyMap<string, TemplateFunction> = new Map(
  Object.entries({ ...builtins, ...docker }),
);

const same = (value: unknown): unknown => value;

/** For the header line of a table: what changes a value leaves the column's title as it is. */
export const headerFunctions: ReadonlyMap<string, TemplateFunction> = new Map([
  ...functions,
  ...['json', 'title', 'lower', 'upper', 'truncate', 'split', 'join', 'pad'].map(
    (name): [string, TemplateFunction] => [name, same],
  ),
]);
