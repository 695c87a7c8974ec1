/** Times as users give them, in the seconds that the API wants. */
import { CliError } from './exit.ts';
import { parseDuration } from './flags/values.ts';

/** The parts that are there decide how precise a local time is. */
const LOCAL = /^\d{4}-\d{2}-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?)?$/;
const ZONED = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

function localMilliseconds(text: string): number {
  const [date = '', clock = ''] = text.split('T');
  const full = `${clock}${'00:00:00'.slice(clock.split('.')[0]?.length ?? 0)}`;
  return new Date(`${date}T${clock === '' ? '00:00:00' : full}`).getTime();
}

/** `1699999999.000000000` of a duration before now (`10m`), a date, an RFC 3339 time, or seconds. Throws CliError. */
export function apiTime(text: string, now: number, name: string): string {
  if (/^-?\d+(\.\d+)?$/.test(text)) return text;
  if (LOCAL.test(text) || ZONED.test(text)) {
    const at = ZONED.test(text) ? Date.parse(text) : localMilliseconds(text);
    if (!Number.isNaN(at)) {
      const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
      return `${Math.floor(at / 1000)}.${fraction.padEnd(9, '0').slice(0, 9)}`;
    }
  }
  try {
    const at = now - parseDuration(text) / 1e6;
    return String(Math.floor(at / 1000));
  } catch {
    throw new CliError(
      `invalid value for "${name}": failed to parse value as time or duration: ${JSON.stringify(text)}`,
    );
  }
}
