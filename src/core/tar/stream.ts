/**
 * A tar archive as a sequence of entries with streamed bodies, for readers on the main loop. Chunks go through as events, from the
 * source to whoever reads a body, without a promise each: archives of images have gigabytes of them.
 */

import { Readable } from 'node:stream';
import { invalid } from '../errors.ts';
import type { TarHeader } from './header.ts';
import { TarParser } from './parser.ts';

export interface TarEntry {
  readonly header: TarHeader;
  /** The stored bytes. What is not read is skipped when the next entry is asked for. */
  readonly body: Readable;
}

type Event =
  | { readonly is: 'entry'; readonly header: TarHeader }
  | { readonly is: 'data'; readonly chunk: Buffer }
  | { readonly is: 'end' };

class Entries {
  readonly #source: Readable;
  /** What was parsed and nobody has taken: at most what one chunk of the source holds. */
  readonly #queue: Event[] = [];
  readonly #parser = new TarParser({
    entry: (header) => void this.#queue.push({ is: 'entry', header }),
    data: (chunk) => void this.#queue.push({ is: 'data', chunk }),
    end: () => void this.#queue.push({ is: 'end' }),
  });
  /** The body of the entry that was handed out last, until it has ended. */
  #body: Readable | undefined;
  /** Nobody wants the rest of that entry. */
  #isSkipped = false;
  #ended = false;
  #failure: { readonly error: Error } | undefined;
  #wake = (): void => {};

  constructor(source: Readable) {
    this.#source = source;
    source.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose);
    // Kept for good: an error after the last entry was taken is nobody's.
    source.on('error', this.#onError);
  }

  /** The next entry; undefined at the end of the source. */
  async next(): Promise<TarEntry | undefined> {
    this.#isSkipped = true;
    for (;;) {
      this.#deliver();
      const [event] = this.#queue;
      if (event?.is === 'entry') break;
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return undefined;
      await new Promise<void>((wake) => {
        this.#wake = wake;
        this.#source.resume();
      });
    }
    const event = this.#queue.shift() as Extract<Event, { is: 'entry' }>;
    this.#isSkipped = false;
    const body = new Readable({ read: () => this.#deliver(), highWaterMark: 256 << 10 });
    // Of a body that nobody reads: the error is told where the next entry is asked for.
    body.on('error', () => {});
    this.#body = body;
    return { header: event.header, body };
  }

  close(): void {
    this.#source.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose);
    this.#source.pause();
  }

  readonly #onData = (chunk: Buffer): void => {
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#deliver();
    this.#wake();
    if (this.#queue.length > 0) this.#source.pause();
  };

  readonly #onEnd = (): void => {
    try {
      this.#parser.finish();
      this.#ended = true;
      this.#wake();
    } catch (error) {
      this.#fail(error);
    }
  };

  readonly #onClose = (): void => {
    if (!this.#ended) this.#fail(invalid('unexpected EOF'));
  };

  readonly #onError = (error: unknown): void => this.#fail(error);

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#failure = { error: failure };
    this.#deliver();
    this.#wake();
  }

  /** Hands the present entry's data on, until its reader has enough or the next entry is reached. */
  #deliver(): void {
    for (let event = this.#queue[0]; event !== undefined && event.is !== 'entry'; event = this.#queue[0]) {
      const body = this.#body;
      const isWanted = body !== undefined && !this.#isSkipped && !body.destroyed;
      this.#queue.shift();
      if (event.is === 'end') {
        this.#body = undefined;
        if (isWanted) body.push(null);
      } else if (isWanted && !body.push(event.chunk)) {
        // It is asked for more when that is read.
        this.#source.pause();
        return;
      }
    }
    if (this.#queue.length > 0 || this.#body === undefined) return;
    if (this.#failure === undefined) this.#source.resume();
    else this.#body.destroy(this.#failure.error);
  }
}

/** Entries in order. `invalid` when the archive is malformed or cut short. */
export async function* tarEntries(
  source: Readable | AsyncIterable<Buffer>,
): AsyncGenerator<TarEntry, void, undefined> {
  const entries = new Entries(source instanceof Readable ? source : Readable.from(source));
  try {
    for (let entry = await entries.next(); entry !== undefined; entry = await entries.next()) yield entry;
  } finally {
    entries.close();
  }
}
