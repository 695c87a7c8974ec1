/**
 * The typed client of the Engine API: Slipway's CLI is built on it and it is the public TypeScript SDK. It speaks to any
 * engine with that API. `createClient({ host: 'unix:///run/slipway.sock' }).containers.list()`.
 */
import { Api } from './api.ts';
import { containers, exec } from './containers.ts';
import { parseEndpoint, type TlsOptions } from './endpoint.ts';
import { Transport } from './http/transport.ts';
import { images } from './images.ts';
import { networks } from './networks.ts';
import { system } from './system.ts';
import { volumes } from './volumes.ts';

export interface ClientOptions {
  /** `unix:///path` or `tcp://host:port`. */
  readonly host: string;
  readonly tls?: TlsOptions | undefined;
  /** Speaks exactly this API version instead of negotiating. */
  readonly version?: string | undefined;
  /** Added to each request. */
  readonly headers?: Readonly<Record<string, string>>;
}

export function createClient(options: ClientOptions) {
  const transport = new Transport(parseEndpoint(options.host, options.tls));
  const api = new Api(transport, {
    version: options.version,
    ...(options.headers === undefined ? {} : { headers: options.headers }),
  });
  return {
    api,
    host: options.host,
    containers: containers(api),
    exec: exec(api),
    images: images(api),
    networks: networks(api),
    volumes: volumes(api),
    system: system(api),
    /** Cuts all connections, also those that still stream. */
    close: (): void => transport.close(),
  };
}

export type Client = ReturnType<typeof createClient>;

export { type Api, encodeFilters, NEWEST_VERSION } from './api.ts';
export type { Filters, WaitCondition } from './containers.ts';
export type { TlsOptions } from './endpoint.ts';
export { ApiError, ConnectError } from './errors.ts';
export type { Hijacked } from './http/transport.ts';
export type { Progress } from './images.ts';
export type { ByteQueue } from './streams/byte-queue.ts';
export { jsonTexts } from './streams/json-lines.ts';
export { Demuxer, type Frame } from './streams/demux.ts';
export { jsonValues } from './streams/json-lines.ts';
export type * from './types.ts';
