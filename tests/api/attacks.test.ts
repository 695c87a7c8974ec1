/** Requests that are made to hurt: odd framing, slow and huge bodies, upgrades everywhere, names and patterns that are traps. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { operations } from '../../src/api/operations.ts';
import type { CreateInput } from '../../src/services/containers/index.ts';
import { collect, startServer, type TestServer } from './fakes/server.ts';

async function alive(server: TestServer): Promise<void> {
  assert.equal((await server.request('GET', '/_ping')).text, 'OK');
}

/** What the server says to bytes as they are, until it closes or has answered. */
async function raw(server: TestServer, text: string): Promise<string> {
  const client = server.connect();
  client.write(text);
  const answer = await collect(client, (seen) => /^HTTP\/1\.1 [^\r]+\r\n[^]*\r\n\r\n/.test(seen));
  client.destroy();
  return answer.toString('latin1');
}

const json = 'Host: x\r\nContent-Type: application/json\r\n';

test('a body cannot be hidden behind a length of nothing', async (t) => {
  const seen: CreateInput[] = [];
  const server = await startServer(t, {
    containers: {
      create: (_ctx, input) => {
        seen.push(input);
        return Promise.resolve({ id: 'i', warnings: [] });
      },
    },
  });
  const body = '{"Image":"x","HostConfig":{"Privileged":true}}';
  const head = `POST /containers/create HTTP/1.1\r\n${json}`;
  const hidden = await raw(server, `${head}Content-Length: 0\r\n\r\n${body}`);
  assert.match(hidden, /^HTTP\/1\.1 400 /);
  for (const twice of [
    `Content-Length: 0\r\nContent-Length: ${body.length}\r\n`,
    `Content-Length: 0, ${body.length}\r\n`,
    `Content-Length: ${body.length}\r\nTransfer-Encoding: chunked\r\n`,
    `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n`,
    `Transfer-Encoding: xchunked\r\n`,
    `Content-Length: +${body.length}\r\n`,
    `Content-Length: -1\r\n`,
  ]) {
    assert.match(await raw(server, `${head}${twice}\r\n${body}`), /^HTTP\/1\.1 400 /, twice);
  }
  assert.deepEqual(seen, []);
  await alive(server);
});

test('an upgrade is taken where a route has one, and is an ordinary request everywhere else', async (t) => {
  const server = await startServer(t);
  const without = operations.filter((line) => !/Attach|ExecStart|Session/.test(line));
  assert.ok(without.length > 60);
  for (const line of without) {
    const [, method = '', path = ''] = line.split(' ');
    const target = path.replace(/\{\w+\}/, 'nope');
    for (const protocol of ['tcp', 'h2c', 'websocket']) {
      const answer = await raw(
        server,
        `${method} ${target} HTTP/1.1\r\n${json}Connection: Upgrade\r\nUpgrade: ${protocol}\r\nContent-Length: 0\r\n\r\n`,
      );
      assert.doesNotMatch(answer, /^HTTP\/1\.1 101/, `${line} ${protocol}`);
      assert.match(answer, /^HTTP\/1\.1 [1-5]\d\d /, `${line} ${protocol}`);
    }
  }
  await alive(server);
});

test('bodies that trickle or stop hold up nobody else', async (t) => {
  const server = await startServer(t);
  const slow = Array.from({ length: 40 }, () => {
    const client = server.connect();
    client.write(`POST /containers/create HTTP/1.1\r\n${json}Content-Length: 1000\r\n\r\n{`);
    return client;
  });
  for (let round = 0; round < 5; round++) {
    for (const client of slow) client.write(' ');
    await alive(server);
  }
  for (const client of slow) client.destroy();
  // A head that never ends.
  const head = server.connect();
  head.write('GET /_ping HTTP/1.1\r\nX-Slow: ');
  await alive(server);
  head.destroy();
});

