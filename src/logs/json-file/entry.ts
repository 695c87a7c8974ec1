import type { LogEntry } from '../../core/ports/log-driver.ts';

/** One line of the file as an entry; undefined for a damaged line (a crash of the machine may leave one). */
export function parseEntry(line: string): LogEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { log, stream, time, attrs } = value as Record<string, unknown>;
  if (typeof log !== 'string' || typeof time !== 'string') return undefined;
  const entry = { stream: stream === 'stderr' ? 'stderr' : 'stdout', line: Buffer.from(log), time } as const;
  if (typeof attrs !== 'object' || attrs === null) return entry;
  return { ...entry, attributes: attrs as Record<string, string> };
}

/** RFC 3339 in UTC with up to nine digits of a second, in nanoseconds since the epoch; undefined when it is something else. */
export function nanosecondsOf(time: string): bigint | undefined {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(time);
  if (!parts) return undefined;
  const milliseconds = Date.parse(`${parts[1]}Z`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt((parts[2] ?? '').padEnd(9, '0'));
}
