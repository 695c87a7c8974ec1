/** The client against servers on sockets of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ApiError, ConnectError, createClient } from './index.ts';

let directory: string;
before(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'slip-client-'));
});
after(() => fs.rmSync(directory, { recursive: true, force: true }));

let count = 0;

/** Serves `handler` on a unix socket while `use` runs. */
async function withServer(
  handler: http.RequestListener,
  use: (host: string, server: http.Server) => Promise<void>,
): Promise<void> {
  const file = path.join(directory, `${count++}.sock`);
  const server = http.createServer(handler);
  await new Promise<void>((resolve) => server.listen(file, resolve));
  try {
    await use(`unix://${file}`, server);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('requests follow each other on one connection, without a ping', async () => {
  const urls: string[] = [];
  const sockets = new Set<net.Socket>();
  const handler: http.RequestListener = (request, response) => {
    urls.push(request.url ?? '');
    sockets.add(request.socket);
    response.setHeader('Content-Type', 'application/json');
    response.end('[]');
  };
  await withServer(handler, async (host) => {
    const client = createClient({ host });
    assert.deepEqual(
      await client.containers.list({ all: true, filters: { status: ['running'], name: ['b', 'a'] } }),
      [],
    );
    assert.deepEqual(await client.images.list(), []);
    client.close();
  });
  assert.deepEqual(urls, [
    `/v1.50/containers/json?all=1&filters=${encodeURIComponent('{"name":{"a":true,"b":true},"status":{"running":true}}')}`,
    '/v1.50/images/json',
  ]);
  assert.equal(sockets.size, 1);
});

test('an older engine makes the client lower its version once', async () => {
  const urls: string[] = [];
  const handler: http.RequestListener = (request, response) => {
    urls.push(request.url ?? '');
    const known = request.url?.startsWith('/v1.41/') === true;
    response.writeHead(known ? 200 : 400, { 'Content-Type': 'application/json' });
    response.end(
      known ? '[]' : '{"message":"client version 1.50 is too new. Maximum supported API version is 1.41"}',
    );
  };
  await withServer(handler, async (host) => {
    const client = createClient({ host });
    await client.containers.list();
    await client.containers.list();
    assert.equal(client.api.version, '1.41');
    const fixed = createClient({ host, version: '1.50' });
    await assert.rejects(fixed.containers.list(), ApiError);
    client.close();
    fixed.close();
  });
  assert.deepEqual(urls.slice(0, 3), [
    '/v1.50/containers/json',
    '/v1.41/containers/json',
    '/v1.41/containers/json',
  ]);
});

test('a body that cannot be sent twice is preceded by a ping', async () => {
  const seen: string[] = [];
  const handler: http.RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${Buffer.concat(chunks).length}`);
      response.setHeader('Api-Version', '1.44');
      response.end();
    });
  };
  async function* big(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 40; i++) yield Buffer.alloc(100_000, i);
  }
  await withServer(handler, async (host) => {
    const client = createClient({ host });
    const { body } = await client.images.load({ stream: big(), quiet: true });
    assert.equal(await body.read(), undefined);
    client.close();
  });
  assert.deepEqual(seen, ['HEAD /_ping 0', 'POST /v1.44/images/load?quiet=1 4000000']);
});

test('errors carry the engine’s words; an unreachable engine says where it was looked for', async () => {
  const handler: http.RequestListener = (request, response) => {
    response.writeHead(request.url?.includes('plain') === true ? 500 : 404);
    response.end(
      request.url?.includes('plain') === true ? 'proxy says no\n' : '{"message":"No such container: x"}\n',
    );
  };
  await withServer(handler, async (host) => {
    const client = createClient({ host });
    await assert.rejects(
      client.containers.start('x'),
      (e) => e instanceof ApiError && e.status === 404 && e.message === 'No such container: x',
    );
    await assert.rejects(client.containers.start('plain'), { message: 'proxy says no', status: 500 });
    client.close();
  });
  const nobody = createClient({ host: `unix://${directory}/nobody.sock` });
  await assert.rejects(
    nobody.containers.list(),
    (e) => e instanceof ConnectError && e.code === 'ENOENT' && e.endpoint.endsWith('nobody.sock'),
  );
});

test('an engine that dies in the middle of an answer is an error, not an end', async () => {
  const handler: http.RequestListener = (_request, response) => {
    response.writeHead(200, { 'Content-Length': '100' });
    response.write('[');
    setImmediate(() => response.destroy());
  };
  await withServer(handler, async (host) => {
    await assert.rejects(createClient({ host }).containers.list(), ConnectError);
  });
});

/** Answers all input, doubled, when the client has ended it; so half-close is needed for any answer. */
function echoAtEnd(socket: net.Socket, head: Buffer): void {
  const chunks: Buffer[] = [head];
  socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('end', () => socket.end(Buffer.concat([...chunks, ...chunks])));
}

async function echoThrough(client: ReturnType<typeof createClient>): Promise<string> {
  const stream = await client.containers.attach('c', { stdin: true, stdout: true, stderr: true });
  await stream.write('in');
  await stream.write('put');
  stream.closeWrite();
  let text = '';
  for await (const chunk of stream.output) text += Buffer.from(chunk).toString('utf8');
  return text;
}

test('a hijacked stream goes on after our side has ended', async () => {
  await withServer(
    () => undefined,
    async (host, server) => {
      server.on('upgrade', (_request, socket, head) => echoAtEnd(socket as net.Socket, head));
      const client = createClient({ host });
      assert.equal(await echoThrough(client), 'inputinput');
      client.close();
    },
  );
});

const openssl = (where: string, command: string): void =>
  void execFileSync('openssl', command.split(' '), { cwd: where, stdio: 'ignore' });

/** A certificate authority, a server's and a client's certificate, made by openssl(1). */
function makeCertificates(where: string): void {
  const curve = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  openssl(where, `req -x509 ${curve} -keyout ca-key.pem -out ca.pem -subj /CN=ca -days 2`);
  for (const name of ['server', 'client']) {
    const subject = `-subj /CN=${name} -addext subjectAltName=IP:127.0.0.1`;
    openssl(where, `req ${curve} -keyout ${name}-key.pem -out ${name}.csr ${subject}`);
    const authority = '-CA ca.pem -CAkey ca-key.pem -CAcreateserial -copy_extensions copy -days 2';
    openssl(where, `x509 -req -in ${name}.csr ${authority} -out ${name}.pem`);
  }
}

test('TLS with client certificates: requests, half-close, and refusal of strangers', async () => {
  const where = path.join(directory, 'tls');
  fs.mkdirSync(where);
  makeCertificates(where);
  const pem = (name: string): string => fs.readFileSync(path.join(where, `${name}.pem`), 'utf8');
  const server = https.createServer(
    {
      ca: pem('ca'),
      cert: pem('server'),
      key: pem('server-key'),
      requestCert: true,
      rejectUnauthorized: true,
      allowHalfOpen: true,
    } as https.ServerOptions,
    (_request, response) => response.end('[]'),
  );
  server.on('upgrade', (_request, socket, head) => echoAtEnd(socket as net.Socket, head));
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  try {
    const client = createClient({
      host,
      tls: { verify: true, ca: pem('ca'), cert: pem('client'), key: pem('client-key') },
    });
    assert.deepEqual(await client.containers.list(), []);
    assert.equal(await echoThrough(client), 'inputinput');
    client.close();
    const stranger = createClient({
      host,
      tls: { verify: true, ca: pem('client'), cert: pem('client'), key: pem('client-key') },
    });
    await assert.rejects(stranger.containers.list(), ConnectError);
    const nameless = createClient({ host, tls: { verify: true, ca: pem('ca') } });
    await assert.rejects(nameless.containers.list(), ConnectError);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
