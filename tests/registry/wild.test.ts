/** Registries as they are in the wild: their tokens, challenges, addresses, refusals and omissions, each played by a small server. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { ByteRange } from '../../src/core/ports/blob-store.ts';
import { parseChallenge } from '../../src/registry/auth.ts';
import { createRegistry } from '../../src/registry/index.ts';
import { isDirect } from '../../src/registry/no-proxy.ts';
import { locationOf } from '../../src/registry/upload.ts';
import { against, serve, sha, stop, type Answer, type RegistryOptions } from './servers.ts';

const ctx = backgroundCtx();
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const manifestBytes = Buffer.from('{"schemaVersion":2,"config":{},"layers":[]}');
const data = randomBytes(1_000_000);
const blob = { mediaType: '', digest: sha(data), size: data.length };
const open = async ({ from, to }: ByteRange): Promise<Readable> =>
  Readable.from([data.subarray(from, to)], { objectMode: false });

test('tokens: under either name, one of them empty, with and without a life', async () => {
  let given: object = {};
  const tokens: string[] = [];
  const server = await serve((message, answer) => {
    tokens.push(message.url ?? '');
    answer.end(JSON.stringify(given));
  });
  const used: (string | undefined)[] = [];
  try {
    for (const [answer, token] of [
      [{ token: 'a' }, 'a'],
      [{ access_token: 'b' }, 'b'],
      [{ token: '', access_token: 'c', expires_in: 3600 }, 'c'],
      [{ token: 'd', access_token: '', issued_at: '2024-01-01T00:00:00Z' }, 'd'],
      [{ token: 'e', access_token: 'f', expires_in: 1 }, 'e'],
    ] as const)
      await against(
        (message, reply) => {
          used.push(message.headers.authorization);
          if (message.headers.authorization === `Bearer ${token}`) reply.end(manifestBytes);
          else
            reply.writeHead(401, { 'www-authenticate': `Bearer realm="${server.base}/t",service="s"` }).end();
        },
        async (registry, repository) => {
          given = answer;
          tokens.length = 0;
          used.length = 0;
          await registry.manifest(ctx, repository, 'v1', undefined);
          await registry.manifest(ctx, repository, 'v2', undefined);
          assert.deepEqual(used, [undefined, `Bearer ${token}`, `Bearer ${token}`]);
          assert.deepEqual(tokens, ['/t?service=s&scope=repository%3Ateam%2Fapp%3Apull']);
        },
      );
  } finally {
    stop(server.server);
  }
});

test('a password of thousands of characters, as ECR has it', async () => {
  const password = randomBytes(1600).toString('base64');
  await against(
    (message, answer) => {
      const wanted = `Basic ${Buffer.from(`AWS:${password}`).toString('base64')}`;
      if (message.headers.authorization === wanted) answer.end(manifestBytes);
      else
        answer
          .writeHead(401, {
            'www-authenticate': 'Basic realm="https://1.ecr.test/",service="ecr.amazonaws.com"',
          })
          .end('Not Authorized\n');
    },
    async (registry, repository) => {
      await registry.manifest(ctx, repository, 'v1', { username: 'AWS', password });
      assert.equal(
        (await registry.login(ctx, repository.domain, { username: 'AWS', password })).identityToken,
        '',
      );
      await assert.rejects(registry.manifest(ctx, repository, 'v1', { username: 'AWS', password: 'x' }), {
        kind: 'forbidden',
      });
    },
  );
});

test('a public repository behind a token: anonymous, and refused in plain words where it is none', async () => {
  const token = await serve((_message, answer) => answer.end('{"token":"djE6dGVhbS9hcHA6MQ=="}'));
  await against(
    (message, answer) => {
      if (message.headers.authorization === undefined)
        answer
          .writeHead(401, {
            'www-authenticate': `Bearer realm="${token.base}/token",service="ghcr.test",scope="repository:team/app:pull"`,
          })
          .end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
      else if (message.url?.includes('/private') === true)
        answer
          .writeHead(403)
          .end('{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}');
      else answer.end(manifestBytes);
    },
    async (registry, repository) => {
      await registry.manifest(ctx, repository, 'v1', undefined);
      await assert.rejects(registry.manifest(ctx, { ...repository, path: 'team/private' }, 'v1', undefined), {
        kind: 'notFound',
        message:
          /^pull access denied for .*team\/private, repository does not exist or may require 'docker login': denied/,
      });
    },
  );
  stop(token.server);
});

test('several challenges, in one header or in several, in any order', async () => {
  const bearer = 'Bearer realm="https://harbor.test/service/token",service="harbor-registry"';
  const basic = 'Basic realm="harbor"';
  for (const header of [
    `${bearer}, ${basic}`,
    `${basic}, ${bearer}`,
    `Negotiate, ${bearer},scope="a:b:pull,push", ${basic}`,
    `bearer  Realm = "https://harbor.test/service/token" , service="harbor-registry",Basic realm="x, y"`,
  ]) {
    const challenge = parseChallenge(header);
    assert.ok(challenge?.scheme === 'bearer', header);
    assert.equal(challenge.realm.href, 'https://harbor.test/service/token');
    assert.equal(challenge.service, 'harbor-registry');
  }
  assert.equal(
    (parseChallenge(`${bearer},scope="a:b:pull,push"`) as { scope: string }).scope,
    'a:b:pull,push',
  );
  for (const header of [
    'Bearer realm="nowhere", Basic realm="x"',
    'Negotiate, Basic',
    'NTLM, Basic realm="a"',
  ])
    assert.deepEqual(parseChallenge(header), { scheme: 'basic' }, header);
  for (const header of ['', 'Negotiate', 'Digest realm="Basic"', 'realm="x"'])
    assert.equal(parseChallenge(header), undefined);

  const token = await serve((_message, answer) => answer.end('{"token":"t"}'));
  await against(
    (message, answer) => {
      if (message.headers.authorization === 'Bearer t') answer.end(manifestBytes);
      else
        answer
          .writeHead(
            401,
            [
              ['WWW-Authenticate', `Bearer realm="${token.base}/service/token",service="harbor-registry"`],
              ['WWW-Authenticate', basic],
            ].flat(),
          )
          .end();
    },
    async (registry, repository) => {
      await registry.manifest(ctx, repository, 'v1', undefined);
    },
  );
  stop(token.server);
});

/** Takes uploads; `head` of the answer to the first request, and how each address is asked. */
function uploads(
  begin: (base: string) => { readonly status?: number; readonly headers: Record<string, string> },
  next: (base: string) => Record<string, string> = () => ({}),
): {
  readonly answer: (base: () => string) => Answer;
  readonly log: string[];
  readonly whole: () => Buffer;
} {
  const parts: Buffer[] = [];
  const log: string[] = [];
  const answer =
    (base: () => string): Answer =>
    (message, response) => {
      const { authorization, 'content-range': range } = message.headers;
      log.push(
        [message.method, message.url?.replace(/sha256%3A\w+/, 'DIGEST'), range, authorization?.split(' ')[0]]
          .filter((each) => each !== undefined)
          .join(' '),
      );
      void buffer(message).then((body) => {
        if (message.method === 'HEAD') response.writeHead(404).end();
        else if (message.method === 'POST') {
          const { status = 202, headers } = begin(base());
          response.writeHead(status, headers).end();
        } else {
          parts.push(body);
          response.writeHead(message.method === 'PUT' ? 201 : 202, next(base())).end();
        }
      });
    };
  return { answer, log, whole: () => Buffer.concat(parts) };
}

