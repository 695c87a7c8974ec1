/** Receivers at the other end of a stream: TCP, TLS or a unix socket. */
import { readFile } from 'node:fs/promises';
import { connect as connectNet, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Connect, ShippedLine, Sink } from './sink.ts';

export interface TlsOptions {
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly skipVerify: boolean;
}

export type StreamTarget =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'tls'; readonly host: string; readonly port: number; readonly tls: TlsOptions }
  | { readonly kind: 'unix'; readonly path: string };

/** How long a receiver may take to answer at all. */
const connectMs = 10_000;
/** How long it may take to close its side after the last line. */
const finishMs = 3000;

async function optional(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined || path === '' ? undefined : await readFile(path);
}

async function openSocket(target: StreamTarget): Promise<{ socket: Socket; opened: string }> {
  if (target.kind === 'unix') return { socket: connectNet(target.path), opened: 'connect' };
  const { host, port } = target;
  if (target.kind === 'tcp') return { socket: connectNet({ host, port }), opened: 'connect' };
  const [ca, cert, key] = await Promise.all([
    optional(target.tls.caFile),
    optional(target.tls.certFile),
    optional(target.tls.keyFile),
  ]);
  const socket = connectTls({
    host,
    port,
    servername: host,
    rejectUnauthorized: !target.tls.skipVerify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
  return { socket, opened: 'secureConnect' };
}

async function connected(target: StreamTarget, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const { socket, opened } = await openSocket(target);
  return await new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      reject(error);
    };
    const abort = (): void => fail(new Error('given up'));
    signal.addEventListener('abort', abort, { once: true });
    socket.setTimeout(connectMs, () => fail(new Error('the receiver does not answer')));
    socket.once('error', fail);
    socket.once(opened, () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', fail);
      socket.setTimeout(0);
      socket.setKeepAlive(true, 15_000);
      resolve(socket);
    });
  });
}

/** A connection on which lines are written. */
export class StreamSink implements Sink {
  readonly confirms: boolean = false;
  readonly broken: Promise<Error>;
  protected readonly socket: Socket;
  readonly #encode: (lines: readonly ShippedLine[]) => Buffer;
  #isFinishing = false;

  constructor(socket: Socket, encode: (lines: readonly ShippedLine[]) => Buffer) {
    this.socket = socket;
    this.#encode = encode;
    this.broken = new Promise((resolve) => {
      socket.on('error', resolve);
      socket.on('end', () => {
        if (!this.#isFinishing) resolve(new Error('the receiver closed the connection'));
      });
      socket.on('close', () => resolve(new Error('the connection is closed')));
    });
    this.receive();
  }

  /** What the receiver says. */
  protected receive(): void {
    this.socket.resume();
  }

  send(lines: readonly ShippedLine[]): Promise<void> {
    return this.write(this.#encode(lines));
  }

  protected async write(bytes: Buffer): Promise<void> {
    // Called with an error, too, when the connection breaks.
    await new Promise<void>((resolve, reject) => {
      this.socket.write(bytes, (error) => (error == null ? resolve() : reject(error)));
    });
  }

  /** The receiver closes its side when it has read to the end of ours; one that does not is not waited for long. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        if (this.socket.writableFinished) resolve();
        else reject(new Error('the receiver does not read'));
      }, finishMs);
      const over = (error?: Error): void => {
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      };
      this.socket.once('error', over);
      this.socket.once('close', (hadError) => {
        if (!hadError) over();
      });
      this.socket.end();
    });
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Connects and writes lines as `encode` has them. */
export function streamConnect(
  target: StreamTarget,
  encode: (lines: readonly ShippedLine[]) => Buffer,
): Connect {
  return async (signal) => new StreamSink(await connected(target, signal), encode);
}

export { connected as connectStream };
