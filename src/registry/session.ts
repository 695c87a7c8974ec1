/** Requests to one registry: the endpoint that answers, credentials where it asks for them, redirects. */

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Ctx } from '../core/ctx.ts';
import { SlipwayError, internal, invalid } from '../core/errors.ts';
import type { RegistryCredentials } from '../core/ports/registry.ts';
import { basic, parseChallenge, TokenSource, type Challenge, type TokenRequest } from './auth.ts';
import { endpointsOf, type Endpoint, type EndpointOptions } from './endpoints.ts';
import type { HttpClient, HttpRequest } from './http.ts';

export interface RegistryRequest {
  readonly method: HttpRequest['method'];
  /** From `/v2/` on, or an absolute address that the registry gave. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Opened anew for each attempt. */
  readonly body?: () => Promise<Buffer | Readable>;
  /** `repository:library/busybox:pull`. */
  readonly scopes: readonly string[];
  readonly credentials: RegistryCredentials | undefined;
}

const maxRedirects = 5;
const isRedirect = (status: number | undefined): boolean => [301, 302, 303, 307, 308].includes(status ?? 0);

export class Session {
  readonly #http: HttpClient;
  readonly #tokens: TokenSource;
  readonly #options: EndpointOptions;
  /** What each registry asked for last, so that the next request brings it at once. */
  readonly #challenges = new Map<string, Challenge>();
  /** Insecure registries that turned out to speak plain HTTP. */
  readonly #plain = new Set<string>();

  constructor(http: HttpClient, options: EndpointOptions) {
    this.#http = http;
    this.#tokens = new TokenSource(http);
    this.#options = options;
  }

  get tokens(): TokenSource {
    return this.#tokens;
  }

  /** What an endpoint asked for last. */
  challenge(endpoint: Endpoint): Challenge | undefined {
    return this.#challenges.get(endpoint.base.origin);
  }

  async endpoints(domain: string): Promise<Endpoint[]> {
    const all = await endpointsOf(this.#options, domain);
    return this.#plain.has(domain) ? all.filter((endpoint) => endpoint.base.protocol === 'http:') : all;
  }

  /**
   * Sends to the first endpoint that can be reached. A mirror that lacks the thing is passed over as well; plain HTTP
   * is tried only where the registry counts as insecure.
   */
  async send(
    ctx: Ctx,
    domain: string,
    request: RegistryRequest,
  ): Promise<{ message: IncomingMessage; endpoint: Endpoint }> {
    const endpoints = await this.endpoints(domain);
    let first: unknown;
    for (const [index, endpoint] of endpoints.entries()) {
      const isLast = index === endpoints.length - 1;
      try {
        const message = await this.sendTo(ctx, endpoint, request);
        if (endpoint.isMirror && !isLast && (message.statusCode ?? 500) >= 400) {
          message.resume();
          continue;
        }
        if (endpoint.base.protocol === 'http:' && !endpoint.isMirror) this.#plain.add(domain);
        return { message, endpoint };
      } catch (error) {
        first ??= error;
        const mayGoOn = error instanceof SlipwayError && error.kind === 'unavailable' && !ctx.signal.aborted;
        if (isLast || !mayGoOn) throw endpoint.base.protocol === 'http:' ? error : first;
      }
    }
    throw internal(`no endpoint for ${domain}`);
  }

  /** One endpoint, with authorization where it is asked for. */
  async sendTo(ctx: Ctx, endpoint: Endpoint, request: RegistryRequest): Promise<IncomingMessage> {
    const known = this.#challenges.get(endpoint.base.origin);
    const answer = await this.#follow(
      ctx,
      endpoint,
      request,
      await this.#authorization(ctx, endpoint, request, known),
    );
    if (answer.statusCode !== 401) return answer;
    const challenge = parseChallenge(answer.headers['www-authenticate']);
    if (challenge === undefined) return answer;
    this.#challenges.set(endpoint.base.origin, challenge);
    const before = this.#tokenRequest(endpoint, request, challenge);
    // A token that was refused is of no use any more, whatever it said of its life.
    if (before !== undefined && known !== undefined) this.#tokens.forget(before);
    const authorization = await this.#authorization(ctx, endpoint, request, challenge);
    if (authorization === undefined) return answer;
    answer.resume();
    return this.#follow(ctx, endpoint, request, authorization);
  }

  #tokenRequest(
    endpoint: Endpoint,
    request: RegistryRequest,
    challenge: Challenge,
  ): TokenRequest | undefined {
    if (challenge.scheme !== 'bearer') return undefined;
    const scopes =
      request.scopes.length > 0 ? request.scopes : challenge.scope === '' ? [] : [challenge.scope];
    const plain = endpoint.base.protocol === 'http:';
    return {
      challenge,
      scopes,
      credentials: endpoint.isMirror ? undefined : request.credentials,
      tls: endpoint.tls,
      plain,
    };
  }

  async #authorization(
    ctx: Ctx,
    endpoint: Endpoint,
    request: RegistryRequest,
    challenge: Challenge | undefined,
  ): Promise<string | undefined> {
    const { credentials } = request;
    if (endpoint.isMirror && challenge?.scheme !== 'bearer') return undefined;
    if (credentials?.registryToken !== undefined && credentials.registryToken !== '')
      return `Bearer ${credentials.registryToken}`;
    if (challenge === undefined) return undefined;
    if (challenge.scheme === 'basic') {
      const { username = '', password = '' } = credentials ?? {};
      return username === '' ? undefined : basic(username, password);
    }
    const token = this.#tokenRequest(endpoint, request, challenge);
    return token === undefined ? undefined : `Bearer ${await this.#tokens.token(ctx, token)}`;
  }

  async #follow(
    ctx: Ctx,
    endpoint: Endpoint,
    request: RegistryRequest,
    authorization: string | undefined,
  ): Promise<IncomingMessage> {
    let url = typeof request.path === 'string' ? new URL(request.path, endpoint.base) : request.path;
    for (let hop = 0; hop <= maxRedirects; hop++) {
      // Credentials belong to the registry: a storage server that it points to must not see them.
      const isOwn = url.origin === endpoint.base.origin;
      const headers = {
        ...request.headers,
        ...(isOwn && authorization !== undefined && { Authorization: authorization }),
      };
      const body = await request.body?.();
      const tls = isOwn || !endpoint.tls.verify ? endpoint.tls : { verify: true };
      const message = await this.#http.send(ctx, {
        method: request.method,
        url,
        headers,
        tls,
        ...(body !== undefined && { body }),
      });
      const { location } = message.headers;
      if (!isRedirect(message.statusCode) || location === undefined) return message;
      message.resume();
      const next = new URL(location, url);
      if (url.protocol === 'https:' && next.protocol === 'http:' && endpoint.tls.verify)
        throw invalid(`registry ${endpoint.base.host} redirects to ${next.origin} without TLS`);
      url = next;
    }
    throw invalid(`registry ${endpoint.base.host} redirects too often`);
  }
}