test('keys that are traps stay data, in bodies, filters and labels', async (t) => {
  const created: CreateInput[] = [];
  const listed: unknown[] = [];
  const server = await startServer(t, {
    containers: {
      create: (_ctx, input) => {
        created.push(input);
        return Promise.resolve({ id: 'i', warnings: [] });
      },
      list: (_ctx, input) => {
        listed.push(input.filters);
        return Promise.resolve([]);
      },
    },
  });
  const body =
    '{"Image":"x","Labels":{"__proto__":"a","constructor":"b"},"constructor":{"prototype":{"Tty":true}},' +
    '"__proto__":{"Tty":true},"HostConfig":{"__proto__":{"Privileged":true},"Sysctls":{"__proto__":"1"}}}';
  assert.equal((await server.request('POST', '/containers/create', { body })).status, 201);
  const [input] = created;
  assert.equal(input?.config.Tty, undefined);
  assert.equal(input?.hostConfig.Privileged, undefined);
  assert.deepEqual(Object.entries(input?.config.Labels ?? {}), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
  assert.equal(({} as { Tty?: unknown }).Tty, undefined);
  await server.request(
    'GET',
    `/containers/json?filters=${encodeURIComponent('{"__proto__":["x"],"label":["a"]}')}`,
  );
  assert.deepEqual(Object.keys(listed[0] as object).sort(), ['__proto__', 'label']);
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
    assert.equal((await server.request('POST', `/containers/x/wait?condition=${name}`)).status, 400);
});

test('numbers of 64 bits and beyond', async (t) => {
  const seen: CreateInput[] = [];
  const server = await startServer(t, {
    containers: {
      create: (_ctx, input) => {
        seen.push(input);
        return Promise.resolve({ id: 'i', warnings: [] });
      },
    },
  });
  const withMemory = async (text: string): Promise<number> =>
    (
      await server.request('POST', '/containers/create', {
        body: `{"Image":"x","HostConfig":{"MemorySwap":${text}}}`,
      })
    ).status;
  for (const text of ['9223372036854775807', '-1', '0', '-9223372036854775808'])
    assert.equal(await withMemory(text), 201);
  for (const text of [
    '9223372036854775808',
    '1e400',
    '1.5',
    '18446744073709551616',
    '-9223372036854775809',
    'NaN',
    '0x10',
    '1_0',
  ])
    assert.equal(await withMemory(text), 400, text);
  assert.equal(seen[0]?.hostConfig.MemorySwap, Number.MAX_SAFE_INTEGER);
  for (const limit of ['99999999999999999999', '1e3', ' 1', '0x1'])
    assert.equal(
      (await server.request('GET', `/containers/json?limit=${encodeURIComponent(limit)}`)).status,
      400,
      limit,
    );
});

test('bytes that are no UTF-8 and control characters in paths, queries and bodies', async (t) => {
  const server = await startServer(t, {
    containers: {
      create: () => Promise.resolve({ id: 'i', warnings: [] }),
      inspect: () => Promise.reject(new Error('not reached')),
    },
  });
  for (const path of [
    '/containers/%ff%fe/json',
    '/containers/%c3%28/json',
    '/containers/%/json',
    '/containers/%zz/json',
  ])
    assert.equal((await server.request('GET', path)).status, 400, path);
  const body = Buffer.concat([
    Buffer.from('{"Image":"x","Cmd":["'),
    Buffer.from([0xff, 0xfe, 0xc3]),
    Buffer.from('"]}'),
  ]);
  assert.equal((await server.request('POST', '/containers/create', { body })).status, 201);
  const control = await server.request('POST', '/containers/create', { body: '{"Image":"x\u0001"}' });
  assert.deepEqual(
    [control.status, control.json],
    [400, { message: "invalid JSON: invalid character '\\x01' in string literal" }],
  );
  for (const line of [
    'GET /a\0b HTTP/1.1',
    'GET /_ping HTTP/9.9',
    'G\u00e4T / HTTP/1.1',
    '\u0016\u0003\u0001',
  ])
    assert.match(await raw(server, `${line}\r\nHost: x\r\n\r\n`), /^HTTP\/1\.1 400 /, JSON.stringify(line));
  await alive(server);
});

test('patterns that make regular expressions back-track, and deep or wide JSON, come to an end', async (t) => {
  const server = await startServer(t, {
    containers: { list: () => Promise.resolve([]), create: () => Promise.resolve({ id: 'i', warnings: [] }) },
  });
  const evil = 'a'.repeat(30_000);
  // What back-tracks would not come to an end.
  await server.request('GET', `/containers/json?limit=${evil}`);
  await server.request('GET', `/${'v1.'.repeat(5000)}/containers/json`);
  await server.request('GET', `/containers/${'/'.repeat(5000)}json`);
  await server.request('POST', '/containers/create', {
    body: '{',
    headers: { 'Content-Type': `application/${evil.slice(0, 8000)}` },
  });
  await server.request('POST', '/containers/create', { body: `{"a":${'['.repeat(100_000)}` });
  await server.request('POST', '/containers/create', { body: `{"a":"${'\\\\'.repeat(100_000)}` });
  await server.request('POST', '/containers/create', {
    body: `{"Image":"x","Env":[${'"A=b",'.repeat(100_000)}"C=d"]}`,
  });
  await alive(server);
});

test('a connection that is reset in the middle of anything takes nothing with it', async (t) => {
  const server = await startServer(t, {
    containers: { create: () => Promise.resolve({ id: 'i', warnings: [] }) },
  });
  for (const text of [
    'GET /_pi',
    `POST /containers/create HTTP/1.1\r\n${json}Content-Length: 50\r\n\r\n{"Image":`,
    `POST /containers/create HTTP/1.1\r\n${json}Transfer-Encoding: chunked\r\n\r\n5\r\n{"Im`,
    `POST /containers/x/attach?stream=1 HTTP/1.1\r\n${json}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  ]) {
    const client = server.connect();
    await once(client, 'connect');
    client.write(text);
    client.on('error', () => {});
    client.destroy();
  }
  await alive(server);
});
