/** Times between the engine's records (RFC 3339 with nanoseconds) and the forms of the API. */

import { invalid } from '../../core/errors.ts';

/** Seconds since the epoch of an RFC 3339 text; 0 when there is none. */
export function seconds(rfc3339: string): number {
  const millis = Date.parse(rfc3339);
  return Number.isNaN(millis) ? 0 : Math.floor(millis / 1000);
}

/** Always nine digits of fraction, as the lines of `logs --timestamps` have. */
export function fixedNanoseconds(rfc3339: string): string {
  const match = /^(.{19})(?:\.(\d+))?(Z|[+-].*)$/.exec(rfc3339);
  if (match === null) return rfc3339;
  return `${match[1]}.${(match[2] ?? '').slice(0, 9).padEnd(9, '0')}${match[3]}`;
}

/**
 * Nanoseconds since the epoch of the API's time parameters: seconds with an optional fraction (`1700000000.5`), or RFC 3339.
 * Undefined for nothing. Fails as Go's strconv does.
 */
export function parseTimestamp(text: string | undefined): bigint | undefined {
  if (text === undefined || text === '') return undefined;
  const match = /^(-?)(\d{1,12})(?:\.(\d+))?$/.exec(text);
  if (match !== null) {
    const fraction = BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
    const value = BigInt(match[2] ?? '0') * 1_000_000_000n + fraction;
    return match[1] === '-' ? -value : value;
  }
  const parsed = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(parsed))
    throw invalid(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  const wholeSeconds = BigInt(Math.floor(parsed / 1000));
  return wholeSeconds * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
}
