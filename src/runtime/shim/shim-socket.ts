import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import { isErrno } from '../../core/errors.ts';

const pieceBytes = 64 * 1024;

/**
 * A socket that a failed write does not rob of what it has not read yet. A process may end while its stdin is still on the way: the
 * shim has then sent all output and its end, and closed; Node takes the broken pipe of the write for the end of both directions.
 */
export class ShimSocket extends Socket {
  /** Gets, in order, what was still to be read. */
  onLeft: (piece: Buffer) => void = () => {};

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (isErrno(error, 'EPIPE') || isErrno(error, 'ECONNRESET')) this.#takeLeft();
    super._destroy(error, done);
  }

  #takeLeft(): void {
    for (let piece = this.#buffered(); piece !== null; piece = this.#buffered()) this.onLeft(piece);
    const { _handle: handle } = this as { _handle?: { readonly fd?: number } | null };
    const fd = handle?.fd ?? -1;
    if (fd < 0) return;
    const piece = Buffer.alloc(pieceBytes);
    try {
      for (let count = readSync(fd, piece); count > 0; count = readSync(fd, piece))
        this.onLeft(Buffer.from(piece.subarray(0, count)));
    } catch {
      // The other end is gone, so what the kernel has is all there is: after it comes the end, or a reset.
    }
  }

  #buffered(): Buffer | null {
    return this.read() as Buffer | null;
  }
}