/** Pushes the blob to such a registry. */
async function pushed(
  server: ReturnType<typeof uploads>,
  options: RegistryOptions = {},
  from?: string,
): Promise<string[]> {
  let own = '';
  const answer = server.answer(() => own);
  await against(
    (message, response) => {
      if (message.headers.authorization === undefined && message.method === 'HEAD')
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else answer(message, response);
    },
    async (registry, repository, base) => {
      own = base;
      const source = from === undefined ? undefined : { domain: repository.domain, path: from };
      await registry.pushBlob(
        ctx,
        repository,
        blob,
        { open },
        { username: 'me', password: 'secret' },
        source,
      );
      assert.ok(server.whole().equals(data));
    },
    options,
  );
  return server.log;
}

test('uploads go where the registry says: to an address, a path, a part of a path, with a query of its own', async () => {
  const head = 'HEAD /v2/team/app/blobs/';
  for (const [location, put] of [
    [(base: string) => `${base}/elsewhere/1?_state=a%2Fb`, '/elsewhere/1?_state=a%2Fb&digest=DIGEST'],
    [() => '/v2/team/app/blobs/uploads/1', '/v2/team/app/blobs/uploads/1?digest=DIGEST'],
    [() => '1?x=y', '/v2/team/app/blobs/uploads/1?x=y&digest=DIGEST'],
  ] as const) {
    const log = await pushed(uploads((base) => ({ headers: { location: location(base) } })));
    assert.deepEqual(
      log.map((line) => line.replace(/sha256:\w+/, '')),
      [`${head} Basic`, 'POST /v2/team/app/blobs/uploads/ Basic', `PUT ${put} Basic`],
    );
  }
  // Chunks, each at the address that the answer before it gave.
  let at = 0;
  const server = uploads(
    () => ({ headers: { location: `/v2/up/${at}`, 'docker-upload-uuid': 'u' } }),
    () => ({ location: `/v2/up/${++at}`, range: '0-1' }),
  );
  const chunked = await pushed(server, { uploadChunkSize: 400_000 });
  assert.deepEqual(chunked.slice(2), [
    'PATCH /v2/up/0 0-399999 Basic',
    'PATCH /v2/up/1 400000-799999 Basic',
    'PATCH /v2/up/2 800000-999999 Basic',
    'PUT /v2/up/3?digest=DIGEST Basic',
  ]);
});

