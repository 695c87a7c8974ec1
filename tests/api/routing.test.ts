import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { notFound, SlipwayError, type ErrorKind } from '../../src/core/errors.ts';
import { startServer } from './fakes/server.ts';

test('ping answers GET and HEAD with the headers that clients negotiate by', async (t) => {
  const server = await startServer(t);
  for (const method of ['GET', 'HEAD']) {
    const answer = await server.request(method, '/_ping');
    assert.equal(answer.status, 200);
    assert.equal(answer.text, method === 'GET' ? 'OK' : '');
    assert.equal(answer.headers['api-version'], '1.55');
    assert.equal(answer.headers['builder-version'], '1');
    assert.equal(answer.headers['docker-experimental'], 'false');
    assert.equal(answer.headers['ostype'], 'linux');
    assert.equal(answer.headers['swarm'], 'inactive');
    assert.equal(answer.headers['cache-control'], 'no-cache, no-store, must-revalidate');
    assert.match(String(answer.headers['server']), /^Slipway\/0\.0\.1 \(linux\)$/);
  }
});

test('versions from 1.24 to 1.55 are served, others refused in words', async (t) => {
  const server = await startServer(t);
  for (const version of ['1.24', '1.41', '1.55']) {
    assert.equal((await server.request('GET', `/v${version}/_ping`)).status, 200, version);
  }
  const old = await server.request('GET', '/v1.23/_ping');
  assert.deepEqual(
    [old.status, old.json],
    [
      400,
      {
        message:
          'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
      },
    ],
  );
  const fresh = await server.request('GET', '/v1.99/_ping');
  assert.deepEqual(
    [fresh.status, fresh.json],
    [400, { message: 'client version 1.99 is too new. Maximum supported API version is 1.55' }],
  );
});

test('an unknown path or method answers 404 as dockerd does, even of an unknown version', async (t) => {
  const server = await startServer(t);
  const requests = [
    ['GET', '/nope'],
    ['GET', '/v1.41/nope'],
    ['GET', '/v1.99/nope'],
    ['POST', '/info'],
    ['PUT', '/_ping'],
    ['GET', '/containers/create'],
    ['GET', '/info/'],
    ['GET', '/vx.1/info'],
    ['GET', '/v1.41'],
    ['GET', '/__proto__'],
    ['GET', '/containers/constructor/toString'],
  ] as const;
  for (const [method, path] of requests) {
    const answer = await server.request(method, path);
    assert.deepEqual([answer.status, answer.json], [404, { message: 'page not found' }], `${method} ${path}`);
  }
  assert.equal((await server.request('OPTIONS', '/info')).status, 200);
});

test('the list of networks has two paths, as in dockerd; nothing else has', async (t) => {
  const server = await startServer(t);
  const [plain, slashed] = [
    await server.request('GET', '/networks'),
    await server.request('GET', '/networks/'),
  ];
  assert.deepEqual([slashed.status, slashed.text], [plain.status, plain.text]);
  assert.notEqual(plain.status, 404);
  assert.equal((await server.request('DELETE', '/networks/')).status, 404);
});

test('double slashes are redirected', async (t) => {
  const server = await startServer(t);
  const answer = await server.request('GET', '/v1.41/containers//json?all=1');
  assert.deepEqual([answer.status, answer.headers.location], [301, '/v1.41/containers/json?all=1']);
});

test('names may hold slashes and escapes', async (t) => {
  const seen: string[] = [];
  const server = await startServer(t, {
    images: {
      inspect: (reference) => {
        seen.push(reference);
        return Promise.reject(notFound(`No such image: ${reference}`));
      },
    },
  });
  await server.request('GET', '/v1.41/images/localhost:5000/a/b:tag/json');
  await server.request('GET', '/images/a%2Fb/json');
  await server.request('GET', '/images/json/json');
  assert.deepEqual(seen, ['localhost:5000/a/b:tag', 'a/b', 'json']);
  const bad = await server.request('GET', '/images/%zz/json');
  assert.deepEqual([bad.status, bad.json], [400, { message: 'invalid URL escape' }]);
});

test('each kind of error has its status, and its message as JSON', async (t) => {
  const statuses: Readonly<Record<ErrorKind, number>> = {
    invalid: 400,
    unauthorized: 401,
    forbidden: 403,
    notFound: 404,
    conflict: 409,
    notModified: 304,
    unavailable: 503,
    notImplemented: 501,
    internal: 500,
  };
  const server = await startServer(t, {
    containers: { start: (_ctx, ref) => Promise.reject(new SlipwayError(ref as ErrorKind, `it is ${ref}`)) },
  });
  for (const [kind, status] of Object.entries(statuses)) {
    const answer = await server.request('POST', `/containers/${kind}/start`);
    assert.equal(answer.status, status);
    assert.deepEqual(answer.json, status === 304 ? undefined : { message: `it is ${kind}` });
  }
});

test('a service that throws something odd answers 500 and the server lives', async (t) => {
  const server = await startServer(t, {
    containers: {
      pause: () => {
        throw new TypeError('oops');
      },
    },
  });
  const answer = await server.request('POST', '/containers/x/pause');
  assert.deepEqual([answer.status, answer.json], [500, { message: 'oops' }]);
  assert.equal((await server.request('GET', '/_ping')).status, 200);
});

test('an upgrade header on a route that does not upgrade is ignored', async (t) => {
  const server = await startServer(t);
  for (const upgrade of ['tcp', 'h2c', 'websocket']) {
    const answer = await server.request('GET', '/_ping', {
      headers: { Connection: 'Upgrade', Upgrade: upgrade },
    });
    assert.deepEqual([answer.status, answer.text], [200, 'OK'], upgrade);
  }
});

test('the socket file is open to owner and group alone', async (t) => {
  const server = await startServer(t);
  assert.equal(statSync(server.socket).mode & 0o777, 0o660);
});

test('a socket in use is not taken over, a stale one is', async (t) => {
  const server = await startServer(t);
  await assert.rejects(
    server.api.listen({ type: 'unix', path: server.socket }),
    /another process listens on it/,
  );
  await server.api.close();
  assert.equal(await server.api.listen({ type: 'unix', path: server.socket }), `unix://${server.socket}`);
});
