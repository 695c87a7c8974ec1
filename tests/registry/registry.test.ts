/** The registry client against Debian's docker-registry, and against token servers as Docker Hub has them. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { createRegistry } from '../../src/registry/index.ts';
import { registryContract } from '../contracts/registry.contract.ts';
import { startRegistry } from '../helpers/images/registry.ts';
import { serve, sha, stop } from './servers.ts';

const ctx = backgroundCtx();

registryContract('docker-registry', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slip-registry-'));
  const server = await startRegistry({ folder });
  const registry = createRegistry();
  const close = async (): Promise<void> => {
    await registry.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { registry, domain: server.host, close };
});

const manifestBytes = Buffer.from('{"schemaVersion":2,"config":{},"layers":[]}');
const blobBytes = Buffer.from('the blob');

interface Hub {
  readonly base: string;
  readonly servers: readonly Server[];
  /** Query strings and authorization of the token server's requests. */
  readonly tokens: { readonly url: URL; readonly authorization: string | undefined; readonly body: string }[];
  /** What the storage server saw. */
  readonly storage: IncomingMessage[];
  lifetime: number;
  /** Tokens that count as expired. */
  readonly revoked: Set<string>;
}

/** A registry that wants a token, sends blobs from a storage server of another origin, and a token server. */
async function startHub(): Promise<Hub> {
  const tokens: Hub['tokens'] = [];
  const storage: IncomingMessage[] = [];
  const revoked = new Set<string>();
  let issued = 0;
  const tokenServer = await serve((message, answer) => {
    void buffer(message).then((body) => {
      const url = new URL(message.url ?? '', 'http://token');
      tokens.push({ url, authorization: message.headers.authorization, body: body.toString() });
      if (message.headers.authorization?.includes(Buffer.from('me:wrong').toString('base64')) === true) {
        answer.writeHead(401).end('{"details":"incorrect username or password"}');
        return;
      }
      const refresh = url.searchParams.get('offline_token') === 'true' ? { refresh_token: 'refresh' } : {};
      answer.end(JSON.stringify({ token: `t${++issued}`, expires_in: hub.lifetime, ...refresh }));
    });
  });
  const storageServer = await serve((message, answer) => {
    storage.push(message);
    answer.end(blobBytes);
  });
  const challenge = (answer: ServerResponse, scope: string): void => {
    const realm = `Bearer realm="${tokenServer.base}/token",service="hub.test",scope="${scope}"`;
    const body = '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}';
    answer.writeHead(401, { 'www-authenticate': realm }).end(body);
  };
  const hubServer = await serve((message, answer) => {
    const url = message.url ?? '';
    const token = message.headers.authorization?.replace('Bearer ', '') ?? '';
    if (token === '' || revoked.has(token)) challenge(answer, 'repository:library/busybox:pull');
    else if (url.includes('/private/'))
      answer
        .writeHead(401)
        .end('{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}');
    else if (url === '/v2/') answer.end('{}');
    else if (url.includes('/blobs/'))
      answer.writeHead(307, { location: `${storageServer.base}/blob?sig=1` }).end();
    else answer.writeHead(200, { 'content-type': 'application/json' }).end(manifestBytes);
  });
  const hub: Hub = {
    base: hubServer.base,
    servers: [tokenServer.server, storageServer.server, hubServer.server],
    tokens,
    storage,
    lifetime: 300,
    revoked,
  };
  return hub;
}

const busybox = { domain: 'docker.io', path: 'library/busybox' };

test('the token flow of Docker Hub: one anonymous token for a repository, credentials never to the storage', async () => {
  const hub = await startHub();
  const registry = createRegistry({ hub: hub.base });
  try {
    const { descriptor } = await registry.manifest(ctx, busybox, 'latest', undefined);
    assert.equal(descriptor.digest, sha(manifestBytes));
    const blob = { mediaType: '', digest: sha(blobBytes), size: blobBytes.length };
    assert.ok((await buffer((await registry.blob(ctx, busybox, blob, undefined)).stream)).equals(blobBytes));
    assert.equal(hub.tokens.length, 1);
    assert.equal(hub.tokens[0]?.url.search, '?service=hub.test&scope=repository%3Alibrary%2Fbusybox%3Apull');
    assert.equal(hub.tokens[0]?.authorization, undefined);
    assert.equal(hub.storage[0]?.headers.authorization, undefined);
    hub.revoked.add('t1');
    await registry.manifest(ctx, busybox, 'latest', undefined);
    assert.equal(hub.tokens.length, 2);
  } finally {
    await registry.close();
    stop(...hub.servers);
  }
});

test('with a password, with an identity token, and with a wrong password', async () => {
  const hub = await startHub();
  const registry = createRegistry({ hub: hub.base });
  try {
    await registry.manifest(ctx, busybox, 'latest', { username: 'me', password: 'right' });
    const basic = `Basic ${Buffer.from('me:right').toString('base64')}`;
    assert.equal(hub.tokens[0]?.authorization, basic);
    assert.equal(hub.tokens[0]?.url.searchParams.get('account'), 'me');
    await registry.manifest(ctx, busybox, 'latest', { identityToken: 'refresh' });
    assert.match(hub.tokens[1]?.body ?? '', /grant_type=refresh_token.*refresh_token=refresh/);
    await assert.rejects(registry.manifest(ctx, busybox, 'latest', { username: 'me', password: 'wrong' }), {
      kind: 'forbidden',
      message: `Head "${hub.base}/v2/library/busybox/manifests/latest": unauthorized: incorrect username or password`,
    });
    const login = await registry.login(ctx, 'docker.io', { username: 'me', password: 'right' });
    assert.deepEqual(login, { status: 'Login Succeeded', identityToken: 'refresh' });
    await assert.rejects(registry.login(ctx, 'docker.io', { username: 'me', password: 'wrong' }), {
      kind: 'unauthorized',
      message: /incorrect username or password/,
    });
    await assert.rejects(
      registry.manifest(ctx, { domain: 'docker.io', path: 'private/app' }, 'latest', undefined),
      {
        kind: 'notFound',
        message:
          "pull access denied for private/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
      },
    );
  } finally {
    await registry.close();
    stop(...hub.servers);
  }
});

