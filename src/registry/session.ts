/** Requests to one registry: the endpoint that answers, credentials where it asks for them, redirects. */

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Ctx } from '../core/ctx.ts';
import { SlipwayError, forbidden, invalid, isKind, toSlipwayError, unauthorized } from '../core/errors.ts';
import type { RegistryCredentials } from '../core/ports/registry.ts';
import { basic, parseChallenge, TokenSource, type Challenge, type TokenRequest } from './auth.ts';
import { isBusy, patiently } from './busy.ts';
import { requestWords } from './dial-words.ts';
import { endpointsOf, type Endpoint, type EndpointOptions } from './endpoints.ts';
import type { Capability } from './hosts.ts';
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
  /** What a host must be good for; default `pull`. */
  readonly needs?: Capability;
}

/** An API path at this host, or an address that it gave itself. */
function addressOf({ base, prefix }: Endpoint, path: string | URL): URL {
  if (typeof path !== 'string') return path;
  const own = path === '/v2' || path.startsWith('/v2/') ? `${prefix}${path.slice('/v2'.length)}` : path;
  return new URL(own, base);
}

const maxRedirects = 5;
const isRedirect = (status: number | undefined): boolean => [301, 302, 303, 307, 308].includes(status ?? 0);

/**
 * Refused before the registry itself was asked. A push tells the bare words, anything else what it wanted to ask, as Docker
 * does. Only a login is answered by 401, at which the docker CLI asks for a name and a password and tries again.
 */
function refusedHere(
  endpoint: Endpoint,
  request: RegistryRequest,
  said: string,
  cause?: unknown,
): SlipwayError {
  if (request.needs === 'push') return forbidden(said, cause);
  const url = addressOf(endpoint, request.path);
  // dockerd looks before it fetches.
  const method = url.pathname.includes('/manifests/') ? 'HEAD' : request.method;
  const refused = request.path === '/v2/' ? unauthorized : forbidden;
  return refused(`${requestWords(method, url)}: ${said}`, cause);
}

export class Session {
  readonly #http: HttpClient;
  readonly #tokens: TokenSource;
  readonly #options: EndpointOptions;
  /** What each registry asked for last, so that the next request brings it at once. */
  readonly #challenges = new Map<string, Challenge>();
  /** Insecure registries that turned out to speak plain HTTP. */
  readonly #plain = new Set<string>();

  readonly #retryDelayMs: number;

  /** `retryDelayMs`: before the second attempt at a registry in trouble, doubled each time. */
  constructor(http: HttpClient, options: EndpointOptions, retryDelayMs: number) {
    this.#http = http;
    this.#tokens = new TokenSource(http);
    this.#options = options;
    this.#retryDelayMs = retryDelayMs;
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
    const needs = request.needs ?? 'pull';
    const endpoints = (await this.endpoints(domain)).filter((each) => each.capabilities.includes(needs));
    let first: unknown;
    for (const [index, endpoint] of endpoints.entries()) {
      const isLast = index === endpoints.length - 1;
      try {
        const message = await this.#sendPatiently(ctx, endpoint, request, isLast);
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
    throw invalid(`no host for ${domain} is configured to ${needs}`);
  }

  /** A mirror in trouble is passed over at once: the next host may be well. */
  async #sendPatiently(
    ctx: Ctx,
    endpoint: Endpoint,
    request: RegistryRequest,
    isLast: boolean,
  ): Promise<IncomingMessage> {
    const send = async (): Promise<IncomingMessage> => await this.sendTo(ctx, endpoint, request);
    if (endpoint.isMirror && !isLast) return await send();
    const message = await patiently(ctx, this.#retryDelayMs, send);
    if (isBusy(message.statusCode)) ctx.log.warn('the registry is in trouble', { host: endpoint.base.host });
    return message;
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
    if (authorization === undefined && endpoint.isMirror) return answer;
    answer.resume();
    if (authorization === undefined) throw refusedHere(endpoint, request, 'no basic auth credentials');
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
    if (token === undefined) return undefined;
    try {
      return `Bearer ${await this.#tokens.token(ctx, token)}`;
    } catch (error) {
      throw isKind(error, 'unauthorized')
        ? refusedHere(endpoint, request, toSlipwayError(error).message, error)
        : error;
    }
  }

  async #follow(
    ctx: Ctx,
    endpoint: Endpoint,
    request: RegistryRequest,
    authorization: string | undefined,
  ): Promise<IncomingMessage> {
    let url = addressOf(endpoint, request.path);
    for (let hop = 0; hop <= maxRedirects; hop++) {
      // Credentials belong to the registry: a storage server that it points to must not see them.
      const isOwn = url.origin === endpoint.base.origin;
      const headers = {
        ...(isOwn && endpoint.headers),
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
