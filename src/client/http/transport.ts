/** Requests over a pool of keep-alive connections to one endpoint. */
import type tlsModule from 'node:tls';
import type { Endpoint } from '../endpoint.ts';
import { ConnectError } from '../errors.ts';
import type { ByteQueue } from '../streams/byte-queue.ts';
import { Connection, type WireRequest, type WireResponse } from './connection.ts';
import type { Head } from './response-parser.ts';

/** A connection that carries raw bytes both ways after the head. */
export interface Hijacked {
  readonly head: Head;
  readonly output: ByteQueue;
  write(chunk: string | Uint8Array): Promise<void>;
  /** Ends the input and keeps reading the output. */
  closeWrite(): void;
  destroy(): void;
}

export class Transport {
  readonly #endpoint: Endpoint;
  readonly #idle: Connection[] = [];
  readonly #open = new Set<Connection>();
  #tls: typeof tlsModule | undefined;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  async #connect(): Promise<Connection> {
    if (this.#endpoint.kind === 'tcp' && this.#endpoint.tls !== undefined)
      this.#tls ??= (await import('node:tls')).default;
    const connection = new Connection(this.#endpoint, this.#tls, {
      idle: (c) => {
        c.park();
        this.#idle.push(c);
      },
      closed: (c) => {
        this.#open.delete(c);
        const at = this.#idle.indexOf(c);
        if (at >= 0) this.#idle.splice(at, 1);
      },
    });
    this.#open.add(connection);
    return connection;
  }

  #withBase(request: WireRequest): WireRequest {
    const base = this.#endpoint.kind === 'tcp' ? this.#endpoint.basePath : '';
    return base === '' ? request : { ...request, path: base + request.path };
  }

  /** Sends on an idle connection or a new one; resolves at the head. The caller reads the body to its end. */
  async request(request: WireRequest, signal?: AbortSignal): Promise<WireResponse> {
    const wire = this.#withBase(request);
    const reused = this.#idle.pop();
    if (reused !== undefined) {
      try {
        return await this.#exchange(reused, wire, signal);
      } catch (error) {
        // The engine may close an idle connection just as we use it: such a request is safe to send again
        // only when its body can be sent again and nothing was answered.
        const again = error instanceof ConnectError && signal?.aborted !== true && wire.method === 'GET';
        if (!again) throw error;
      }
    }
    return this.#exchange(await this.#connect(), wire, signal);
  }

  async #exchange(connection: Connection, wire: WireRequest, signal?: AbortSignal): Promise<WireResponse> {
    if (signal === undefined) return connection.exchange(wire);
    signal.throwIfAborted();
    const abort = (): void => connection.destroy(new Error('aborted'));
    signal.addEventListener('abort', abort, { once: true });
    return connection.exchange(wire);
  }

  /** Sends a request whose connection is then raw; always on a connection of its own. */
  async hijack(
    request: WireRequest,
  ): Promise<{ readonly response: WireResponse; readonly stream: Hijacked }> {
    const connection = await this.#connect();
    const headers = { ...request.headers, Connection: 'Upgrade', Upgrade: 'tcp' };
    const response = await connection.exchange(this.#withBase({ ...request, headers, hijack: true }));
    const stream: Hijacked = {
      head: response.head,
      output: response.body,
      write: (chunk) => connection.write(chunk),
      closeWrite: () => connection.endInput(),
      destroy: () => connection.destroy(),
    };
    return { response, stream };
  }

  /** Cuts all connections. */
  close(): void {
    for (const connection of this.#open) connection.destroy();
    this.#open.clear();
    this.#idle.length = 0;
  }
}
