/**
 * How far a file has come that one thread writes and others read meanwhile: bytes that are there from its beginning
 * without a gap, and whether more will come. The memory is shared between threads; the file itself carries the bytes.
 */

import { unavailable } from './errors.ts';

const coming = 0n;
const whole = 1n;
const broken = 2n;

export class Growth {
  /** What is handed to another thread. */
  readonly shared: SharedArrayBuffer;
  readonly #cells: BigInt64Array;

  constructor(shared = new SharedArrayBuffer(16)) {
    this.shared = shared;
    this.#cells = new BigInt64Array(shared);
  }

  /** Bytes from the beginning. */
  get bytes(): number {
    return Number(Atomics.load(this.#cells, 0));
  }

  reach(bytes: number): void {
    this.#set(0, BigInt(bytes));
  }

  /** No more will come: all of it is there. */
  finish(): void {
    this.#set(1, whole);
  }

  /** No more will come, and it is not all there. */
  fail(): void {
    if (Atomics.load(this.#cells, 1) === coming) this.#set(1, broken);
  }

  /**
   * Waits until there are more than `after` bytes, and returns how many; the same number once all of it is there.
   * `check` is called now and then and may throw. `unavailable` when the writer gave up.
   */
  async past(after: number, check: () => void): Promise<number> {
    for (;;) {
      // The state first: bytes that came before the end was told are then seen.
      const state = Atomics.load(this.#cells, 1);
      const bytes = Atomics.load(this.#cells, 0);
      if (Number(bytes) > after) return Number(bytes);
      if (state === whole) return after;
      if (state === broken) throw unavailable('what was being read did not come to its end');
      check();
      await Atomics.waitAsync(this.#cells, 0, bytes, 200).value;
    }
  }

  #set(cell: 0 | 1, value: bigint): void {
    Atomics.store(this.#cells, cell, value);
    Atomics.notify(this.#cells, 0);
  }
}
