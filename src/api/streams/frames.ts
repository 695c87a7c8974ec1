/**
 * Docker's multiplexed stream: each piece of output behind a header of eight bytes (stream number, three zeros, length as
 * 32 bits big-endian). Terminals have one stream and no frames.
 */

import type { Readable, Writable } from 'node:stream';

export const stdoutStream = 1;
export const stderrStream = 2;
export type StreamNumber = typeof stdoutStream | typeof stderrStream;

export function frameHeader(stream: StreamNumber, length: number): Buffer {
  const header = Buffer.allocUnsafe(8);
  header.writeUInt32BE(stream * 0x1000000, 0);
  header.writeUInt32BE(length, 4);
  return header;
}

/**
 * Writes one piece, framed unless `stream` is undefined. Returns false when the sink wants a pause. Header and piece are one
 * write: a corked response would say that it takes more whatever waits in its socket.
 */
export function writePiece(sink: Writable, stream: StreamNumber | undefined, piece: Buffer): boolean {
  if (piece.length === 0) return true;
  return sink.write(stream === undefined ? piece : Buffer.concat([frameHeader(stream, piece.length), piece]));
}

/** Resolves when the sink takes more, or will never again. */
export function drained(sink: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (!sink.writableNeedDrain || sink.destroyed) return resolve();
    const done = (): void => {
      sink.off('drain', done).off('close', done).off('error', done);
      resolve();
    };
    sink.on('drain', done).on('close', done).on('error', done);
  });
}

/** Copies a source until it ends or the sink is gone; the source waits for a slow sink. Never rejects. */
export function pump(source: Readable, sink: Writable, stream: StreamNumber | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      source.off('data', onData).off('end', done).off('close', done).off('error', done);
      sink.off('drain', onDrain).off('close', done);
      resolve();
    };
    const onDrain = (): void => {
      source.resume();
    };
    const onData = (piece: Buffer): void => {
      if (sink.destroyed || !sink.writable) return done();
      if (!writePiece(sink, stream, piece)) source.pause();
    };
    sink.on('drain', onDrain).on('close', done);
    source.on('data', onData).on('end', done).on('close', done).on('error', done);
    if (source.readableEnded || source.destroyed) done();
  });
}