test('uploads to another host, as Artifactory and storage services have them: without credentials, also by a redirect', async () => {
  for (const isRedirect of [false, true]) {
    const storage = uploads(() => ({ headers: {} }));
    const other = await serve((message, response) => storage.answer(() => '')(message, response));
    const server = await serve((message, response) => {
      message.resume();
      if (message.headers.authorization === undefined)
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (message.method === 'HEAD') response.writeHead(404).end();
      else if (message.method === 'POST')
        response.writeHead(202, { location: isRedirect ? '/v2/up' : `${other.base}/store?sig=1` }).end();
      else response.writeHead(307, { location: `${other.base}/store?sig=1` }).end();
    });
    const registry = createRegistry({ retryDelayMs: 1 });
    try {
      const repository = { domain: server.host, path: 'team/app' };
      await registry.pushBlob(ctx, repository, blob, { open }, { username: 'me', password: 'secret' });
      assert.ok(storage.whole().equals(data));
      assert.deepEqual(storage.log, [isRedirect ? 'PUT /store?sig=1' : 'PUT /store?sig=1&digest=DIGEST']);
    } finally {
      await registry.close();
      stop(server.server, other.server);
    }
  }
});

test('where TLS ends before the registry, its plain addresses are those of the proxy', () => {
  const own = { base: new URL('https://registry.test:8443') };
  const from = new URL('https://registry.test:8443/v2/a/blobs/uploads/');
  const asked = (text: string): string => locationOf(own, from, text).href;
  assert.equal(
    asked('http://registry.test/v2/a/blobs/uploads/1?s=2'),
    'https://registry.test:8443/v2/a/blobs/uploads/1?s=2',
  );
  assert.equal(asked('http://registry.test:8443/v2/x'), 'https://registry.test:8443/v2/x');
  assert.equal(asked('http://registry.test:5000/v2/x'), 'http://registry.test:5000/v2/x');
  assert.equal(asked('http://other.test/v2/x'), 'http://other.test/v2/x');
});

test('an upload whose address is only its id, and one without any', async () => {
  const log = await pushed(uploads(() => ({ headers: { 'docker-upload-uuid': 'a-1' } })));
  assert.equal(log.at(-1), 'PUT /v2/team/app/blobs/uploads/a-1?digest=DIGEST Basic');
  await assert.rejects(pushed(uploads(() => ({ headers: {} }))), {
    kind: 'invalid',
    message: 'the registry does not say where to upload to',
  });
});

test('chunks are as large as the registry wants them at least', async () => {
  const headers = { location: '/v2/up', 'oci-chunk-min-length': '600000' };
  const log = await pushed(
    uploads(() => ({ headers })),
    { uploadChunkSize: 100_000 },
  );
  assert.deepEqual(log.slice(2), [
    'PATCH /v2/up 0-599999 Basic',
    'PATCH /v2/up 600000-999999 Basic',
    'PUT /v2/up?digest=DIGEST Basic',
  ]);
});

