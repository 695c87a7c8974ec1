/**
 * Docker's multiplexed stream: frames of stdout and stderr, each with 8 bytes in front (stream number, three zero
 * bytes, length as a big-endian 32-bit number).
 */

const HEADER = 8;

export interface Frame {
  /** 0 stdin, 1 stdout, 2 stderr, 3 an error of the engine. */
  readonly stream: number;
  readonly data: Uint8Array;
}

/** Splits bytes in any pieces into frames; a long frame comes in several parts as it arrives. */
export class Demuxer {
  #head: Buffer = Buffer.alloc(0);
  #stream = 0;
  #left = 0;

  /** The frames that `chunk` completes or goes on with. Throws when it cannot be this format. */
  *feed(chunk: Uint8Array): Generator<Frame, void, undefined> {
    let rest: Buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (rest.length > 0) {
      if (this.#left > 0) {
        const data = rest.subarray(0, this.#left);
        this.#left -= data.length;
        rest = rest.subarray(data.length);
        yield { stream: this.#stream, data };
        continue;
      }
      const wanted = HEADER - this.#head.length;
      this.#head = Buffer.concat([this.#head, rest.subarray(0, wanted)]);
      rest = rest.subarray(wanted);
      if (this.#head.length < HEADER) return;
      this.#stream = this.#head.readUInt8(0);
      this.#left = this.#head.readUInt32BE(4);
      this.#head = Buffer.alloc(0);
      if (this.#stream > 3) throw new Error(`Unrecognized input header: ${this.#stream}`);
    }
  }
}
