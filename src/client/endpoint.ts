/** Where the engine listens: `unix:///path`, `tcp://host:port`, with or without TLS. */

/** PEM texts; `ca` also checks the server when `verify` is on. */
export interface TlsOptions {
  readonly verify: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string; readonly name: string }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly basePath: string;
      readonly name: string;
      readonly tls?: TlsOptions;
    };

/** Docker's ports of the engine without and with TLS. */
const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

/** Reads a host as given to `-H`. Throws an Error in Docker's words when it cannot be one. */
export function parseEndpoint(host: string, tls?: TlsOptions): Endpoint {
  const match = /^([a-z]+):\/\/(.*)$/.exec(host);
  const [scheme, rest] = match === null ? ['tcp', host] : [match[1] ?? '', match[2] ?? ''];
  if (scheme === 'unix') return { kind: 'unix', path: rest, name: host };
  if (scheme !== 'tcp' && scheme !== 'http' && scheme !== 'https') {
    throw new Error(`invalid bind address format: ${host}`);
  }
  const slash = rest.indexOf('/');
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  const basePath = slash < 0 ? '' : rest.slice(slash).replace(/\/$/, '');
  const secure = tls ?? (scheme === 'https' ? { verify: true } : undefined);
  const parts = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(authority);
  if (parts === null) throw new Error(`invalid bind address format: ${host}`);
  const fallback = secure === undefined ? PLAIN_PORT : TLS_PORT;
  return {
    kind: 'tcp',
    host: parts[1] ?? (parts[2] === '' ? '127.0.0.1' : (parts[2] ?? '')),
    port: parts[3] === undefined ? fallback : Number(parts[3]),
    basePath,
    name: match === null ? `tcp://${host}` : host,
    ...(secure === undefined ? {} : { tls: secure }),
  };
}