test('a mount that is refused is no reason not to send the bytes', async () => {
  for (const status of [400, 401, 403, 404, 405]) {
    let posts = 0;
    const server = uploads(() =>
      ++posts === 1 ? { status, headers: {} } : { headers: { location: '/v2/up' } },
    );
    const log = await pushed(server, {}, 'other/app');
    const mounts = log.filter((line) => line.includes('?mount='));
    assert.ok(
      mounts.length >= 1 && log.includes('POST /v2/team/app/blobs/uploads/ Basic'),
      `${status} ${log.join()}`,
    );
    assert.match(log.at(-1) ?? '', /^PUT \/v2\/up/);
  }
  // Neither taken nor refused: an upload that has begun.
  const begun = await pushed(
    uploads(() => ({ headers: { location: '/v2/up' } })),
    {},
    'other/app',
  );
  assert.equal(begun.filter((line) => line.startsWith('POST')).length, 1);
});

test('HEAD is not understood by everybody: what cannot be looked for is sent', async () => {
  for (const status of [400, 404, 405, 500, 501]) {
    const server = uploads(() => ({ headers: { location: '/v2/up' } }));
    const take = server.answer(() => '');
    await against(
      (message, response) => {
        if (message.method === 'HEAD') response.writeHead(status).end();
        else take(message, response);
      },
      async (registry, repository) => {
        assert.equal(await registry.manifestDigest(ctx, repository, 'v1', undefined), undefined);
        assert.equal(
          (await registry.pushBlob(ctx, repository, blob, { open }, undefined)).outcome,
          'uploaded',
        );
        assert.ok(server.whole().equals(data));
      },
    );
  }
});

test('a manifest is taken with any word of success, and has its digest where the registry does not say it', async () => {
  for (const [status, headers] of [
    [201, {}],
    [200, { 'docker-content-digest': '' }],
    [202, { 'docker-content-digest': sha(manifestBytes) }],
    [204, {}],
  ] as const)
    await against(
      (message, answer) =>
        void buffer(message).then(() =>
          answer.writeHead(message.method === 'HEAD' ? 200 : status, headers).end(),
        ),
      async (registry, repository) => {
        const told = await registry.pushManifest(
          ctx,
          repository,
          'v1',
          ociManifest,
          manifestBytes,
          undefined,
        );
        assert.deepEqual(told, { digest: sha(manifestBytes) });
      },
    );
});

test("a success that is not the registry's own is not believed: what was pushed has to be there", async () => {
  await against(
    (message, answer) =>
      void buffer(message).then(() => answer.writeHead(message.method === 'PUT' ? 200 : 404).end()),
    async (registry, repository) => {
      await assert.rejects(
        registry.pushManifest(ctx, repository, 'v1', ociManifest, manifestBytes, undefined),
        /the registry answered 200 and does not have the manifest/,
      );
    },
  );
});

test('a manifest without a type has the one that it says itself, or that its fields show', async () => {
  const docker = 'application/vnd.docker.distribution.manifest.v2+json';
  const said = JSON.stringify({ schemaVersion: 2, mediaType: docker, config: {}, layers: [] });
  const index = '{"schemaVersion":2,"manifests":[]}';
  for (const [header, body, type] of [
    [undefined, manifestBytes.toString(), ociManifest],
    [undefined, said, docker],
    ['application/json; charset=utf-8', said, docker],
    ['text/plain', index, 'application/vnd.oci.image.index.v1+json'],
    [`${ociManifest}; charset=utf-8`, manifestBytes.toString(), ociManifest],
  ] as const)
    await against(
      (_message, answer) => {
        if (header !== undefined) answer.setHeader('content-type', header);
        answer.end(body);
      },
      async (registry, repository) => {
        const { descriptor } = await registry.manifest(ctx, repository, 'v1', undefined);
        assert.deepEqual(descriptor, { mediaType: type, digest: sha(Buffer.from(body)), size: body.length });
      },
    );
});

test('documents that a proxy compressed, and bombs among them', async () => {
  let body = gzipSync(manifestBytes);
  await against(
    (_message, answer) =>
      answer.writeHead(200, { 'content-encoding': 'gzip', 'content-type': ociManifest }).end(body),
    async (registry, repository) => {
      const { descriptor, bytes } = await registry.manifest(ctx, repository, sha(manifestBytes), undefined);
      assert.equal(descriptor.digest, sha(manifestBytes));
      assert.ok(bytes.equals(manifestBytes));
      body = gzipSync(Buffer.alloc(32 << 20));
      await assert.rejects(registry.manifest(ctx, repository, 'v1', undefined), {
        kind: 'invalid',
        message: /larger than/,
      });
      body = Buffer.from('no gzip');
      await assert.rejects(registry.manifest(ctx, repository, 'v1', undefined), {
        kind: 'invalid',
        message: /malformed/,
      });
    },
  );
});

