/** Answers of a registry: the head, and what can be done with the body. */

import { constants as C, closeSync, openSync, writeSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { finished } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip, type ZlibOptions } from 'node:zlib';
import { SlipwayError, invalid, isErrno, unavailable } from '../core/errors.ts';
import { collectAsBytesPass } from '../core/garbage.ts';
import type { ByteRange } from '../core/ports/blob-store.ts';

/** The head of an answer. Its body is to be read or to be let pass. */
export interface Answer {
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly headers: IncomingHttpHeaders;
  /** The whole body, refused above `limit` bytes. */
  read(limit: number): Promise<Buffer>;
  /** Lets the body pass unread, so that the connection can serve the next request. */
  resume(): void;
}

const gunzipped = promisify<Buffer, ZlibOptions, Buffer>(gunzip);

/** Documents are small: one that takes longer than this is not coming. */
const documentMs = 120_000;

async function readBody(
  message: IncomingMessage,
  body: AsyncIterable<Buffer>,
  limit: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const late = (): void =>
    void message.destroy(unavailable('i/o timeout: the answer does not come to its end'));
  const timer = setTimeout(late, documentMs).unref();
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > limit) throw invalid(`answer of the registry is larger than ${limit} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
      throw unavailable('unexpected EOF', error);
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
}

/** Where the bytes of a body belong. */
export interface Place {
  /** A file that exists; bytes lie in it where they lie in the blob. */
  readonly file: string;
  /** What is wanted, in order. */
  readonly ranges: readonly ByteRange[];
  /** Where in the blob the body begins. */
  readonly from: number;
  readonly digest: string;
  /** Bytes of the whole blob. */
  readonly size: number;
}

/** Bytes that are gathered before they are written. */
const writeSize = 256 << 10;
/** Memory to gather them in, used again and again. */
const blocks: Buffer[] = [];

/**
 * Gathers the bytes of a body that lie in some ranges, and writes them in larger pieces. Chunks are copied: those that were
 * kept until they are written would grow old, and only a full collection would find that they are garbage.
 */
class RangeWriter {
  readonly #fd: number;
  readonly #ranges: ByteRange[];
  readonly #written: (at: number, bytes: number) => void;
  readonly #block = blocks.pop() ?? Buffer.allocUnsafeSlow(writeSize);
  #size = 0;
  /** Where what waits belongs. */
  #start = 0;

  constructor(fd: number, ranges: readonly ByteRange[], written: (at: number, bytes: number) => void) {
    this.#fd = fd;
    this.#ranges = [...ranges];
    this.#written = written;
  }

  /** Nothing more is wanted, and all of it is written. */
  get done(): boolean {
    return this.#ranges.length === 0;
  }

  push(at: number, chunk: Buffer): void {
    for (let range = this.#ranges[0]; range !== undefined; range = this.#ranges[0]) {
      const start = Math.max(at, range.from);
      const end = Math.min(at + chunk.length, range.to);
      if (start >= end) return;
      this.#keep(start, chunk.subarray(start - at, end - at));
      if (end < range.to) return;
      this.flush();
      this.#ranges.shift();
    }
  }

  #keep(start: number, bytes: Buffer): void {
    for (let done = 0; done < bytes.length;) {
      if (this.#size === 0) this.#start = start + done;
      const copied = bytes.copy(this.#block, this.#size, done);
      done += copied;
      this.#size += copied;
      if (this.#size === writeSize) this.flush();
    }
  }

  flush(): void {
    const [at, size] = [this.#start, this.#size];
    if (size === 0) return;
    for (let done = 0; done < size;) done += writeSync(this.#fd, this.#block, done, size - done, at + done);
    this.#size = 0;
    this.#written(at, size);
  }

  close(): void {
    blocks.push(this.#block);
  }
}

/** What breaks a body off is passing, and is told in the words that Go, and so Docker, uses for it. */
function lineError(error: unknown): Error {
  if (error instanceof SlipwayError) return error;
  if (isErrno(error, 'ECONNRESET')) return unavailable('unexpected EOF', error);
  if (isErrno(error, 'ABORT_ERR')) return unavailable('context canceled', error);
  return unavailable(error instanceof Error ? error.message : String(error), error);
}

/** The bytes of a body; its errors in the words that Go, and so Docker, uses. */
export async function* fromLine(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    throw lineError(error);
  }
}

const passed = collectAsBytesPass(2 << 20);

/** Bytes that are held of a body that nobody has asked for yet. */
const mostHeld = 256 << 10;

/** An answer on this thread. */
export class Received implements Answer {
  readonly stream: IncomingMessage;
  readonly #held: Buffer[] = [];
  #heldBytes = 0;
  #broken: { readonly error: unknown } | undefined;

  constructor(message: IncomingMessage) {
    this.stream = message;
  }

  get statusCode(): number {
    return this.stream.statusCode ?? 0;
  }

  get statusMessage(): string {
    return this.stream.statusMessage ?? '';
  }

  get headers(): IncomingHttpHeaders {
    return this.stream.headers;
  }

  /**
   * Begins to take the body in: who wants it is on another thread, and asks a moment later. A line that broke meanwhile would take
   * along what had come.
   */
  hold(): void {
    this.stream.once('error', (error) => (this.#broken = { error }));
    this.stream.on('data', this.#keep);
  }

  readonly #keep = (chunk: Buffer): void => {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes >= mostHeld) this.stream.pause();
  };

  async *#body(): AsyncGenerator<Buffer, void, undefined> {
    // Without a listener, and flowing, it would lose what comes now.
    if (this.stream.listenerCount('data') > 0) this.stream.pause();
    this.stream.off('data', this.#keep);
    yield* this.#held.splice(0);
    if (this.#broken !== undefined) throw this.#broken.error;
    if (!this.stream.readableEnded) for await (const chunk of this.stream) yield chunk as Buffer;
  }

  read(limit: number): Promise<Buffer> {
    return this.#plain(readBody(this.stream, this.#body(), limit), limit);
  }

  /** Proxies compress documents, asked or not. Blobs are what they are. */
  async #plain(reading: Promise<Buffer>, limit: number): Promise<Buffer> {
    const body = await reading;
    if (!/^(?:x-)?gzip$/i.test(this.headers['content-encoding'] ?? '') || body.length === 0) return body;
    try {
      return await gunzipped(body, { maxOutputLength: limit });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
        throw invalid(`answer of the registry is larger than ${limit} bytes`, error);
      throw invalid('the registry answered nonsense: its gzip is malformed', error);
    }
  }

  /** The body to its end, which has to come after so many bytes: `unavailable` before, `invalid` behind. */
  async *exactly(bytes: number, onTaken: (bytes: number) => void): AsyncGenerator<Buffer, void, undefined> {
    let taken = 0;
    for await (const chunk of fromLine(this.#body())) {
      if (taken + chunk.length > bytes) throw invalid(`unexpected size: more than ${bytes} bytes`);
      yield chunk;
      taken += chunk.length;
      onTaken(taken);
      passed(chunk.length);
    }
    if (taken < bytes) throw unavailable(`unexpected EOF: ${taken} of ${bytes} bytes`);
  }

  /**
   * Hands over each chunk as it comes, until `take` returns true or the body ends. A chunk that has to wait for its reader would grow
   * old, as one of an iterator does: megabytes of them, on many connections.
   */
  async #each(take: (chunk: Buffer) => boolean): Promise<void> {
    const { stream } = this;
    stream.off('data', this.#keep);
    for (const chunk of this.#held.splice(0)) if (take(chunk)) return;
    if (this.#broken !== undefined) throw lineError(this.#broken.error);
    if (stream.readableEnded) return;
    const over = Promise.withResolvers<void>();
    stream.on('data', (chunk: Buffer) => {
      try {
        if (take(chunk)) over.resolve();
        else return;
      } catch (error) {
        over.reject(error);
      }
      stream.removeAllListeners('data').destroy();
    });
    finished(stream, { writable: false }, (error) => {
      if (error == null) over.resolve();
      else over.reject(lineError(error));
    });
    stream.resume();
    await over.promise;
  }

  resume(): void {
    this.stream.off('data', this.#keep);
    this.stream.resume();
  }

  /**
   * Writes what is wanted of the body and tells after each write which bytes are there now. Writes block the thread.
   * `unavailable` when the line broke (what came before is written), `invalid` when there is more than the blob has.
   */
  async save(place: Place, written: (at: number, bytes: number) => void): Promise<void> {
    const { file, ranges, from, digest, size } = place;
    const fd = openSync(file, C.O_WRONLY);
    const writer = new RangeWriter(fd, ranges, written);
    let at = from;
    const length = Number(this.headers['content-length']);
    try {
      await this.#each((chunk) => {
        writer.push(at, chunk);
        at += chunk.length;
        passed(chunk.length);
        // A server that sends more than it promised is not asked again.
        if (at > size) throw invalid(`unexpected size of ${digest}: more than ${size} bytes`);
        // What is left is not waited for; where nothing is, the connection can serve the next request.
        return writer.done && at < size && at !== from + length;
      });
      writer.flush();
      if (!writer.done) throw unavailable(`unexpected EOF: ${at} of ${size} bytes`);
    } catch (error) {
      if (error instanceof SlipwayError && error.kind === 'unavailable') writer.flush();
      throw error;
    } finally {
      writer.close();
      closeSync(fd);
      this.stream.destroy();
    }
  }
}
