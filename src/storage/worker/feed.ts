/** The way of a stream into a worker thread. */

import { finished, type Readable } from 'node:stream';
import { collectAsBytesPass } from '../../core/garbage.ts';
import { blockSize, window } from './protocol.ts';

type Send = (block: Uint8Array<ArrayBuffer>) => void;

const passed = collectAsBytesPass(4 << 20);

/**
 * Copies a source into blocks: a chunk's memory may belong to a pool, and a whole pool would be cloned with it. Blocks
 * come back and are used again, and a chunk is garbage as soon as it has come: thousands that were kept for a moment would
 * be slow to collect.
 */
export class Feed {
  #outstanding = 0;
  #source: Readable | undefined;
  #over = false;
  /** Blocks that came back. */
  readonly #free: ArrayBuffer[] = [];
  #block = new Uint8Array(new ArrayBuffer(0));
  #filled = 0;

  taken(bytes: number, block: ArrayBuffer | undefined): void {
    this.#outstanding -= bytes;
    if (block !== undefined && block.byteLength === blockSize) this.#free.push(block);
    if (this.#outstanding <= window) this.#source?.resume();
  }

  /** Nobody takes any more: what is left of the source is let go. */
  stop(): void {
    this.#over = true;
    const source = this.#source;
    this.#source = undefined;
    source?.destroy();
  }

  /** Resolves when all of it was sent, or nobody takes any more; rejects when the source fails. */
  async pump(source: Readable, send: Send): Promise<void> {
    if (this.#over) return;
    const end = Promise.withResolvers<void>();
    finished(source, { writable: false }, (error) => {
      this.#source = undefined;
      if (error == null || this.#over) end.resolve();
      else end.reject(error);
    });
    this.#source = source;
    source.on('data', (chunk: Buffer) => this.#take(chunk, send));
    // One whose first bytes somebody has looked at stands still.
    source.resume();
    await end.promise;
    if (this.#filled > 0 && !this.#over) this.#send(this.#block.subarray(0, this.#filled), send);
  }

  #take(chunk: Buffer, send: Send): void {
    for (let at = 0; at < chunk.length && !this.#over;) {
      if (this.#filled === this.#block.length) this.#next();
      const part = chunk.subarray(at, at + blockSize - this.#filled);
      this.#block.set(part, this.#filled);
      at += part.length;
      this.#filled += part.length;
      if (this.#filled === blockSize) this.#send(this.#block, send);
    }
    passed(chunk.length);
    if (this.#outstanding > window) this.#source?.pause();
  }

  #next(): void {
    this.#block = new Uint8Array(this.#free.pop() ?? new ArrayBuffer(blockSize));
    this.#filled = 0;
  }

  #send(block: Uint8Array<ArrayBuffer>, send: Send): void {
    this.#outstanding += block.byteLength;
    this.#block = new Uint8Array(new ArrayBuffer(0));
    this.#filled = 0;
    send(block);
  }
}
