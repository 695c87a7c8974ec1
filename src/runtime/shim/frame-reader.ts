import { frameType, headerSize, type Frame } from './protocol.ts';

export interface FrameSink {
  frame(frame: Frame): void;
  /** A piece of output; pieces are handed on as they come, without waiting for the whole frame. */
  data(flags: number, piece: Buffer): void;
}

/** Cuts a byte stream into frames. Pieces are views into the chunks: a chunk must not be reused. */
export class FrameReader {
  readonly #sink: FrameSink;
  #held: Buffer | undefined;
  #dataLeft = 0;
  #dataFlags = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    let bytes = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#held = undefined;
    while (bytes.length > 0) {
      if (this.#dataLeft > 0) {
        const piece = bytes.subarray(0, this.#dataLeft);
        this.#dataLeft -= piece.length;
        bytes = bytes.subarray(piece.length);
        this.#sink.data(this.#dataFlags, piece);
        continue;
      }
      const taken = this.#takeFrame(bytes);
      if (taken === 0) break;
      bytes = bytes.subarray(taken);
    }
    if (bytes.length > 0) this.#held = bytes;
  }

  /** Returns how many bytes it used; 0 when the frame is not complete. */
  #takeFrame(bytes: Buffer): number {
    if (bytes.length < headerSize) return 0;
    const type = bytes.readUInt8(0);
    const flags = bytes.readUInt8(1);
    const length = bytes.readUInt32LE(4);
    if (type === frameType.data) {
      this.#dataLeft = length;
      this.#dataFlags = flags;
      return headerSize;
    }
    if (bytes.length < headerSize + length) return 0;
    const payload = bytes.subarray(headerSize, headerSize + length);
    this.#sink.frame({ type, flags, session: bytes.readUInt16LE(2), payload });
    return headerSize + length;
  }
}
