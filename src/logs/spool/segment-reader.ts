import { headroom, LogBatch } from '../../core/log-batch.ts';
import { openBytes, type ByteSource } from './byte-source.ts';
import { LineDecoder } from './decode.ts';
import type { Segment } from './segments.ts';

const blockSize = 256 * 1024;
const newline = 0x0a;
/** Only a guess at how many lines a block has. */
const usualLine = 100;
/** What is longer is no line of the shim's: 16 KiB of text, escaped, and its attributes. */
const longestLine = 4 * 1024 * 1024;

/** The lines of one file from an offset on, and more when it has grown. */
export class SegmentReader {
  readonly segment: Segment;
  readonly #start: number;
  #source: ByteSource | undefined;
  readonly #decoder = new LineDecoder();
  #block = Buffer.allocUnsafe(blockSize);
  /** Bytes of a line whose end is not read yet are at the beginning of the block. */
  #filled = 0;
  /** Bytes of the file that were read. */
  #position: number;
  #isSkipping = false;

  constructor(segment: Segment, start: number) {
    this.segment = segment;
    this.#start = start;
    this.#position = start;
  }

  /** The lines of the next block, up to byte `limit` of the file; undefined at the end for now. */
  async next(limit: number): Promise<LogBatch | undefined> {
    this.#source ??= await openBytes(this.segment, this.#start);
    for (;;) {
      if (this.#filled === this.#block.length && !this.#grow()) continue;
      const want = Math.min(this.#block.length - this.#filled, limit - this.#position);
      const read = want <= 0 ? 0 : await this.#source.read(this.#block, this.#filled, want);
      if (read === 0) return undefined;
      this.#position += read;
      this.#filled += read;
      const batch = this.#decode(this.#filled - read);
      if (batch !== undefined) return batch;
    }
  }

  /** Makes room in a block that holds one unfinished line. */
  #grow(): boolean {
    if (this.#block.length >= longestLine) {
      this.#filled = 0;
      this.#isSkipping = true;
      return false;
    }
    const larger = Buffer.allocUnsafe(this.#block.length * 2);
    this.#block.copy(larger, 0, 0, this.#filled);
    this.#block = larger;
    return true;
  }

  /** The lines of the block that are complete; the first newline is at `searchFrom` or later. */
  #decode(searchFrom: number): LogBatch | undefined {
    const bytes = this.#block.subarray(0, this.#filled);
    let end = bytes.indexOf(newline, searchFrom);
    if (end < 0) return undefined;
    const batch = new LogBatch(bytes.length + headroom, Math.ceil(bytes.length / usualLine));
    let from = 0;
    while (end >= 0) {
      if (this.#isSkipping) this.#isSkipping = false;
      else if (end > from) this.#decoder.decode(bytes, from, end, batch);
      from = end + 1;
      end = bytes.indexOf(newline, from);
    }
    bytes.copyWithin(0, from);
    this.#filled -= from;
    batch.end = { segment: this.segment.number, offset: this.#position - this.#filled };
    return batch;
  }

  close(): void {
    this.#source?.close();
  }
}
