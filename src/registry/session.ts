/** Requests to one registry: the endpoint that answers, credentials where it asks for them, redirects. */

import type { Ctx } from '../core/ctx.ts';
import {
  SlipwayError,
  forbidden,
  invalid,
  isErrno,
  isKind,
  toSlipwayError,
  unauthorized,
} from '../core/errors.ts';
import type { RegistryCredentials } from '../core/ports/registry.ts';
import type { Answer } from './answer.ts';
import { basic, parseChallenge, TokenSource, type Challenge, type TokenRequest } from './auth.ts';
import { isBusy, patiently } from './busy.ts';
import { requestWords } from './dial-words.ts';
import { endpointsOf, type Endpoint, type EndpointOptions } from './endpoints.ts';
import type { Capability } from './hosts.ts';
import type { Body, HttpRequest, Transport } from './http.ts';

export interface RegistryRequest {
  readonly method: HttpRequest['method'];
  /** From `/v2/` on, or an absolute address that the registry gave. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Opened anew for each attempt. */
  readonly body?: () => Promise<Body>;
  /** `repository:library/busybox:pull`. */
  readonly scopes: readonly string[];
  readonly credentials: RegistryCredentials | undefined;
  /** What a host must be good for; default `pull`. */
  readonly needs?: Capability;
  /** Not sent again to a registry in trouble. */
  readonly once?: boolean;
}

/** An API path at this host, or an address that it gave itself. */
export function addressOf({ base, prefix }: Pick<Endpoint, 'base' | 'prefix'>, path: string | URL): URL {
  if (typeof path !== 'string') return path;
  const own = path === '/v2' || path.startsWith('/v2/') ? `${prefix}${path.slice('/v2'.length)}` : path;
  return new URL(own, base);
}

const maxRedirects = 5;
/** More are noise. */
const maxWarnings = 1000;

/** A line that breaks once before there is an answer is no reason to fail: nothing sent this way does harm twice. */
async function onceMoreAfterReset<A>(ctx: Ctx, send: () => Promise<A>): Promise<A> {
  try {
    return await send();
  } catch (error) {
    const { cause } = error as Error;
    if (ctx.signal.aborted || !(isErrno(cause, 'ECONNRESET') || isErrno(cause, 'EPIPE'))) throw error;
    return await send();
  }
}

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);

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

/** What is known of registries, whoever sends the requests. */
interface Known {
  readonly options: EndpointOptions;
  readonly tokens: TokenSource;
  /** What each registry asked for last, so that the next request brings it at once. */
  readonly challenges: Map<string, Challenge>;
  /** Insecure registries that turned out to speak plain HTTP. */
  readonly plain: Set<string>;
  /** Warnings that were told. */
  readonly warned: Set<string>;
  /** Milliseconds before the second attempt at a registry in trouble, doubled each time. */
  readonly retryDelayMs: number;
}

export class Session<A extends Answer> {
  readonly #http: Transport<A>;
  readonly #known: Known;

  private constructor(http: Transport<A>, known: Known) {
    this.#http = http;
    this.#known = known;
  }

  static open<A extends Answer>(
    http: Transport<A>,
    options: EndpointOptions,
    retryDelayMs: number,
  ): Session<A> {
    const tokens = new TokenSource(http);
    return new Session(http, {
      options,
      tokens,
      challenges: new Map(),
      plain: new Set(),
      warned: new Set(),
      retryDelayMs,
    });
  }

  /** The same with another transport for its requests; tokens still come over this one's. */
  over<B extends Answer>(http: Transport<B>): Session<B> {
    return new Session(http, this.#known);
  }

  get tokens(): TokenSource {
    return this.#known.tokens;
  }

  /** What an endpoint asked for last. */
  challenge(endpoint: Endpoint): Challenge | undefined {
    return this.#known.challenges.get(endpoint.base.origin);
  }

  async endpoints(domain: string): Promise<Endpoint[]> {
    const all = await endpointsOf(this.#known.options, domain);
    return this.#known.plain.has(domain) ? all.filter((endpoint) => endpoint.base.protocol === 'http:') : all;
  }

  /**
   * Sends to the first endpoint that can be reached. A mirror that lacks the thing is passed over as well; plain HTTP
   * is tried only where the registry counts as insecure.
   */
  async send(
    ctx: Ctx,
    domain: string,
    request: RegistryRequest,
  ): Promise<{ message: A; endpoint: Endpoint }> {
    const needs = request.needs ?? 'pull';
    const endpoints = (await this.endpoints(domain)).filter((each) => each.capabilities.includes(needs));
    let first: unknown;
    for (const [index, endpoint] of endpoints.entries()) {
      const isLast = index === endpoints.length - 1;
      try {
        const message = await this.#sendPatiently(ctx, endpoint, request, isLast);
        if (endpoint.isMirror && !isLast && message.statusCode >= 400) {
          message.resume();
          continue;
        }
        if (endpoint.base.protocol === 'http:' && !endpoint.isMirror) this.#known.plain.add(domain);
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
  async #sendPatiently(ctx: Ctx, endpoint: Endpoint, request: RegistryRequest, isLast: boolean): Promise<A> {
    const send = async (): Promise<A> => await this.sendTo(ctx, endpoint, request);
    if (request.once === true || (endpoint.isMirror && !isLast)) return await send();
    const message = await patiently(ctx, this.#known.retryDelayMs, () => onceMoreAfterReset(ctx, send));
    if (isBusy(message.statusCode)) ctx.log.warn('the registry is in trouble', { host: endpoint.base.host });
    return message;
  }

  /** One endpoint, with authorization where it is asked for. */
  async sendTo(ctx: Ctx, endpoint: Endpoint, request: RegistryRequest): Promise<A> {
    const known = this.#known.challenges.get(endpoint.base.origin);
    const answer = await this.#follow(
      ctx,
      endpoint,
      request,
      await this.#authorization(ctx, endpoint, request, known),
    );
    if (answer.statusCode !== 401) return answer;
    const challenge = parseChallenge(answer.headers['www-authenticate']);
    if (challenge === undefined) return answer;
    this.#known.challenges.set(endpoint.base.origin, challenge);
    const before = this.#tokenRequest(endpoint, request, challenge);
    // A token that was refused is of no use any more, whatever it said of its life.
    if (before !== undefined && known !== undefined) this.#known.tokens.forget(before);
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
      return `Bearer ${await this.#known.tokens.token(ctx, token)}`;
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
  ): Promise<A> {
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
      this.#heed(ctx, url, message);
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

  /** What a registry wants people to know is told once. */
  #heed(ctx: Ctx, url: URL, message: A): void {
    for (const [, escaped = ''] of (message.headers.warning ?? '').matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)) {
      const text = escaped.replace(/\\(.)/g, '$1').slice(0, 500);
      const key = `${url.host} ${text}`;
      const { warned } = this.#known;
      if (warned.has(key) || warned.size >= maxWarnings) continue;
      warned.add(key);
      ctx.log.warn('the registry warns', { host: url.host, text });
    }
  }
}
