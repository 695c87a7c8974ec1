interface ParsedEntry {
  readonly log: string;
  readonly fromStderr: boolean;
  readonly time: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** One line of the file as an entry; undefined for a damaged line (a crash of the machine may leave one). */
export function parseEntry(line: string): ParsedEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { log, stream, time, attrs } = value as Record<string, unknown>;
  if (typeof log !== 'string' || typeof time !== 'string') return undefined;
  const entry = { log, fromStderr: stream === 'stderr', time };
  if (typeof attrs !== 'object' || attrs === null) return entry;
  return { ...entry, attributes: attrs as Record<string, string> };
}

const stray = /[\udc80-\udcff]/;
const strays = /(?<![\ud800-\udbff])[\udc80-\udcff]/g;

/** The bytes of a line's text; a lone surrogate U+DC80 to U+DCFF is a byte that was no UTF-8. */
export function lineBytes(text: string): Buffer {
  if (!stray.test(text)) return Buffer.from(text);
  const parts: Buffer[] = [];
  let from = 0;
  for (const { index } of text.matchAll(strays)) {
    parts.push(Buffer.from(text.slice(from, index)), Buffer.from([text.charCodeAt(index) & 0xff]));
    from = index + 1;
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(from))]);
}

/** RFC 3339 in UTC with up to nine digits of a second, in nanoseconds since the epoch; undefined when it is something else. */
export function nanosecondsOf(time: string): bigint | undefined {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(time);
  if (!parts) return undefined;
  const milliseconds = Date.parse(`${parts[1]}Z`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt((parts[2] ?? '').padEnd(9, '0'));
}
