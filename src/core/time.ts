/** Times as the API shows them: RFC 3339 with nanoseconds, UTC. */

const nanosPerMilli = 1_000_000n;
const nanosPerSecond = 1_000_000_000n;

/** Nanoseconds since the epoch; below the millisecond the digits come from the monotonic clock and only tell calls apart. */
export function nowNano(): bigint {
  return BigInt(Date.now()) * nanosPerMilli + (process.hrtime.bigint() % nanosPerMilli);
}

/** `2024-05-01T10:00:00.123456789Z`; trailing zeros of the fraction are dropped, as Go's RFC3339Nano does. */
export function formatNano(nano: bigint): string {
  const seconds = nano / nanosPerSecond;
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = (nano % nanosPerSecond).toString().padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`;
}

/** Nanoseconds since the epoch of an RFC 3339 time; undefined when it is none. The zero time of Go gives 0. */
export function parseNano(text: string): bigint | undefined {
  const match = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/.exec(text);
  if (match === null) return undefined;
  const [, whole = '', fraction = '', zone = 'Z'] = match;
  const millis = Date.parse(`${whole}${zone}`);
  if (Number.isNaN(millis)) return undefined;
  if (millis < 0) return 0n;
  return BigInt(millis) * nanosPerMilli + BigInt(fraction.padEnd(9, '0'));
}
