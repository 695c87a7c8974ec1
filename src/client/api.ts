/**
 * Requests of the Engine API: version in the path, errors as ApiError, JSON in and out. The newest version this client
 * knows is tried first and lowered by the engine's own answer, so that a command needs no ping before its request.
 */
import { ApiError, ConnectError } from './errors.ts';
import type { WireRequest, WireResponse } from './http/connection.ts';
import type { Hijacked, Transport } from './http/transport.ts';

export type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface ApiRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Path after the version, for example `/containers/json`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, QueryValue>> | undefined;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, chunked. */
  readonly stream?: AsyncIterable<Uint8Array> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The newest API version whose answers this client reads. */
export const NEWEST_VERSION = '1.50';

/** `key` of filters with its values, as the query parameter `filters` wants it. */
export function encodeFilters(filters: Readonly<Record<string, readonly string[]>>): string | undefined {
  const entries = Object.entries(filters)
    .filter(([, values]) => values.length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return undefined;
  return JSON.stringify(
    Object.fromEntries(
      entries.map(([name, values]) => [name, Object.fromEntries(values.toSorted().map((v) => [v, true]))]),
    ),
  );
}

function queryString(query: Readonly<Record<string, QueryValue>> | undefined): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    const values = Array.isArray(value) ? (value as readonly string[]) : [value];
    for (const one of values) {
      const text = one === true ? '1' : one === false ? '0' : String(one);
      parts.push(`${encodeURIComponent(name)}=${encodeURIComponent(text)}`);
    }
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

async function readText(response: WireResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** The engine's own message in an error's body; other bodies are named as they are. */
export function errorMessage(status: number, reason: string, body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (
      typeof parsed === 'object' &&
      parsed !== null &&
      'message' in parsed &&
      typeof parsed.message === 'string'
    ) {
      return parsed.message.trim();
    }
  } catch {
    // Not JSON: a proxy or an old engine that answers plain text.
  }
  const text = body.trim();
  return text === '' ? `request returned ${status} ${reason}` : text;
}

const TOO_NEW = /client version [\d.]+ is too new\. Maximum supported API version is ([\d.]+)/;

export class Api {
  readonly transport: Transport;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fixed: boolean;
  #version: string;
  #known = false;

  constructor(
    transport: Transport,
    options: { version?: string | undefined; headers?: Readonly<Record<string, string>> },
  ) {
    this.transport = transport;
    this.#headers = options.headers ?? {};
    this.#fixed = options.version !== undefined;
    this.#version = options.version ?? NEWEST_VERSION;
  }

  /** The version in use: the newest both sides know once a request was answered. */
  get version(): string {
    return this.#version;
  }

  #wire(request: ApiRequest): WireRequest {
    const headers: Record<string, string> = { ...this.#headers, ...request.headers };
    if (request.json !== undefined) headers['Content-Type'] = 'application/json';
    return {
      method: request.method,
      path: `/v${this.#version}${request.path}${queryString(request.query)}`,
      headers,
      body: request.json === undefined ? request.stream : JSON.stringify(request.json),
    };
  }

  /** Asks the engine for its version; needed before a body that cannot be sent twice. */
  async negotiate(): Promise<void> {
    if (this.#known || this.#fixed) return;
    const response = await this.transport.request({ method: 'HEAD', path: '/_ping', headers: this.#headers });
    await readText(response);
    this.#lower(response.head.headers.get('api-version'));
    this.#known = true;
  }

  #lower(version: string | undefined): boolean {
    if (version === undefined || this.#fixed) return false;
    if (Number(version.split('.')[1]) >= Number(this.#version.split('.')[1])) return false;
    this.#version = version;
    return true;
  }

  async #failure(response: WireResponse): Promise<Error> {
    const body = await readText(response);
    return new ApiError(response.head.status, errorMessage(response.head.status, response.head.reason, body));
  }

  /** Sends; resolves at a head of 2xx or 304 and leaves the body to the caller. Throws ApiError, ConnectError. */
  async send(request: ApiRequest): Promise<WireResponse> {
    if (request.stream !== undefined) await this.negotiate();
    const response = await this.transport.request(this.#wire(request), request.signal);
    if (response.head.status < 300 || response.head.status === 304) {
      this.#known = true;
      return response;
    }
    const error = await this.#failure(response);
    const newest = TOO_NEW.exec(error.message)?.[1];
    if (this.#lower(newest) && request.stream === undefined) return this.send(request);
    throw error;
  }

  async text(request: ApiRequest): Promise<string> {
    return readText(await this.send(request));
  }

  /** The answer's JSON; the engine's schema is trusted for its type. */
  async json<T>(request: ApiRequest): Promise<T> {
    const text = await this.text(request);
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new ConnectError(
        this.transport.endpoint.name,
        `the engine's answer is not JSON: ${text.slice(0, 80)}`,
        {
          cause: error,
        },
      );
    }
  }

  /** For answers without a body that matters. */
  async done(request: ApiRequest): Promise<void> {
    await this.text(request);
  }

  /** A request whose connection is raw afterwards (attach, exec start). */
  async hijack(request: ApiRequest): Promise<Hijacked> {
    const { response, stream } = await this.transport.hijack(this.#wire(request));
    if (response.head.status < 300) return stream;
    const error = await this.#failure(response);
    stream.destroy();
    if (this.#lower(TOO_NEW.exec(error.message)?.[1])) return this.hijack(request);
    throw error;
  }
}
