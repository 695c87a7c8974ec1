import { Readable, Writable } from 'node:stream';
import { unavailable, type SlipwayError } from '../../core/errors.ts';
import type { Attachment, AttachOptions } from '../../core/ports/runtime.ts';
import type { ShimConnection } from './connection.ts';
import { encodeFrame, encodeHeader, frameType, streamBit, type Frame } from './protocol.ts';

/**
 * An attachment over a connection of its own. Back-pressure: when the reader of either stream is full, the socket is not read;
 * the shim then keeps what follows, and the container does not notice.
 */
export class ShimAttachment implements Attachment {
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly stdin: Writable | undefined;
  readonly #connection: ShimConnection;
  readonly #full = new Set<Readable>();

  /** `onFrame` hears of frames that are not about streams. */
  constructor(
    connection: ShimConnection,
    options: AttachOptions,
    onFrame: (frame: Frame) => void = () => {},
  ) {
    this.#connection = connection;
    this.stdout = this.#output();
    this.stderr = this.#output();
    // A stream that was not asked for has ended before it began.
    if (!options.stdout) this.stdout.push(null);
    if (!options.stderr) this.stderr.push(null);
    this.stdin = options.stdin ? this.#input() : undefined;
    connection.sink = {
      data: (flags, piece) => this.#deliver(flags === streamBit.stderr ? this.stderr : this.stdout, piece),
      frame: (frame) => {
        if (frame.type === frameType.end) this.#finish();
        else if (frame.type === frameType.error) this.#finish(unavailable(frame.payload.toString('utf8', 2)));
        else onFrame(frame);
      },
      // Every end that is in order is told by a frame.
      closed: () => this.#finish(unavailable('the connection to the shim of the container broke')),
    };
  }

  detach(): void {
    this.#finish();
  }

  #output(): Readable {
    const stream: Readable = new Readable({
      read: () => {
        if (this.#full.delete(stream) && this.#full.size === 0) this.#connection.socket.resume();
      },
      destroy: (error, done) => {
        if (this.#full.delete(stream) && this.#full.size === 0) this.#connection.socket.resume();
        done(error);
      },
    });
    // The end by an error reaches whoever reads; one that nobody reads must not end the daemon.
    stream.on('error', () => {});
    return stream;
  }

  #input(): Writable {
    const connection = this.#connection;
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) =>
        connection.sendParts(encodeHeader(frameType.stdin, 0, 0, chunk.length), chunk, done),
      final: (done) => connection.send(encodeFrame(frameType.stdinEof), done),
    });
    stream.on('error', () => {});
    return stream;
  }

  #deliver(stream: Readable, piece: Buffer): void {
    if (stream.destroyed || stream.readableEnded) return;
    if (stream.push(piece)) return;
    this.#full.add(stream);
    this.#connection.socket.pause();
  }

  #finish(error?: SlipwayError): void {
    this.#connection.sink = { frame: () => {}, data: () => {}, closed: () => {} };
    this.#connection.close();
    for (const stream of [this.stdout, this.stderr]) {
      if (stream.destroyed || stream.readableEnded) continue;
      if (error) stream.destroy(error);
      else stream.push(null);
    }
  }
}
