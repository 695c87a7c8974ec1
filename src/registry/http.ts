/** HTTP as registries need it: streamed bodies, no redirects on its own, and silence on the line is an error. */

import { createReadStream } from 'node:fs';
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { createHash } from 'node:crypto';
import { Readable, pipeline } from 'node:stream';
import type { Ctx } from '../core/ctx.ts';
import { SlipwayError, internal, invalid, unavailable } from '../core/errors.ts';
import { collectAsBytesPass } from '../core/garbage.ts';
import { Received, type Answer } from './answer.ts';
import { describeBroken } from './dial-words.ts';
import { isDirect, withoutExceptions } from './no-proxy.ts';

export interface TlsOptions {
  /** False for insecure registries. */
  readonly verify: boolean;
  readonly ca?: readonly Buffer[];
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Bytes of a file, `from` (included) to `to` (excluded). */
export interface FilePart {
  readonly file: string;
  readonly from: number;
  readonly to: number;
  /** Called with how many have gone. */
  readonly onSent: (bytes: number) => void;
}

/** The body of another answer that the transfer thread has, handed on as it comes. */
export interface HandedOn {
  readonly answer: number;
  readonly bytes: number;
  /** Called with how many have gone. */
  readonly onSent: (bytes: number) => void;
}

export type Body = Buffer | Readable | FilePart | HandedOn;

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  readonly tls: TlsOptions;
}

/** Whatever sends requests: this thread, or another one. */
export interface Transport<A extends Answer> {
  /** Resolves with the answer's head. `unavailable` when there is none. */
  send(ctx: Ctx, request: HttpRequest): Promise<A>;
}

export interface HttpOptions {
  readonly userAgent: string;
  /** Milliseconds without a byte after which a request or a body fails. */
  readonly idleTimeoutMs: number;
  /** Proxies, as variables of the environment. */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>>;
}

/** Connections are shared where protocol and certificates are the same; files may change while the daemon runs. */
function keyOf(protocol: string, tls: TlsOptions): string {
  const hash = createHash('sha256');
  for (const part of [...(tls.ca ?? []), tls.cert, tls.key]) hash.update(part ?? '').update('\0');
  return `${protocol} ${tls.verify} ${hash.digest('hex')}`;
}

/** Bytes in each span of silence that would be too long: what sends less only keeps the line open. */
const leastBytes = 1024;

/** Fails a body that trickles. One that nobody reads from just now is not blamed. */
function guardPace(message: IncomingMessage, spanMs: number): void {
  let before = 0;
  const timer = setInterval(() => {
    const now = message.socket.bytesRead;
    const isHeldUp = message.readableLength > 0;
    if (now - before < leastBytes && !isHeldUp)
      message.destroy(unavailable('i/o timeout: the body comes too slowly'));
    before = now;
  }, spanMs).unref();
  message.once('close', () => clearInterval(timer));
}

const passed = collectAsBytesPass(4 << 20);

async function* bytesOf({ file, from, to, onSent }: FilePart): AsyncGenerator<Buffer, void, undefined> {
  if (to <= from) return;
  let sent = 0;
  for await (const chunk of createReadStream(file, { start: from, end: to - 1, highWaterMark: 256 << 10 })) {
    yield chunk as Buffer;
    // It is asked for more once this has gone.
    sent += (chunk as Buffer).length;
    onSent(sent);
    passed((chunk as Buffer).length);
  }
}

class StaleConnection extends SlipwayError {}

export class HttpClient implements Transport<Received> {
  readonly #options: HttpOptions;
  readonly #agents = new Map<string, HttpAgent | HttpsAgent>();

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /** The body of the answer fails when it is cut short. */
  async send(ctx: Ctx, request: HttpRequest): Promise<Received> {
    try {
      return await this.#attempt(ctx, request);
    } catch (error) {
      // A server may close a kept connection just when it is used again: that says nothing about the server.
      const isStream = request.body instanceof Readable;
      if (!(error instanceof StaleConnection) || isStream) throw error;
      return this.#attempt(ctx, request);
    }
  }

  async #attempt(ctx: Ctx, request: HttpRequest): Promise<Received> {
    const { url, body } = request;
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw invalid(`unsupported protocol of ${url.href}`);
    if (body !== undefined && 'answer' in body)
      throw internal('an answer is handed on by the transfer thread');
    const headers = { 'User-Agent': this.#options.userAgent, ...request.headers };
    const options: RequestOptions = {
      method: request.method,
      headers: Buffer.isBuffer(body) ? { ...headers, 'Content-Length': String(body.length) } : headers,
      agent: this.#agent(url, request.tls, body instanceof Readable),
      signal: ctx.signal,
      timeout: this.#options.idleTimeoutMs,
    };
    return new Promise((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const out = send(url, options);
      const fail = (error: Error): void => {
        const isReset = ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');
        if (isReset && out.reusedSocket && !ctx.signal.aborted)
          reject(
            new StaleConnection('unavailable', describeBroken(request.method, url, error).message, {
              cause: error,
            }),
          );
        else rejectPlainly(error);
      };
      const rejectPlainly = (error: Error): void => {
        if (ctx.signal.aborted) reject(unavailable('context canceled'));
        // What the body's source has to say is not the line's.
        else reject(error instanceof SlipwayError ? error : describeBroken(request.method, url, error));
      };
      out.once('response', (message) => {
        guardPace(message, this.#options.idleTimeoutMs);
        resolve(new Received(message));
      });
      out.on('error', fail);
      out.once('timeout', () => out.destroy(new Error('i/o timeout')));
      if (body === undefined || Buffer.isBuffer(body)) out.end(body);
      else
        pipeline(body instanceof Readable ? body : bytesOf(body), out, (error) => {
          if (error != null) fail(error);
        });
    });
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }

  /** What hands on has connections of its own: the bodies that wait for it could hold all others. */
  #agent(url: URL, tls: TlsOptions, handsOn: boolean): HttpAgent | HttpsAgent {
    const { protocol } = url;
    const env = this.#options.proxyEnv ?? {};
    const direct = isDirect(url, env);
    const key = `${keyOf(protocol, tls)}${handsOn ? ' on' : ''}${direct ? ' direct' : ''}`;
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    // The proxy of the daemon's environment, as dockerd uses it.
    const common = {
      keepAlive: true,
      maxSockets: 16,
      timeout: 30_000,
      proxyEnv: direct ? {} : withoutExceptions(env),
    };
    const agent =
      protocol === 'http:'
        ? new HttpAgent(common)
        : new HttpsAgent({
            ...common,
            rejectUnauthorized: tls.verify,
            ...(tls.ca !== undefined && { ca: [...tls.ca] }),
            ...(tls.cert !== undefined && { cert: tls.cert }),
            ...(tls.key !== undefined && { key: tls.key }),
          });
    this.#agents.set(key, agent);
    return agent;
  }
}
