/** A tar archive as a sequence of entries with streamed bodies, for readers on the main loop. */

import { Readable } from 'node:stream';
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

class Events {
  readonly #source: AsyncIterator<Buffer>;
  readonly #queue: Event[] = [];
  readonly #parser = new TarParser({
    entry: (header) => void this.#queue.push({ is: 'entry', header }),
    data: (chunk) => void this.#queue.push({ is: 'data', chunk }),
    end: () => void this.#queue.push({ is: 'end' }),
  });

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next event; undefined at the end of the input, all of which has then been read. */
  async next(): Promise<Event | undefined> {
    for (;;) {
      const event = this.#queue.shift();
      if (event !== undefined) return event;
      const { done, value } = await this.#source.next();
      if (done === true) {
        this.#parser.finish();
        return undefined;
      }
      this.#parser.push(value);
    }
  }
}

/** Entries in order. `invalid` when the archive is malformed or cut short. */
export async function* tarEntries(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry, void, undefined> {
  const events = new Events(source);
  for (let event = await events.next(); event !== undefined; event = await events.next()) {
    if (event.is !== 'entry') continue;
    let open = true;
    let last: Promise<Buffer | undefined> = Promise.resolve(undefined);
    // One after the other: a body that still flows while the next entry is asked for must not take a turn of its own, or
    // one of the two would swallow that entry.
    const part = async (): Promise<Buffer | undefined> => {
      if (!open) return undefined;
      const next = await events.next();
      if (next?.is === 'data') return next.chunk;
      open = false;
      return undefined;
    };
    const take = (): Promise<Buffer | undefined> => (last = last.then(part));
    const chunks = async function* (): AsyncGenerator<Buffer> {
      for (let chunk = await take(); chunk !== undefined; chunk = await take()) yield chunk;
    };
    const body = Readable.from(chunks(), { objectMode: false });
    // Whoever reads it gets the error, and so does whoever asks for the next entry; one that only flows away tells nobody.
    body.on('error', () => {});
    yield { header: event.header, body };
    while ((await take()) !== undefined);
  }
}
