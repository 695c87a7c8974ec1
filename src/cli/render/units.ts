/** Sizes, times and identifiers as docker prints them. */

/** Go's `%.Ng`: N significant digits, an exponent when the number has more digits before the point. */
export function significant(value: number, digits: number): string {
  if (value === 0) return '0';
  const [mantissa = '', exponentText = '0'] = value.toExponential(digits - 1).split('e');
  const exponent = Number(exponentText);
  const trim = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (exponent < -4 || exponent >= digits) {
    const sign = exponent < 0 ? '-' : '+';
    return `${trim(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  return trim(value.toFixed(Math.max(0, digits - 1 - exponent)));
}

function scaled(size: number, base: number, units: readonly string[], digits: number): string {
  let value = size;
  let at = 0;
  while (value >= base && at < units.length - 1) {
    value /= base;
    at++;
  }
  return `${significant(value, digits)}${units[at] ?? ''}`;
}

const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

/** `1.24MB`, powers of 1000, three digits. */
export const humanSize = (bytes: number): string => scaled(bytes, 1000, DECIMAL, 3);
/** The same with four digits, as progress and prune reports have it. */
export const humanSize4 = (bytes: number): string => scaled(bytes, 1000, DECIMAL, 4);
/** `1.18MiB`, powers of 1024, four digits. */
export const binarySize = (bytes: number): string => scaled(bytes, 1024, BINARY, 4);

/** A span of time in words, as `Up` and `CREATED` show it. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(milliseconds / 3_600_000 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(hours / 24 / 365)} years`;
}

/** Twelve characters of an id, without `sha256:`. */
export function shortId(id: string): string {
  const colon = id.indexOf(':');
  const hex = colon >= 0 ? id.slice(colon + 1) : id;
  return hex.slice(0, 12);
}

/** Cuts text to `width` columns with an ellipsis at the end. */
export function ellipsis(text: string, width: number): string {
  const chars = Array.from(text);
  if (chars.length <= width) return text;
  return width <= 1 ? chars.slice(0, width).join('') : `${chars.slice(0, width - 1).join('')}…`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `+0200`, the local offset at this time. */
function offsetText(date: Date, colon: string): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${colon}${two(size % 60)}`;
}

function zoneName(date: Date): string {
  const match = /\(([^)]+)\)$/.exec(date.toString())?.[1] ?? '';
  if (date.getTimezoneOffset() === 0) return 'UTC';
  const short = /^[A-Z]{2,5}$/.test(match) ? match : undefined;
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(date);
  const named = parts.find((part) => part.type === 'timeZoneName')?.value;
  return short ?? (named === undefined || named.startsWith('GMT') ? offsetText(date, '') : named);
}

const day = (d: Date): string => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
const clock = (d: Date): string => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;

/** `2026-01-02 03:04:05 +0000 UTC`, Go's default form of a local time. */
export function localTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  return `${day(date)} ${clock(date)} ${offsetText(date, '')} ${zoneName(date)}`;
}

/** `2026-01-02T03:04:05.000000000+00:00` with nine digits, local time. `nanoseconds` since the epoch as a decimal text. */
export function localNanoTime(nanoseconds: bigint): string {
  const date = new Date(Number(nanoseconds / 1_000_000n));
  const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, '0');
  const offset = date.getTimezoneOffset() === 0 ? 'Z' : offsetText(date, ':');
  return `${day(date)}T${clock(date)}.${fraction}${offset}`;
}

/** `2026-01-02T03:04:05Z` or with the local offset. */
export function localRfc3339(milliseconds: number): string {
  const date = new Date(milliseconds);
  const offset = date.getTimezoneOffset() === 0 ? 'Z' : offsetText(date, ':');
  return `${day(date)}T${clock(date)}${offset}`;
}
