/** Moments as filters give them (`until=`): by the rules of dockerd, which takes UTC where a date names no zone. */

import { invalid } from './errors.ts';
import { parseGoDuration } from './go-duration.ts';
import { parseNano } from './time.ts';

const date = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::(\d{2}(?:\.\d+)?))?)?(Z|[+-]\d{2}:\d{2})?$/;

function parseDate(text: string): bigint | undefined {
  const match = date.exec(text);
  if (match === null) return undefined;
  const [, day = '', minute = '00:00', second = '00', zone = 'Z'] = match;
  return parseNano(`${day}T${minute}:${second}${zone}`);
}

/**
 * Nanoseconds since the epoch of a Unix time (`1700000000.5`), a date down to nanoseconds, or a Go duration back from
 * `now` (`24h`, `1h30m`, `-5m`). `invalid` for anything else.
 */
export function parseMoment(text: string, now: bigint): bigint {
  const unix = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (unix !== null) {
    const [, seconds = '0', fraction = ''] = unix;
    return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
  }
  const span = parseGoDuration(text);
  if (span !== undefined) return now - span;
  const moment = parseDate(text);
  if (moment !== undefined) return moment;
  throw invalid(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
}
