/**
 * The API room: Docker's Engine API over HTTP, on unix sockets, TCP and TLS. Routes decode a request, call one service and
 * encode its answer; nothing is decided here. Called by the composition root.
 */

import type { Logger } from '../core/log.ts';
import { openListener, type ListenerSpec, type OpenListener } from './listeners.ts';
import { routes } from './routes/index.ts';
import { Dispatcher } from './server.ts';
import type { ApiServices } from './services.ts';
import type { UnreadOutput } from './streams/head-read.ts';

export type { ApiServices } from './services.ts';
export type { ListenerSpec, TlsOptions } from './listeners.ts';
export { maximumVersion, minimumVersion } from './versions.ts';

export interface ApiOptions {
  /** Of the product, for the `Server` header. */
  readonly version: string;
  /** Whether clients are told that this is an experimental engine. */
  readonly experimental?: boolean;
  readonly log: Logger;
  /** Bytes that wait for the reader of a unix socket, by its descriptor; without it none ever do. */
  readonly unreadOutput?: UnreadOutput;
}

export interface ApiServer {
  /** Opens one more listener and returns its address (`tcp://` with the bound port). Fails with the system's error. */
  listen(spec: ListenerSpec): Promise<string>;
  /** Stops listening and cuts every connection; removes socket files. Idempotent. */
  close(): Promise<void>;
}

/** An API server without listeners. */
export function createApiServer(services: ApiServices, options: ApiOptions): ApiServer {
  const dispatcher = new Dispatcher(routes, services, {
    productVersion: options.version,
    experimental: options.experimental === true,
    log: options.log,
    unreadOutput: options.unreadOutput ?? (() => 0),
  });
  const listeners: OpenListener[] = [];
  return {
    async listen(spec) {
      const listener = await openListener(dispatcher, spec);
      listeners.push(listener);
      options.log.info('API listens', { address: listener.address });
      return listener.address;
    },
    async close() {
      await Promise.all(listeners.splice(0).map((listener) => listener.close()));
    },
  };
}
