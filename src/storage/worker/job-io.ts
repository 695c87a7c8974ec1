/** The worker's end of one job: its input and output streams, with a window each, and its cancellation. */

import { once } from 'node:events';
import { EventEmitter } from 'node:events';
import { window, type FromWorker } from './protocol.ts';

export class JobIo {
  readonly #job: number;
  readonly #say: (message: FromWorker, transfer?: ArrayBuffer[]) => void;
  readonly #changed = new EventEmitter();
  readonly #chunks: Uint8Array[] = [];
  #ended = false;
  #cancelled = false;
  #outstanding = 0;

  constructor(job: number, say: (message: FromWorker, transfer?: ArrayBuffer[]) => void) {
    this.#job = job;
    this.#say = say;
  }

  receive(data: Uint8Array): void {
    this.#chunks.push(data);
    this.#changed.emit('change');
  }

  end(): void {
    this.#ended = true;
    this.#changed.emit('change');
  }

  cancel(): void {
    this.#cancelled = true;
    this.#changed.emit('change');
  }

  taken(bytes: number): void {
    this.#outstanding -= bytes;
    this.#changed.emit('change');
  }

  /** To be called between chunks of work: throws once the job was cancelled. */
  check(): void {
    if (this.#cancelled) throw Object.assign(new Error('cancelled'), { code: 'ABORT_ERR' });
  }

  /** `reuse`: a chunk is only valid until the next is asked for, and its memory goes back to the sender. */
  async *input({ reuse = false }: { readonly reuse?: boolean } = {}): AsyncGenerator<Buffer> {
    for (;;) {
      this.check();
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        const { buffer: block, byteLength: bytes } = chunk;
        yield Buffer.from(block, chunk.byteOffset, bytes);
        const taken = { job: this.#job, op: 'taken', bytes } as const;
        if (reuse && block instanceof ArrayBuffer) this.#say({ ...taken, block }, [block]);
        else this.#say(taken);
      } else if (this.#ended) return;
      else await once(this.#changed, 'change');
    }
  }

  /** Sends a copy of `data` and waits while too much is on its way. */
  async emit(data: Uint8Array): Promise<void> {
    this.check();
    const copy = new Uint8Array(data);
    this.#outstanding += copy.byteLength;
    this.#say({ job: this.#job, op: 'chunk', data: copy }, [copy.buffer]);
    while (this.#outstanding > window) {
      await once(this.#changed, 'change');
      this.check();
    }
  }
}
