/** The values of `--log-opt`, read as dockerd reads them, and refused in its words. */
import { invalid } from '../../core/errors.ts';
import { parseHumanSize } from '../../core/human-size.ts';

export type LogOptions = Readonly<Record<string, string>>;

/** Go's strconv.ParseBool. */
export function parseBool(text: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw invalid(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** Go's strconv.Atoi. */
export function parseInteger(text: string, by = 'Atoi'): number {
  const pattern = by === 'ParseUint' ? /^\d+$/ : /^[+-]?\d+$/;
  if (!pattern.test(text)) throw invalid(`strconv.${by}: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw invalid(`strconv.${by}: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return value;
}

/** Decimal units, or (`binary`) units of 1024: Docker uses either, by the option. */
export function parseSize(text: string, binary = false): number {
  const size = parseHumanSize(text, binary ? 1024 : 1000);
  if (size === undefined) throw invalid(`invalid size: '${text}'`);
  return size;
}

const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Go's time.ParseDuration, in milliseconds. */
export function parseDuration(text: string): number {
  const shown = JSON.stringify(text);
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return 0;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)[a-zµ]+)+$/.test(body)) {
    const isUnitless = /^(?:\d+\.?\d*|\.\d+)$/.test(body);
    throw invalid(`time: ${isUnitless ? 'missing unit in' : 'invalid'} duration ${shown}`);
  }
  let total = 0;
  for (const [, amount, unit = ''] of body.matchAll(/(\d+\.?\d*|\.\d+)([a-zµ]+)/g)) {
    const factor = units[unit];
    if (factor === undefined)
      throw invalid(`time: unknown unit ${JSON.stringify(unit)} in duration ${shown}`);
    total += Number(amount) * factor;
  }
  return text.startsWith('-') ? -total : total;
}
