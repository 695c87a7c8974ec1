/**
 * Carries a client's raw connection to a container's streams and back. The client may end its stdin and go on reading
 * (half-close); a client that leaves only ends its own attachment.
 */

import { PassThrough, type Duplex, type Readable } from 'node:stream';
import type { Attachment } from '../../core/ports/runtime.ts';
import { DetachFilter } from './detach-keys.ts';
import { pump, stderrStream, stdoutStream } from './frames.ts';

/** How long a client may take to close its side after the last output. */
const lingerMs = 10_000;

export interface ClientEnd {
  readonly socket: Duplex;
  /** Input that came with the request. */
  readonly head: Buffer;
  /** Keys that detach; undefined when the input is no terminal. */
  readonly detachKeys: Buffer | undefined;
  /** Frames on the wire; else raw bytes. */
  readonly multiplexed: boolean;
  /** No output before. */
  readonly headRead: Promise<void>;
}

/** The client's input, kept until there is someone to give it to. `onGone` is called when the client left or detached. */
export function readInput(client: ClientEnd, onGone: () => void): PassThrough {
  const { socket } = client;
  const input = new PassThrough({ highWaterMark: 64 * 1024 });
  const filter = client.detachKeys === undefined ? undefined : new DetachFilter(client.detachKeys);
  // Detaching must not look like the end of stdin: a process that reads to the end goes on reading.
  let detached = false;
  const leave = (): void => {
    detached = true;
    input.unpipe();
    onGone();
    closeGently(socket);
  };
  const take = (chunk: Buffer): void => {
    if (detached || input.writableEnded || chunk.length === 0) return;
    const result = filter?.push(chunk) ?? { output: chunk, detached: false };
    if (result.output.length > 0 && !input.write(result.output)) socket.pause();
    if (result.detached) setImmediate(leave);
  };
  const end = (): void => {
    if (!detached) input.end();
  };
  input.on('drain', () => socket.resume());
  socket.on('data', take);
  socket.on('end', end);
  socket.on('error', () => {});
  socket.on('close', () => {
    end();
    onGone();
  });
  take(client.head);
  if (!input.writableNeedDrain) socket.resume();
  return input;
}

/** Joins both ends until the output is complete. Never rejects. */
export async function joinStreams(
  client: ClientEnd,
  input: PassThrough,
  attachment: Attachment,
): Promise<void> {
  const { stdin, stdout, stderr } = attachment;
  if (stdin === undefined) input.resume();
  else {
    // The process may have closed its stdin; what it writes still goes to the client.
    stdin.on('error', () => input.resume());
    stdin.on('close', () => input.resume());
    input.pipe(stdin);
  }
  // Only now: a client may write before it reads.
  await client.headRead;
  const copy = (source: Readable, stream: typeof stdoutStream | typeof stderrStream): Promise<void> =>
    pump(source, client.socket, client.multiplexed ? stream : undefined);
  await Promise.all([copy(stdout, stdoutStream), copy(stderr, stderrStream)]);
}

/**
 * Ends our side and waits for the client's end: closing with unread input would reset the connection and could lose output
 * that is still on its way.
 */
export function closeGently(socket: Duplex): void {
  if (socket.destroyed) return;
  // Node destroys the socket by itself once both sides have ended.
  socket.end();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  timer.unref();
  socket.on('close', () => clearTimeout(timer));
  socket.on('data', () => {});
  socket.on('error', () => {});
  socket.resume();
}