test('a mirror is asked first; what it lacks, or when it is down, comes from the hub', async () => {
  const hub = await startHub();
  const asked: string[] = [];
  const mirror = await serve((message, answer) => {
    asked.push(message.url ?? '');
    assert.equal(message.headers.authorization, undefined);
    if (message.url?.includes('/latest') === true) answer.end(manifestBytes);
    else answer.writeHead(404).end();
  });
  const registry = createRegistry({ hub: hub.base, mirrors: [mirror.base] });
  try {
    await registry.manifest(ctx, busybox, 'latest', { username: 'me', password: 'right' });
    assert.equal(hub.tokens.length, 0);
    await registry.manifest(ctx, busybox, 'other', { username: 'me', password: 'right' });
    assert.equal(hub.tokens.length, 1);
    stop(mirror.server);
    await registry.manifest(ctx, busybox, 'latest', undefined);
    assert.equal(asked.length, 2);
  } finally {
    await registry.close();
    stop(mirror.server, ...hub.servers);
  }
});

test('a registry that is silent is given up after the timeout', async () => {
  const { base, server } = await serve(() => {});
  const registry = createRegistry({ hub: base, idleTimeoutMs: 50 });
  try {
    await assert.rejects(registry.manifest(ctx, busybox, 'latest', undefined), {
      kind: 'unavailable',
      message: /timeout/,
    });
  } finally {
    await registry.close();
    stop(server);
  }
});

test('redirects without end, answers without end, and digests that do not fit are refused', async () => {
  let answerTo: (message: IncomingMessage, answer: ServerResponse) => void = () => {};
  const { base, server } = await serve((message, answer) => answerTo(message, answer));
  const registry = createRegistry({ hub: base });
  const ask = (reference = 'latest'): Promise<unknown> =>
    registry.manifest(ctx, busybox, reference, undefined);
  try {
    answerTo = (_message, answer) => answer.writeHead(302, { location: '/again' }).end();
    await assert.rejects(ask(), /redirects too often/);
    answerTo = (_message, answer) => answer.writeHead(302, { location: 'file:///etc/passwd' }).end();
    await assert.rejects(ask(), /unsupported protocol/);
    answerTo = (_message, answer) => {
      answer.on('error', () => {});
      answer.end(Buffer.alloc(5 << 20));
    };
    await assert.rejects(ask(), /larger than/);
    answerTo = (_message, answer) =>
      answer.writeHead(200, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }).end('{}');
    await assert.rejects(ask(), /manifest verification failed/);
    answerTo = (_message, answer) => answer.end('{}');
    await assert.rejects(ask(`sha256:${'0'.repeat(64)}`), /manifest verification failed for digest/);
    answerTo = (_message, answer) =>
      answer.writeHead(429).end('{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}');
    await assert.rejects(ask(), {
      kind: 'unavailable',
      message:
        'toomanyrequests: slow down (Docker Hub limits how many requests it serves: try again later, or log in for a higher limit: slipway login)',
    });
    answerTo = (message) => message.socket.destroy();
    await assert.rejects(ask(), { kind: 'unavailable' });
  } finally {
    await registry.close();
    stop(server);
  }
});

test('credentials are not sent to a token server without TLS when the registry has it', async () => {
  const { TokenSource, parseChallenge } = await import('../../src/registry/auth.ts');
  const { HttpClient } = await import('../../src/registry/http.ts');
  const source = new TokenSource(new HttpClient({ userAgent: 'test', idleTimeoutMs: 1000 }));
  const challenge = parseChallenge('Bearer realm="http://token.test/token",service="a,b",scope="x"');
  assert.ok(challenge?.scheme === 'bearer');
  assert.equal(challenge.service, 'a,b');
  const request = {
    challenge,
    scopes: [],
    tls: { verify: true },
    plain: false,
    credentials: { username: 'u', password: 'p' },
  };
  await assert.rejects(source.token(ctx, request), /refusing to send credentials/);
  assert.deepEqual(parseChallenge('Basic realm="x"'), { scheme: 'basic' });
  assert.equal(parseChallenge('Bearer realm="file:///etc/passwd"'), undefined);
  assert.equal(parseChallenge('Negotiate'), undefined);
});

test('a kept connection that the server has closed meanwhile is opened anew', async () => {
  let requests = 0;
  const { base, server } = await serve((message, answer) => {
    requests++;
    // The second request meets a connection that goes down under it.
    if (requests === 2) message.socket.destroy();
    else answer.end(manifestBytes);
  });
  const registry = createRegistry({ hub: base });
  try {
    await registry.manifest(ctx, busybox, 'latest', undefined);
    await registry.manifest(ctx, busybox, 'latest', undefined);
    assert.equal(requests, 3);
  } finally {
    await registry.close();
    stop(server);
  }
});

test('tags that are none are not taken over', async () => {
  const { base, server } = await serve((_message, answer) => {
    answer.end(JSON.stringify({ name: 'x', tags: ['v1', '../../v2/other', 'a b', 7, 'latest'] }));
  });
  const registry = createRegistry({ hub: base });
  try {
    assert.deepEqual(await registry.tags(ctx, busybox, undefined), ['v1', 'latest']);
  } finally {
    await registry.close();
    stop(server);
  }
});
