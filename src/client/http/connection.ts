/** One socket to the engine that carries one request at a time. */
import net from 'node:net';
import type tlsModule from 'node:tls';
import type { Endpoint } from '../endpoint.ts';
import { ConnectError } from '../errors.ts';
import { ByteQueue } from '../streams/byte-queue.ts';
import { type Head, ResponseParser } from './response-parser.ts';

export interface WireRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly hijack?: boolean | undefined;
}

export interface WireResponse {
  readonly head: Head;
  readonly body: ByteQueue;
}

function openSocket(endpoint: Endpoint, tls: typeof tlsModule | undefined): net.Socket {
  // Half open: the end of our input must not cut off the engine's output.
  if (endpoint.kind === 'unix') return net.connect({ path: endpoint.path, allowHalfOpen: true });
  const address = { host: endpoint.host, port: endpoint.port, allowHalfOpen: true };
  if (endpoint.tls === undefined || tls === undefined) return net.connect(address).setNoDelay(true);
  const { verify, ca, cert, key } = endpoint.tls;
  const socket = tls.connect({
    ...address,
    ...(net.isIP(endpoint.host) === 0 ? { servername: endpoint.host } : {}),
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
  return socket.setNoDelay(true);
}

function errnoCode(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : undefined;
}

export class Connection {
  readonly #socket: net.Socket;
  readonly #endpoint: Endpoint;
  readonly #onIdle: (connection: Connection) => void;
  readonly #onClosed: (connection: Connection) => void;
  #parser: ResponseParser | undefined;
  #reject: ((error: Error) => void) | undefined;
  #queue: ByteQueue | undefined;
  #closed = false;

  constructor(
    endpoint: Endpoint,
    tls: typeof tlsModule | undefined,
    on: { readonly idle: (c: Connection) => void; readonly closed: (c: Connection) => void },
  ) {
    this.#endpoint = endpoint;
    this.#onIdle = on.idle;
    this.#onClosed = on.closed;
    this.#socket = openSocket(endpoint, tls);
    this.#socket.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('end', () => this.#receiveEnd());
    this.#socket.on('close', () => this.#receiveEnd());
  }

  #fail(error: Error): void {
    this.#closed = true;
    this.#onClosed(this);
    const wrapped = new ConnectError(this.#endpoint.name, error.message, {
      code: errnoCode(error),
      cause: error,
    });
    this.#reject?.(wrapped);
    this.#reject = undefined;
    this.#queue?.fail(wrapped);
    this.#parser = undefined;
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    try {
      this.#parser?.feed(chunk);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #receiveEnd(): void {
    if (this.#closed) return;
    try {
      this.#parser?.close();
      this.#closed = true;
      this.#onClosed(this);
      this.#socket.end();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Lets the process end while this connection only waits for the next request. */
  park(): void {
    this.#socket.unref();
  }

  /** Cuts the connection; whoever waits for an answer gets `reason`. */
  destroy(reason: Error = new Error('connection closed')): void {
    if (!this.#closed) this.#fail(reason);
  }

  /** Ends our direction; the engine's output goes on. */
  endInput(): void {
    this.#socket.end();
  }

  /** Sends raw bytes; resolves when the socket can take more. */
  async write(chunk: string | Uint8Array): Promise<void> {
    if (this.#closed || this.#socket.destroyed || this.#socket.writableEnded) return;
    if (this.#socket.write(chunk)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  /** Sends a request; resolves at the response's head. */
  exchange(request: WireRequest): Promise<WireResponse> {
    this.#socket.ref();
    return new Promise<WireResponse>((resolve, reject) => {
      const queue = new ByteQueue(this.#socket);
      this.#queue = queue;
      this.#reject = reject;
      this.#parser = new ResponseParser(
        {
          onHead: (head) => {
            this.#reject = undefined;
            resolve({ head, body: queue });
          },
          onData: (chunk) => queue.push(chunk),
          onEnd: (reusable) => this.#finish(queue, reusable),
        },
        { head: request.method === 'HEAD', hijack: request.hijack === true },
      );
      this.#send(request).catch((error: unknown) => {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      });
    });
  }

  #finish(queue: ByteQueue, reusable: boolean): void {
    this.#parser = undefined;
    this.#queue = undefined;
    queue.end();
    if (reusable && !this.#closed) this.#onIdle(this);
    else if (!this.#closed) this.#socket.end();
  }

  async #send(request: WireRequest): Promise<void> {
    const { body } = request;
    const host = this.#endpoint.kind === 'unix' ? 'slipway' : `${this.#endpoint.host}:${this.#endpoint.port}`;
    let head = `${request.method} ${request.path} HTTP/1.1\r\nHost: ${host}\r\n`;
    for (const [name, value] of Object.entries(request.headers)) head += `${name}: ${value}\r\n`;
    if (body === undefined) {
      if (request.method === 'POST') head += 'Content-Length: 0\r\n';
      return this.write(`${head}\r\n`);
    }
    if (typeof body === 'string') {
      return this.write(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    }
    if (body instanceof Uint8Array) {
      await this.write(`${head}Content-Length: ${body.length}\r\n\r\n`);
      return this.write(body);
    }
    await this.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    for await (const chunk of body) {
      // The engine may answer an error before it has read all; what is left is then of no use.
      if (this.#closed || this.#parser === undefined) return this.destroy();
      if (chunk.length === 0) continue;
      await this.write(`${chunk.length.toString(16)}\r\n`);
      await this.write(chunk);
      await this.write('\r\n');
    }
    return this.write('0\r\n\r\n');
  }
}
