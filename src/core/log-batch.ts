/**
 * Many log entries at once: an object and a buffer for each line would cost more than the line. The lines lie in one buffer,
 * each behind eight free bytes, so that the API can put its frame headers there and write the buffer as it is.
 */

export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  /** With its final newline, unless it is a piece of a line longer than 16 KiB or the end of the output. */
  readonly line: Buffer;
  /** RFC 3339 with nanoseconds, as written. */
  readonly time: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Bytes that are free before each line. */
export const headroom = 8;

export class LogBatch {
  #starts: Uint32Array;
  #ends: Uint32Array;
  #fromStderr: Uint8Array;
  readonly #times: string[] = [];
  readonly #attributes = new Map<number, Readonly<Record<string, string>>>();
  readonly bytes: Buffer;
  #count = 0;
  #used = 0;
  /** Where in the log the batch ends; undefined where there are no positions. */
  end: LogPosition | undefined;

  /** `capacity`: bytes for lines and the room before them; `lines`: how many to expect. */
  constructor(capacity: number, lines: number) {
    this.bytes = Buffer.allocUnsafe(capacity);
    this.#starts = new Uint32Array(lines);
    this.#ends = new Uint32Array(lines);
    this.#fromStderr = new Uint8Array(lines);
  }

  static of(entries: readonly LogEntry[]): LogBatch {
    const bytes = entries.reduce((sum, { line }) => sum + line.length + headroom, 0);
    const batch = new LogBatch(bytes, entries.length);
    for (const entry of entries) batch.add(entry);
    return batch;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used;
  }

  /** Where the next line's bytes go. */
  get next(): number {
    return this.#used + headroom;
  }

  /** Takes the line whose bytes were written from `next` up to `end`. */
  take(end: number, fromStderr: boolean, time: string, attributes?: Readonly<Record<string, string>>): void {
    const index = this.#count;
    if (index === this.#starts.length) this.#grow();
    this.#starts[index] = this.#used + headroom;
    this.#ends[index] = end;
    this.#fromStderr[index] = fromStderr ? 1 : 0;
    this.#times.push(time);
    if (attributes !== undefined) this.#attributes.set(index, attributes);
    this.#used = end;
    this.#count = index + 1;
  }

  #grow(): void {
    const length = Math.max(16, this.#starts.length * 2);
    const larger = <T extends Uint32Array | Uint8Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#starts = larger(this.#starts, new Uint32Array(length));
    this.#ends = larger(this.#ends, new Uint32Array(length));
    this.#fromStderr = larger(this.#fromStderr, new Uint8Array(length));
  }

  add(entry: LogEntry): void {
    const end = this.next + entry.line.copy(this.bytes, this.next);
    this.take(end, entry.stream === 'stderr', entry.time, entry.attributes);
  }

  /** Offset of the line's first byte in `bytes`; its header has the eight before. */
  start(index: number): number {
    return this.#starts[index] ?? 0;
  }

  stop(index: number): number {
    return this.#ends[index] ?? 0;
  }

  fromStderr(index: number): boolean {
    return this.#fromStderr[index] === 1;
  }

  time(index: number): string {
    return this.#times[index] ?? '';
  }

  attributes(index: number): Readonly<Record<string, string>> | undefined {
    return this.#attributes.get(index);
  }

  entry(index: number): LogEntry {
    const attributes = this.attributes(index);
    return {
      stream: this.fromStderr(index) ? 'stderr' : 'stdout',
      line: this.bytes.subarray(this.start(index), this.stop(index)),
      time: this.time(index),
      ...(attributes === undefined ? {} : { attributes }),
    };
  }
}

/** A place in a log: a file's number and bytes from its beginning. */
export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

/** One entry after the other. */
export async function* entriesOf(batches: AsyncIterable<LogBatch>): AsyncGenerator<LogEntry> {
  for await (const batch of batches) {
    for (let index = 0; index < batch.count; index += 1) yield batch.entry(index);
  }
}
