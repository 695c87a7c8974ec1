/** What `import` fetches: one file at an address that the user gave, in dockerd's words when it cannot be had. */

import { Readable } from 'node:stream';
import type { Ctx } from '../core/ctx.ts';
import { SlipwayError, invalid, type ErrorKind } from '../core/errors.ts';
import type { RemoteFile, RemoteFiles } from '../core/ports/remote-files.ts';
import { fromLine, type Received } from './answer.ts';
import { HttpClient, type HttpOptions } from './http.ts';

const maxRedirects = 10;
/** Of a server's explanation. */
const maxWords = 4 << 10;

/** dockerd's own kinds for a refusal; 401 would make the docker CLI ask for a password. */
const kinds: Readonly<Record<number, ErrorKind>> = {
  400: 'invalid',
  401: 'forbidden',
  403: 'forbidden',
  404: 'notFound',
};

function parseAddress(text: string): { readonly url: URL; readonly address: string } {
  const address = text === '' ? 'http:' : /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (/^https?:(?:\/\/(?:\/|$)|$)/i.test(address))
    throw invalid(`Get "${address}": http: no Host in request URL`);
  if (!URL.canParse(address)) throw invalid(`parse ${JSON.stringify(address)}: invalid URL`);
  const url = new URL(address);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw invalid(
      `Get "${address}": unsupported protocol scheme ${JSON.stringify(url.protocol.slice(0, -1))}`,
    );
  return { url, address };
}

async function follow(http: HttpClient, ctx: Ctx, first: URL): Promise<Received> {
  let url = first;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const message = await http.send(ctx, { method: 'GET', url, tls: { verify: true } });
    const { location } = message.headers;
    const isRedirect = [301, 302, 303, 307, 308].includes(message.statusCode);
    if (!isRedirect || location === undefined) return message;
    message.resume();
    // A name and password in the first address are not for whatever it leads to.
    url = new URL(location, `${url.origin}${url.pathname}${url.search}`);
  }
  throw invalid(`Get "${url.pathname}": stopped after ${maxRedirects} redirects`);
}

async function refusal(message: Received, address: string): Promise<SlipwayError> {
  const body = await message.read(maxWords).catch(() => Buffer.alloc(0));
  const words = body.toString('utf8').trim();
  const status = `${message.statusCode} ${message.statusMessage}`.trim();
  return new SlipwayError(
    kinds[message.statusCode] ?? 'unavailable',
    `failed to GET ${address} with status ${status}: ${words}`,
  );
}

async function open(http: HttpClient, ctx: Ctx, text: string): Promise<RemoteFile> {
  const { url, address } = parseAddress(text);
  const message = await follow(http, ctx, url);
  if (message.statusCode >= 400) throw await refusal(message, address);
  const length = Number(message.headers['content-length'] ?? Number.NaN);
  return {
    address,
    stream: Readable.from(fromLine(message.stream), { objectMode: false }),
    size: Number.isSafeInteger(length) ? length : undefined,
  };
}

/** Through the same proxies, and with the same patience, as registries. */
export function createRemoteFiles(options: Partial<HttpOptions> = {}): RemoteFiles {
  const http = new HttpClient({
    userAgent: options.userAgent ?? 'slipway',
    idleTimeoutMs: options.idleTimeoutMs ?? 60_000,
    proxyEnv: { ...(options.proxyEnv ?? process.env) },
  });
  return { open: (ctx, address) => open(http, ctx, address) };
}
