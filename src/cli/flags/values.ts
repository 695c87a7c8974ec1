/**
 * Values of flags, parsed and refused as pflag and Go's standard library do: the messages reach the user unchanged.
 */

/** What a flag's text became; which of them depends on the type in the reference table. */
export type FlagValue = boolean | number | string | readonly string[];

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

export function parseBool(text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function parseInteger(fn: string, pattern: RegExp, text: string, min: bigint, max: bigint): number {
  const digits = text.replaceAll('_', '');
  if (!pattern.test(digits))
    throw new Error(`strconv.${fn}: parsing ${JSON.stringify(text)}: invalid syntax`);
  const negative = digits.startsWith('-');
  const magnitude = digits.replace(/^[+-]/, '').replace(/^0(?=[0-7])/, '0o');
  const value = negative ? -BigInt(magnitude) : BigInt(magnitude);
  if (value < min || value > max) {
    throw new Error(`strconv.${fn}: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return Number(value);
}

const SIGNED = /^[+-]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]*|0[bB][01]+|[1-9][0-9]*)$/;
const UNSIGNED = /^(0[xX][0-9a-fA-F]+|0[oO]?[0-7]*|0[bB][01]+|[1-9][0-9]*)$/;

export const parseInt64 = (text: string): number =>
  parseInteger('ParseInt', SIGNED, text, -(2n ** 63n), 2n ** 63n - 1n);

export const parseUint = (text: string, bits: number): number =>
  parseInteger('ParseUint', UNSIGNED, text, 0n, 2n ** BigInt(bits) - 1n);

const UNITS = 'bkmgtp';

/** Bytes of `1.5g`, `512m`, `64k`, `100b`, `100`; powers of 1024. */
export function parseBytes(text: string): number {
  const split = text.search(/[^0-9. ]/);
  const cut = split < 0 ? text.length : split;
  const number = text.slice(0, cut).trimEnd();
  const suffix = text.slice(cut).trim().toLowerCase();
  if (!/^[0-9]*\.?[0-9]*$/.test(number) || !/[0-9]/.test(number)) throw new Error(`invalid size: '${text}'`);
  if (suffix === '') return Math.trunc(Number(number));
  const power = UNITS.indexOf(suffix.charAt(0));
  const unit = /^(b|[kmgtp](i?b)?)$/.test(suffix);
  if (power < 0 || !unit) throw new Error(`invalid suffix: '${suffix}'`);
  return Math.trunc(Number(number) * 1024 ** power);
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  '\u00b5s': 1e3,
  '\u03bcs': 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds of Go's duration syntax (`1h30m`, `1.5s`). */
export function parseDuration(text: string): number {
  const quoted = JSON.stringify(text);
  const sign = text.startsWith('-') ? -1 : 1;
  let rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0;
  if (rest === '') throw new Error(`time: invalid duration ${quoted}`);
  let total = 0;
  while (rest !== '') {
    const number = /^([0-9]+\.?[0-9]*|\.[0-9]+)/.exec(rest)?.[0];
    if (number === undefined) throw new Error(`time: invalid duration ${quoted}`);
    rest = rest.slice(number.length);
    const unit = /^[^0-9.]*/.exec(rest)?.[0] ?? '';
    if (unit === '') throw new Error(`time: missing unit in duration ${quoted}`);
    const scale = DURATION_UNITS[unit];
    if (scale === undefined)
      throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    total += Number(number) * scale;
    rest = rest.slice(unit.length);
  }
  return sign * Math.round(total);
}

/** Billionths of a CPU of `1.5` or `3/2`. */
export function parseCpus(text: string): number {
  const match = /^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?:\/([0-9]+))?$/.exec(text);
  if (match === null) throw new Error(`failed to parse ${text} as a rational number`);
  const nano = (Number(match[1]) / Number(match[2] ?? '1')) * 1e9;
  const rounded = Math.round(nano);
  if (Math.abs(nano - rounded) > 1e-3) throw new Error('value is too precise');
  return rounded;
}

/** The fields of one line of comma separated values with Go's quoting rules. */
export function parseCsv(text: string): string[] {
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (quoted) {
      if (char !== '"') field += char;
      else if (text.charAt(i + 1) === '"') {
        field += '"';
        i++;
      } else quoted = false;
    } else if (char === '"' && field === '') quoted = true;
    else if (char === '"')
      throw new Error(`parse error on line 1, column ${i + 1}: bare " in non-quoted-field`);
    else if (char === ',') {
      fields.push(field);
      field = '';
    } else field += char;
  }
  if (quoted)
    throw new Error(
      `parse error on line 1, column ${text.length + 1}: extraneous or missing " in quoted-field`,
    );
  return [...fields, field];
}

function checkFilter(text: string): string {
  if (text !== '' && !text.includes('=')) throw new Error('bad format of filter (expected name=value)');
  return text;
}

function checkMemorySwap(text: string): number {
  return text === '-1' ? -1 : parseBytes(text);
}

/** Parses `text` for a flag of this type. Repeatable types answer a list that the caller appends. */
export function parseValue(type: string, name: string, text: string): FlagValue {
  switch (type) {
    case 'bool':
      return parseBool(text);
    case 'int':
      return parseInt64(text);
    case 'uint':
      return parseUint(text, 64);
    case 'uint16':
      return parseUint(text, 16);
    case 'decimal':
      return parseCpus(text);
    case 'bytes':
      return name === 'memory-swap' ? checkMemorySwap(text) : parseBytes(text);
    case 'duration':
      return parseDuration(text);
    case 'filter':
      return text === '' ? [] : [checkFilter(text)];
    case 'strings':
      return text === '' ? [] : parseCsv(text);
    case 'list':
    case 'map':
    case 'mount':
    case 'network':
    case 'ulimit':
    case 'gpu-request':
      return [text];
    default:
      return text;
  }
}
