/** The token flow: a registry's challenge, the token server's answer, and tokens kept until they expire. */

import type { Ctx } from '../core/ctx.ts';
import { internal, invalid, unauthorized } from '../core/errors.ts';
import type { RegistryCredentials } from '../core/ports/registry.ts';
import { createHash } from 'node:crypto';
import type { Answer } from './answer.ts';
import type { TlsOptions, Transport } from './http.ts';

export type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: URL; readonly service: string; readonly scope: string };

/** `key="value"` pairs of a challenge; quoted strings may hold commas. */
function parameters(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, key = '', quoted, plain] of text.matchAll(/([a-zA-Z]+)\s*=\s*(?:"([^"]*)"|([^\s,]*))/g))
    found.set(key.toLowerCase(), quoted ?? plain ?? '');
  return found;
}

interface Scheme {
  readonly name: string;
  readonly fields: Map<string, string>;
}

/** The challenges of a header: several come in one, separated by commas as their own fields are. */
function schemesOf(header: string): Scheme[] {
  const found: Scheme[] = [];
  for (const part of header.match(/(?:[^,"]|"[^"]*")+/g) ?? []) {
    const [, name, rest = part] = /^\s*([A-Za-z][\w-]*)(?:\s+(?![\s=])|\s*$)(.*)$/s.exec(part) ?? [];
    if (name !== undefined) found.push({ name: name.toLowerCase(), fields: new Map() });
    const fields = found.at(-1)?.fields;
    for (const [key, value] of parameters(rest)) if (fields?.has(key) === false) fields.set(key, value);
  }
  return found;
}

/** The challenge that the engine can meet, a token before a password; undefined for none. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  if (header === undefined || header.length > 8192) return undefined;
  const schemes = schemesOf(header);
  for (const { name, fields } of schemes) {
    const realm = fields.get('realm') ?? '';
    if (name === 'bearer' && /^https?:\/\//.test(realm) && URL.canParse(realm))
      return {
        scheme: 'bearer',
        realm: new URL(realm),
        service: fields.get('service') ?? '',
        scope: fields.get('scope') ?? '',
      };
  }
  return schemes.some(({ name }) => name === 'basic') ? { scheme: 'basic' } : undefined;
}

export const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

interface Token {
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly refresh: string;
}

const maxTokenBody = 1 << 20;
/** The token specification's default, when the server does not say. */
const defaultLifeSeconds = 60;

export interface TokenRequest {
  readonly challenge: Extract<Challenge, { scheme: 'bearer' }>;
  readonly scopes: readonly string[];
  readonly credentials: RegistryCredentials | undefined;
  readonly tls: TlsOptions;
  /** Whether the registry itself was reached over plain HTTP: only then may its token server be. */
  readonly plain: boolean;
  readonly offline?: boolean;
}

export class TokenSource {
  readonly #http: Transport<Answer>;
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(http: Transport<Answer>) {
    this.#http = http;
  }

  async token(ctx: Ctx, request: TokenRequest): Promise<string> {
    const key = this.#key(request);
    const known = await this.#tokens.get(key)?.catch(() => undefined);
    if (known !== undefined && known.until > Date.now()) return known.value;
    const fetching = this.fetch(ctx, request);
    this.#tokens.set(key, fetching);
    fetching.catch(() => this.#tokens.delete(key));
    return (await fetching).value;
  }

  forget(request: TokenRequest): void {
    this.#tokens.delete(this.#key(request));
  }

  /** Always asks the token server. */
  async fetch(ctx: Ctx, request: TokenRequest): Promise<Token> {
    const { challenge, credentials } = request;
    const hasSecret = credentials?.password !== undefined || credentials?.identityToken !== undefined;
    if (hasSecret && challenge.realm.protocol === 'http:' && !request.plain)
      throw invalid(`refusing to send credentials to ${challenge.realm.origin} without TLS`);
    const isRefresh = credentials?.identityToken !== undefined && credentials.identityToken !== '';
    const message = isRefresh ? await this.#post(ctx, request) : await this.#get(ctx, request);
    const body = await message.read(maxTokenBody);
    if (message.statusCode === 401 || message.statusCode === 403)
      throw unauthorized('unauthorized: incorrect username or password');
    if (message.statusCode !== 200)
      throw internal(`token server ${challenge.realm.origin} answered ${message.statusCode}`);
    return parseToken(body, challenge.realm);
  }

  #get(ctx: Ctx, { challenge, scopes, credentials, tls, offline }: TokenRequest): Promise<Answer> {
    const url = new URL(challenge.realm);
    if (challenge.service !== '') url.searchParams.set('service', challenge.service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    const username = credentials?.username ?? '';
    if (username !== '') url.searchParams.set('account', username);
    if (offline === true) {
      url.searchParams.set('offline_token', 'true');
      url.searchParams.set('client_id', 'docker');
    }
    const headers = username === '' ? {} : { Authorization: basic(username, credentials?.password ?? '') };
    return this.#http.send(ctx, { method: 'GET', url, headers, tls });
  }

  #post(ctx: Ctx, { challenge, scopes, credentials, tls }: TokenRequest): Promise<Answer> {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      service: challenge.service,
      client_id: 'docker',
      refresh_token: credentials?.identityToken ?? '',
      ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    });
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    return this.#http.send(ctx, {
      method: 'POST',
      url: challenge.realm,
      headers,
      body: Buffer.from(form.toString()),
      tls,
    });
  }

  #key({ challenge, scopes, credentials }: TokenRequest): string {
    const who = createHash('sha256')
      .update(JSON.stringify(credentials ?? {}))
      .digest('hex');
    return [challenge.realm.href, challenge.service, ...scopes, who].join(' ');
  }
}

function parseToken(body: Buffer, realm: URL): Token {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  } catch (error) {
    throw internal(`token server ${realm.origin} answered nonsense`, error);
  }
  // Docker's field, or OAuth's; some servers send one of them empty.
  const token = [value?.['token'], value?.['access_token']].find((each) => each !== undefined && each !== '');
  if (typeof token !== 'string' || token === '' || /[^\x21-\x7e]/.test(token))
    throw internal(`token server ${realm.origin} did not include a token in its answer`);
  const life =
    typeof value['expires_in'] === 'number'
      ? Math.max(value['expires_in'], defaultLifeSeconds)
      : defaultLifeSeconds;
  const refresh = typeof value['refresh_token'] === 'string' ? value['refresh_token'] : '';
  // Used no longer than nine tenths of its life: a request may take a while to arrive.
  return { value: token, until: Date.now() + life * 900, refresh };
}
