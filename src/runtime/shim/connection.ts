import { notImplemented, unavailable } from '../../core/errors.ts';
import { shimPatienceMs, withDeadline } from './deadline.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { chooseVersion, encodeClientHello, frameType, type role } from './protocol.ts';
import { ShimSocket } from './shim-socket.ts';

/** One connection to a shim. Whoever makes it sets `sink` before the next turn of the loop. */
export class ShimConnection {
  readonly socket: ShimSocket;
  sink: FrameSink & { closed(): void } = { frame() {}, data() {}, closed() {} };
  #isClosed = false;

  constructor(socket: ShimSocket) {
    this.socket = socket;
    const reader = new FrameReader({
      frame: (frame) => this.sink.frame(frame),
      data: (flags, piece) => this.sink.data(flags, piece),
    });
    socket.on('data', (chunk: Buffer) => reader.push(chunk));
    socket.onLeft = (chunk) => reader.push(chunk);
    // The end and an error (a reset after the last frame) mean the same here: nothing more comes.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isClosed = true;
      this.sink.closed();
    });
  }

  get isClosed(): boolean {
    return this.#isClosed || this.socket.destroyed;
  }

  /** Sends one frame; what is sent to a shim that is gone is dropped. `done` runs when the kernel has taken it. */
  send(frame: Buffer, done?: () => void): void {
    if (this.isClosed || !this.socket.writable) {
      if (done) queueMicrotask(done);
      return;
    }
    this.socket.write(frame, done ? () => done() : undefined);
  }

  /** A frame whose payload is not copied. */
  sendParts(header: Buffer, payload: Buffer, done: () => void): void {
    if (this.isClosed || !this.socket.writable) {
      queueMicrotask(done);
      return;
    }
    this.socket.cork();
    this.socket.write(header);
    this.socket.write(payload, () => done());
    this.socket.uncork();
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Our end of a socketpair whose other end the shim was started with. Takes the descriptor. */
export function adoptConnection(fd: number): ShimConnection {
  return new ShimConnection(new ShimSocket({ fd, readable: true, writable: true }));
}

/**
 * Connects to a shim's socket and agrees on a version and a role. Errors: the connection's own (`ENOENT`, `ECONNREFUSED`)
 * when there is no shim; `unavailable` when it ends at once or does not answer; `notImplemented` when it is of another age.
 */
export async function openConnection(
  path: string,
  asRole: (typeof role)[keyof typeof role],
  streams: number,
  session = 0,
  patienceMs = shimPatienceMs,
): Promise<ShimConnection> {
  const { promise, resolve, reject } = Promise.withResolvers<ShimConnection>();
  const socket = new ShimSocket();
  const connection = new ShimConnection(socket);
  socket.once('error', reject);
  socket.connect(path);
  connection.sink = {
    data: () => {},
    closed: () => reject(unavailable(`the shim at ${path} ended the connection`)),
    frame: (frame) => {
      if (frame.type !== frameType.hello) return;
      const version = chooseVersion(frame.payload);
      if (version === undefined) {
        connection.close();
        reject(
          notImplemented(`the shim at ${path} speaks no version of the protocol that this daemon knows`),
        );
        return;
      }
      connection.send(encodeClientHello(version, asRole, streams, session));
      // What follows in the same chunk must meet the caller's sink, which is set in a microtask: hold the stream until then.
      socket.pause();
      resolve(connection);
      setImmediate(() => socket.resume());
    },
  };
  try {
    return await withDeadline(promise, patienceMs, `the shim at ${path}`);
  } catch (error) {
    connection.close();
    throw error;
  }
}