test('a blob from a registry that refuses ranges comes whole', async () => {
  for (const status of [200, 416, 501]) {
    const asked: (string | undefined)[] = [];
    await against(
      (message, answer) => {
        asked.push(message.headers.range);
        if (message.headers.range !== undefined && status !== 200) answer.writeHead(status).end();
        else answer.end(data);
      },
      async (registry, repository) => {
        const range = { from: 1000, to: 2000 };
        const body = await registry.blob(ctx, repository, blob, undefined, range);
        assert.deepEqual([body.from, body.isRange], [0, false]);
        assert.ok((await buffer(body.stream)).equals(data));
        assert.deepEqual(asked, status === 200 ? ['bytes=1000-1999'] : ['bytes=1000-1999', undefined]);
      },
    );
  }
});

test('a server of HTTP/1.0 that ends each answer with the connection', async () => {
  const server = createTcpServer((socket) => {
    socket.once('data', () =>
      socket.end(`HTTP/1.0 200 OK\r\nContent-Type: ${ociManifest}\r\n\r\n${manifestBytes.toString()}`),
    );
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const registry = createRegistry();
  try {
    const repository = { domain: `127.0.0.1:${(server.address() as AddressInfo).port}`, path: 'team/app' };
    for (const tag of ['v1', 'v2'])
      assert.equal(
        (await registry.manifest(ctx, repository, tag, undefined)).descriptor.digest,
        sha(manifestBytes),
      );
  } finally {
    await registry.close();
    server.close();
  }
});

test('Retry-After as a date: one that has passed is no wait, one far ahead is told', async () => {
  let header = new Date(Date.now() - 60_000).toUTCString();
  let requests = 0;
  await against(
    (_message, answer) => {
      if (++requests === 2) answer.end(manifestBytes);
      else answer.writeHead(429, { 'retry-after': header }).end();
    },
    async (registry, repository) => {
      await registry.manifest(ctx, repository, 'v1', undefined);
      assert.equal(requests, 2);
      header = new Date(Date.now() + 7_200_000).toUTCString();
      await assert.rejects(registry.manifest(ctx, repository, 'v1', undefined), {
        kind: 'unavailable',
        message: /try again in (7200|71\d\d) s/,
      });
      assert.equal(requests, 3);
    },
  );
});

test('pages of tags: by a path, an address, a part of one; never elsewhere, never in circles', async () => {
  let links: readonly string[] = [];
  const asked: string[] = [];
  const other = await serve((message, answer) => {
    asked.push(`other ${message.url}`);
    answer.end('{"tags":["stolen"]}');
  });
  const tagsOf = async (next: (base: string) => readonly string[]): Promise<readonly string[]> => {
    asked.length = 0;
    let found: readonly string[] = [];
    await against(
      (message, answer) => {
        const link = links[asked.push(message.url ?? '') - 1];
        if (link !== undefined) answer.setHeader('link', link);
        answer.end(JSON.stringify({ name: 'x', tags: [`t${asked.length}`] }));
      },
      async (registry, repository, base) => {
        links = next(base);
        found = await registry.tags(ctx, repository, undefined);
      },
    );
    return found;
  };
  const page = '/v2/team/app/tags/list?last=t1&n=1';
  for (const target of [
    (base: string) => `${base}${page}`,
    () => page,
    () => '?last=t1&n=1',
    () => 'list?last=t1&n=1',
  ])
    for (const form of [
      (url: string) => `<${url}>; rel="next"`,
      (url: string) => `<${url}>;rel=next`,
      (url: string) => `</first>; rel="first", <${url}>; title="x"; rel="next"`,
    ]) {
      assert.deepEqual(await tagsOf((base) => [form(target(base))]), ['t1', 't2']);
      assert.deepEqual(asked, ['/v2/team/app/tags/list', page]);
    }
  assert.deepEqual(await tagsOf(() => [`<${other.base}${page}>; rel="next"`]), ['t1']);
  assert.deepEqual(await tagsOf(() => ['</v1/search>; rel="next"']), ['t1']);
  assert.equal(asked.length, 1);
  // A page that leads to itself, and two that lead to each other.
  assert.deepEqual(await tagsOf(() => Array.from({ length: 50 }, () => `<${page}>; rel="next"`)), [
    't1',
    't2',
  ]);
  const two = Array.from(
    { length: 50 },
    (_none, at) => `</v2/team/app/tags/list?last=${at % 2}>; rel="next"`,
  );
  assert.deepEqual(await tagsOf(() => two), ['t1', 't2', 't3']);
  stop(other.server);
});

test('what a registry warns of is told once', async () => {
  const told: unknown[] = [];
  const log = { ...ctx.log, warn: (message: string, fields: unknown) => void told.push([message, fields]) };
  await against(
    (_message, answer) => {
      answer.setHeader('warning', [
        '299 - "Your token \\"x\\" ends soon"',
        '299 - "Second"',
        '199 - "Other"',
      ]);
      answer.end(manifestBytes);
    },
    async (registry, repository) => {
      for (const tag of ['v1', 'v2']) await registry.manifest({ ...ctx, log }, repository, tag, undefined);
      const host = repository.domain;
      assert.deepEqual(told, [
        ['the registry warns', { host, text: 'Your token "x" ends soon' }],
        ['the registry warns', { host, text: 'Second' }],
      ]);
    },
  );
});

test('a proxy that asks for a name and a password, for plain addresses and for tunnels', async () => {
  const seen: string[] = [];
  const proxy = await serve((message, answer) => {
    seen.push(`${message.method} ${message.url} ${message.headers['proxy-authorization'] ?? '-'}`);
    answer.end(manifestBytes);
  });
  proxy.server.on('connect', (message, socket) => {
    seen.push(`${message.method} ${message.url} ${message.headers['proxy-authorization'] ?? '-'}`);
    socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
  });
  const address = proxy.base.replace('//', '//ann:se%40cret@');
  const proxyEnv = { HTTP_PROXY: address, HTTPS_PROXY: address };
  const registry = createRegistry({
    proxyEnv,
    insecureRegistries: ['insecure.test'],
    hub: 'https://hub.test',
  });
  const basic = `Basic ${Buffer.from('ann:se@cret').toString('base64')}`;
  try {
    await assert.rejects(
      registry.manifest(ctx, { domain: 'docker.io', path: 'library/a' }, 'v1', undefined),
      {
        kind: 'unavailable',
      },
    );
    assert.deepEqual(seen.splice(0), [`CONNECT hub.test:443 ${basic}`]);
    await registry.manifest(ctx, { domain: 'insecure.test', path: 'team/app' }, 'v1', undefined);
    assert.equal(seen.at(-1), `GET http://insecure.test/v2/team/app/manifests/v1 ${basic}`);
  } finally {
    await registry.close();
    stop(proxy.server);
  }
});

test('NO_PROXY by Go’s rules: networks, ports, domains and what is below them', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['http://127.0.0.1:5000', '', true],
    ['http://localhost:5000', '', true],
    ['http://[::1]:5000', '', true],
    ['https://registry.test', '', false],
    ['https://registry.test', '*', true],
    ['https://registry.test', 'registry.test', true],
    ['https://REGISTRY.test', ' Registry.Test ,x', true],
    ['https://a.registry.test', 'registry.test', true],
    ['https://aregistry.test', 'registry.test', false],
    ['https://registry.test', '.registry.test', false],
    ['https://a.registry.test', '.registry.test', true],
    ['https://a.b.registry.test', '*.registry.test', true],
    ['https://registry.test', '*.registry.test', false],
    ['https://registry.test', 'registry.test:443', true],
    ['http://registry.test', 'registry.test:443', false],
    ['https://registry.test:5000', 'registry.test:5000', true],
    ['https://registry.test', 'registry.test:5000', false],
    ['http://10.1.2.3', '10.0.0.0/8', true],
    ['http://11.1.2.3', '10.0.0.0/8', false],
    ['http://registry.test', '10.0.0.0/8', false],
    ['http://10.1.2.3', '10.1.2.3', true],
    ['http://10.1.2.3:8080', '10.1.2.3:8080', true],
    ['http://10.1.2.3:8081', '10.1.2.3:8080', false],
    ['http://[fd00::5]', 'fd00::/8', true],
    ['http://[fd00::5]:5000', '[fd00::5]:5000', true],
    ['http://[fd00::5]', 'fd00::5', true],
    ['http://[fe80::5]', 'fd00::/8', false],
    ['http://10.1.2.3', '10.0.0.0/99,nonsense/,/8', false],
    ['https://registry.test', ',,', false],
  ];
  for (const [url, list, direct] of cases)
    assert.equal(isDirect(new URL(url), { NO_PROXY: list }), direct, `${url} ${list}`);
  assert.ok(isDirect(new URL('http://a.test'), { no_proxy: 'a.test' }));
});
