import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateInput } from '../../src/services/containers/index.ts';
import { collect, startServer } from './fakes/server.ts';

const created = { id: 'c1', warnings: [] };

test('a create is taken apart into config, host config and networks', async (t) => {
  const inputs: CreateInput[] = [];
  const server = await startServer(t, {
    containers: {
      create: (_ctx, input) => {
        inputs.push(input);
        return Promise.resolve(created);
      },
    },
  });
  const body = JSON.stringify({
    Image: 'busybox',
    Cmd: 'ls',
    Nonsense: { a: 1 },
    HostConfig: { Memory: 1, NetworkMode: 'n1' },
    NetworkingConfig: { EndpointsConfig: { n1: { Aliases: ['a'] } } },
  });
  const answer = await server.request('POST', '/v1.48/containers/create?name=web&platform=linux/amd64', {
    body,
  });
  assert.deepEqual([answer.status, answer.json], [201, { Id: 'c1', Warnings: [] }]);
  assert.deepEqual(inputs, [
    {
      name: 'web',
      platform: 'linux/amd64',
      config: { Image: 'busybox', Cmd: ['ls'] },
      hostConfig: { Memory: 1, NetworkMode: 'n1' },
      networkingConfig: { EndpointsConfig: { n1: { Aliases: ['a'] } } },
    },
  ]);
});

test('older versions keep their defaults', async (t) => {
  let input: CreateInput | undefined;
  const server = await startServer(t, {
    containers: {
      create: (_ctx, given) => {
        input = given;
        return Promise.resolve(created);
      },
    },
  });
  const body = JSON.stringify({ Image: 'b', MacAddress: '02:00:00:00:00:01' });
  await server.request('POST', '/v1.39/containers/create', { body });
  assert.deepEqual(input?.hostConfig, { IpcMode: 'shareable', CgroupnsMode: 'host' });
  assert.deepEqual(input?.networkingConfig, {
    EndpointsConfig: { bridge: { MacAddress: '02:00:00:00:00:01' } },
  });
  await server.request('POST', '/v1.44/containers/create', { body: '{"Image":"b"}' });
  assert.deepEqual(input?.hostConfig, {});
});

test('bad bodies answer 400 in words of dockerd', async (t) => {
  const server = await startServer(t);
  const cases: readonly (readonly [string, string])[] = [
    ['', 'invalid JSON: got EOF while reading request body'],
    ['{', 'invalid JSON: unexpected EOF'],
    ['{}', 'config cannot be empty in order to create a container'],
    ['null', 'config cannot be empty in order to create a container'],
    ['{"__proto__":{"Image":"x"}}', 'config cannot be empty in order to create a container'],
    [
      '{"Tty":"x"}',
      'invalid JSON: json: cannot unmarshal string into Go struct field ContainerConfigWrapper.Config.Tty of type bool',
    ],
    ['{"Image":"x"} trailing', 'unexpected content after JSON'],
  ];
  for (const [body, message] of cases) {
    const answer = await server.request('POST', '/containers/create', { body });
    assert.deepEqual([answer.status, answer.json], [400, { message }], body);
  }
});

test('bodies must be declared as JSON', async (t) => {
  const server = await startServer(t);
  const plain = await server.request('POST', '/containers/create', {
    body: '{}',
    headers: { 'Content-Type': 'text/plain' },
  });
  assert.deepEqual(
    [plain.status, plain.json],
    [400, { message: "unsupported Content-Type header (text/plain): must be 'application/json'" }],
  );
  const charset = await server.request('POST', '/volumes/create', {
    body: '[]',
    headers: { 'Content-Type': 'application/json; charset=utf-8' },
  });
  assert.deepEqual(charset.json, {
    message: 'invalid JSON: json: cannot unmarshal array into Go value of type volume.CreateOptions',
  });
});

test('a body above the limit is refused before it is read', async (t) => {
  const server = await startServer(t);
  const client = server.connect();
  client.write(
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{',
  );
  const text = (await collect(client, (seen) => seen.includes('message'))).toString();
  assert.match(text, /^HTTP\/1\.1 413 /);
  client.destroy();
});

test('a chunked body above the limit is cut off', async (t) => {
  const server = await startServer(t);
  const client = server.connect();
  client.on('error', () => {});
  client.write(
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  const piece = Buffer.alloc(0x10000, 0x20);
  for (let count = 0; count < 80; count++)
    client.write(Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')]));
  const text = (await collect(client, (seen) => seen.includes('message'))).toString();
  assert.match(text, /^HTTP\/1\.1 413 /);
  client.destroy();
});

test('a million headers and duplicate lengths are refused, and the server lives', async (t) => {
  const server = await startServer(t);
  for (const head of [
    `GET /_ping HTTP/1.1\r\nHost: x\r\n${'X-Header: 1\r\n'.repeat(1_000_000)}\r\n`,
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
    'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}',
    'nonsense\r\n\r\n',
  ]) {
    const client = server.connect();
    client.on('error', () => {});
    client.write(head);
    const text = await collect(client).catch(() => Buffer.alloc(0));
    assert.match(text.toString() || 'HTTP/1.1 400', /^HTTP\/1\.1 4\d\d /, head.slice(0, 60));
    client.destroy();
  }
  assert.equal((await server.request('GET', '/_ping')).status, 200);
});

test('queries are read by the rules of dockerd', async (t) => {
  const seen: unknown[] = [];
  const server = await startServer(t, {
    containers: {
      list: (_ctx, input) => {
        seen.push(input);
        return Promise.resolve([]);
      },
    },
  });
  const filters = (value: unknown): string => encodeURIComponent(JSON.stringify(value));
  await server.request('GET', `/containers/json?all=True&limit=3&filters=${filters({ status: ['a', 'b'] })}`);
  await server.request(
    'GET',
    `/containers/json?all=none&filters=${filters({ label: { 'a=b': true, c: false } })}`,
  );
  assert.deepEqual(JSON.parse(JSON.stringify(seen)), [
    { all: true, limit: 3, size: false, filters: { status: ['a', 'b'] } },
    { all: false, limit: 0, size: false, filters: { label: ['a=b', 'c'] } },
  ]);
  const bad: readonly (readonly [string, string])[] = [
    ['limit=x', 'strconv.Atoi: parsing "x": invalid syntax'],
    ['filters=x', 'invalid filter'],
    [`filters=${filters({ a: 1 })}`, 'invalid filter'],
    ['filters=[]', 'invalid filter'],
    ['limit=%zz', 'invalid URL escape'],
  ];
  for (const [query, message] of bad) {
    const answer = await server.request('GET', `/containers/json?${query}`);
    assert.deepEqual([answer.status, answer.json], [400, { message }], query);
  }
});
