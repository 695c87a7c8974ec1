/**
 * Bytes that arrive by event and are read by `for await`. When more than `limit` bytes wait, the producer is told to
 * pause, so that a slow reader never makes the client hold a whole image in memory.
 */

export interface Flow {
  pause(): void;
  resume(): void;
}

const LIMIT = 256 * 1024;

export class ByteQueue implements AsyncIterable<Uint8Array> {
  readonly #flow: Flow;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #paused = false;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.#ended) return;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size > LIMIT && !this.#paused) {
      this.#paused = true;
      this.#flow.pause();
    }
    this.#signal();
  }

  end(): void {
    this.#ended = true;
    this.#signal();
  }

  fail(error: Error): void {
    if (this.#ended) return;
    this.#error = error;
    this.end();
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** All that waits now in one piece, or undefined at the end. Throws the connection's error after the last bytes. */
  async read(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#size = 0;
    if (this.#paused) {
      this.#paused = false;
      this.#flow.resume();
    }
    return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (let chunk = await this.read(); chunk !== undefined; chunk = await this.read()) yield chunk;
  }
}
