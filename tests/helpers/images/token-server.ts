/**
 * A token server as registries ask for (`auth: token`): signed tokens for those who know a password or hold a refresh
 * token, for anybody only to pull from `public/`. Runs as a program of its own, so that it can be in another network
 * namespace: `node token-server.ts CONFIG.json`.
 */

import { createPrivateKey, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

export interface TokenServerConfig {
  readonly address: string;
  readonly port: number;
  readonly issuer: string;
  /** Names to passwords. */
  readonly users: Readonly<Record<string, string>>;
  /** What it serves TLS with, and what it signs tokens with: paths of PEM files. */
  readonly tls: { readonly certificate: string; readonly key: string };
  readonly signing: { readonly certificate: string; readonly key: string };
  /** `requests.log` gets a line of JSON for each token given; a file `life` holds the seconds that tokens live (default 300). */
  readonly folder: string;
}

/** One line of `requests.log`. */
export interface GivenToken {
  readonly grant: 'password' | 'refresh' | 'anonymous';
  readonly account: string;
  readonly scopes: readonly string[];
  readonly offline: boolean;
  readonly token: string;
}

export const refreshTokenOf = (user: string): string => `refresh-of-${user}`;

const base64url = (data: Buffer | string): string => Buffer.from(data).toString('base64url');

interface Signer {
  readonly key: KeyObject;
  readonly x5c: readonly string[];
}

/** `repository:team/app:pull,push` as the token states it: everything for a user, pulling from `public/` for anybody. */
function granted(scope: string, account: string): object {
  const [type = '', name = '', actions = ''] = scope.split(':');
  const may = (action: string): boolean =>
    account !== '' || (action === 'pull' && name.startsWith('public/'));
  return { type, name, actions: actions.split(',').filter(may) };
}

function signed(
  config: TokenServerConfig,
  signer: Signer,
  input: { account: string; service: string; scopes: readonly string[]; life: number },
): string {
  const now = Math.floor(Date.now() / 1000);
  const header = { typ: 'JWT', alg: 'ES256', x5c: signer.x5c };
  const claims = {
    iss: config.issuer,
    sub: input.account,
    aud: input.service,
    exp: now + input.life,
    nbf: now - 10,
    iat: now,
    jti: String(process.hrtime.bigint()),
    access: input.scopes.map((scope) => granted(scope, input.account)),
  };
  const text = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
  const signature = sign('sha256', Buffer.from(text), { key: signer.key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${base64url(signature)}`;
}

interface Asker {
  readonly grant: GivenToken['grant'];
  readonly account: string;
}

/** Undefined for a wrong password. */
function fromHeader(config: TokenServerConfig, authorization: string | undefined): Asker | undefined {
  if (authorization === undefined) return { grant: 'anonymous', account: '' };
  const [user = '', password = ''] = Buffer.from(authorization.replace('Basic ', ''), 'base64')
    .toString()
    .split(':');
  return config.users[user] === password ? { grant: 'password', account: user } : undefined;
}

function fromForm(config: TokenServerConfig, form: URLSearchParams): Asker | undefined {
  const user = Object.keys(config.users).find((name) => refreshTokenOf(name) === form.get('refresh_token'));
  return user === undefined ? undefined : { grant: 'refresh', account: user };
}

function serveTokens(config: TokenServerConfig): void {
  const certificate = new X509Certificate(readFileSync(config.signing.certificate));
  const signer: Signer = {
    key: createPrivateKey(readFileSync(config.signing.key)),
    x5c: [certificate.raw.toString('base64')],
  };
  const tls = { cert: readFileSync(config.tls.certificate), key: readFileSync(config.tls.key) };
  const lifeFile = join(config.folder, 'life');
  const server = createServer(tls, (message, answer) => {
    void buffer(message).then((body) => {
      const form =
        message.method === 'POST'
          ? new URLSearchParams(body.toString())
          : new URL(message.url ?? '', 'https://token').searchParams;
      const asker =
        message.method === 'POST'
          ? fromForm(config, form)
          : fromHeader(config, message.headers.authorization);
      if (asker === undefined) {
        answer.writeHead(401).end('{"details":"incorrect username or password"}');
        return;
      }
      const scopes = form.getAll('scope').flatMap((scope) => scope.split(' '));
      const life = existsSync(lifeFile) ? Number(readFileSync(lifeFile, 'utf8')) : 300;
      const token = signed(config, signer, {
        account: asker.account,
        service: form.get('service') ?? '',
        scopes,
        life,
      });
      const offline = form.get('offline_token') === 'true';
      const line: GivenToken = { ...asker, scopes, offline, token };
      appendFileSync(join(config.folder, 'requests.log'), `${JSON.stringify(line)}\n`);
      // It promises more than it holds where tokens live shortly: whoever uses one must cope with a refusal.
      const refresh = offline && asker.account !== '' ? { refresh_token: refreshTokenOf(asker.account) } : {};
      answer.end(JSON.stringify({ token, access_token: token, expires_in: 300, ...refresh }));
    });
  });
  server.listen(config.port, config.address, () => process.stdout.write('listening\n'));
}

const [, program, file] = process.argv;
if (program === import.meta.filename && file !== undefined)
  serveTokens(JSON.parse(readFileSync(file, 'utf8')) as TokenServerConfig);
