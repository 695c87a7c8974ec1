/** The bytes of a log file from its beginning on, plain or compressed. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip, type Gunzip } from 'node:zlib';
import type { Segment } from './segments.ts';

export interface ByteSource {
  /** Fills part of the buffer; 0 at the end for now. */
  read(target: Buffer, offset: number, length: number): Promise<number>;
  close(): void;
}

class PlainSource implements ByteSource {
  readonly #segment: Segment;
  #position: number;

  constructor(segment: Segment, position: number) {
    this.#segment = segment;
    this.#position = position;
  }

  async read(target: Buffer, offset: number, length: number): Promise<number> {
    const { bytesRead } = await this.#segment.handle.read(target, offset, length, this.#position);
    this.#position += bytesRead;
    return bytesRead;
  }

  close(): void {}
}

const pieceSize = 64 * 1024;

/** The file's bytes; the handle stays open, and two readers do not disturb each other. */
async function* pieces(segment: Segment): AsyncGenerator<Buffer> {
  for (let position = 0; ;) {
    const { buffer, bytesRead } = await segment.handle.read(
      Buffer.allocUnsafe(pieceSize),
      0,
      pieceSize,
      position,
    );
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Never more than a piece is inflated ahead. */
class GzipSource implements ByteSource {
  readonly #inflate: Gunzip;
  readonly #pieces: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(segment: Segment) {
    this.#inflate = createGunzip({ chunkSize: 128 * 1024 });
    // Errors and the end of either are those of both.
    pipeline(Readable.from(pieces(segment)), this.#inflate, () => {});
    this.#pieces = this.#inflate[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async read(target: Buffer, offset: number, length: number): Promise<number> {
    if (this.#rest.length === 0) {
      const { done, value } = await this.#pieces.next();
      if (done === true) return 0;
      this.#rest = value;
    }
    const copied = this.#rest.copy(target, offset, 0, length);
    this.#rest = this.#rest.subarray(copied);
    return copied;
  }

  close(): void {
    this.#inflate.destroy();
  }
}

export async function openBytes(segment: Segment, position: number): Promise<ByteSource> {
  if (!segment.compressed) return new PlainSource(segment, position);
  const source = new GzipSource(segment);
  const waste = Buffer.allocUnsafe(64 * 1024);
  for (let left = position; left > 0;) {
    const read = await source.read(waste, 0, Math.min(left, waste.length));
    if (read === 0) break;
    left -= read;
  }
  return source;
}
