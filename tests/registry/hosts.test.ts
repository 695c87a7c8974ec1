/** Which host is asked for what: mirrors of every registry, hosts.toml, certificates, proxies, addresses of foreign layers. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createServer as createTlsServer } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { createRegistry } from '../../src/registry/index.ts';
import { serve, sha, stop, type Served } from './servers.ts';

const ctx = backgroundCtx();
const manifestBytes = Buffer.from('{"schemaVersion":2,"config":{},"layers":[]}');
const app = { domain: 'registry.test', path: 'team/app' };
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slip-hosts-'));
});
after(() => rm(folder, { recursive: true, force: true }));

interface Recorded extends Served {
  readonly asked: string[];
}

/** Answers with a manifest and notes who asked for what. */
async function recording(status = 200): Promise<Recorded> {
  const asked: string[] = [];
  const served = await serve((message, answer) => {
    const { authorization, 'x-custom': custom = '' } = message.headers;
    asked.push(`${message.method} ${message.url} ${authorization ?? '-'} ${String(custom)}`.trim());
    if (message.method === 'POST') answer.writeHead(201).end();
    else if (message.method === 'HEAD') answer.writeHead(404).end();
    else answer.writeHead(status).end(status === 200 ? manifestBytes : '{}');
  });
  return { ...served, asked };
}

async function hostsFile(text: string): Promise<string> {
  const root = await mkdtemp(join(folder, 'certs-'));
  await mkdir(join(root, 'registry.test'));
  await writeFile(join(root, 'registry.test', 'hosts.toml'), text);
  return root;
}

test('a mirror of any registry: asked first, without credentials, for pulls only', async () => {
  const [mirror, own] = [await recording(), await recording()];
  const certs = await hostsFile(`server = "${own.base}"\n`);
  const registry = createRegistry({
    mirrors: [`registry.test=${mirror.base}/cache`],
    certsDirectories: [certs],
  });
  try {
    await registry.manifest(ctx, app, 'v1', { username: 'me', password: 'secret' });
    assert.deepEqual(mirror.asked, ['GET /cache/v2/team/app/manifests/v1 -']);
    assert.equal(own.asked.length, 0);
    const blob = { mediaType: '', digest: sha(Buffer.from('x')), size: 1 };
    const open = async (): Promise<Readable> => Readable.from([Buffer.from('x')]);
    await registry.pushBlob(ctx, app, blob, { open }, undefined);
    assert.equal(mirror.asked.length, 1);
    assert.deepEqual(
      own.asked.map((line) => line.split(' ')[0]),
      ['HEAD', 'POST'],
    );
  } finally {
    await registry.close();
    stop(mirror.server, own.server);
  }
});

test('hosts.toml: capabilities, paths, headers, order', async () => {
  const [tags, blobs, own] = [await recording(), await recording(), await recording()];
  const certs = await hostsFile(`
server = "${own.base}"
[host."${tags.base}/root/api"]
  capabilities = ["resolve"]
  override_path = true
  [host."${tags.base}/root/api".header]
    x-custom = "yes"
[host."${blobs.base}"]
  capabilities = ["pull"]
`);
  const registry = createRegistry({ certsDirectories: [certs] });
  try {
    await registry.manifest(ctx, app, 'v1', undefined);
    assert.deepEqual(tags.asked, ['GET /root/api/team/app/manifests/v1 - yes']);
    await registry.manifest(ctx, app, sha(manifestBytes), undefined);
    assert.deepEqual(blobs.asked, [`GET /v2/team/app/manifests/${sha(manifestBytes)} -`]);
    assert.equal(own.asked.length, 0);
  } finally {
    await registry.close();
    stop(tags.server, blobs.server, own.server);
  }
});

test('a hosts.toml that cannot be understood is told with its name and line, and nothing is asked', async () => {
  const certs = await hostsFile('server = "https://x"\ncapabilities = [');
  const registry = createRegistry({ certsDirectories: [certs] });
  await assert.rejects(registry.manifest(ctx, app, 'v1', undefined), {
    kind: 'invalid',
    message: /registry\.test\/hosts\.toml: line 2: /,
  });
  await registry.close();
});

test('mirrors that are none are refused in Docker’s words', () => {
  for (const text of ['mirror.test', 'ftp://x', 'https://u:p@mirror.test', 'https://mirror.test/?a'])
    assert.throws(() => createRegistry({ mirrors: [text] }), {
      kind: 'invalid',
      message: /^invalid mirror: /,
    });
});

/** A key and a certificate for 127.0.0.1 and localhost that signs itself. */
async function certificate(): Promise<{ readonly key: Buffer; readonly cert: Buffer }> {
  const [key, cert] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
  execFileSync(
    'openssl',
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ${key} -out ${cert} -subj /CN=registry.test
      -addext subjectAltName=DNS:registry.test,DNS:localhost,IP:127.0.0.1`.split(/\s+/),
    { stdio: 'ignore' },
  );
  return { key: await readFile(key), cert: await readFile(cert) };
}

test('an own authority counts with its certificate in ca.crt, or in hosts.toml, and not without', async () => {
  const { key, cert } = await certificate();
  const server = createTlsServer({ key, cert }, (_message, answer) => answer.end(manifestBytes));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const address = `https://127.0.0.1:${port}`;
  const proxy = await serve(() => {});
  // The name leads to the test's server by a proxy: nothing outside of this machine is asked.
  proxy.server.on('connect', (_message, socket) => {
    const through = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    socket.pipe(through).pipe(socket);
  });
  const proxyEnv = { HTTPS_PROXY: proxy.base };
  const repository = { domain: `registry.test:${port}`, path: 'team/app' };
  const attempt = async (certs: string): Promise<unknown> => {
    const registry = createRegistry({ certsDirectories: [certs], proxyEnv });
    try {
      return await registry.manifest(ctx, repository, 'v1', undefined);
    } finally {
      await registry.close();
    }
  };
  try {
    await assert.rejects(attempt(join(folder, 'none')), {
      kind: 'unavailable',
      message: /x509: certificate signed by unknown authority/,
    });
    const docker = await mkdtemp(join(folder, 'docker-'));
    await mkdir(join(docker, repository.domain));
    await writeFile(join(docker, repository.domain, 'ca.crt'), cert);
    await attempt(docker);
    const containerd = await mkdtemp(join(folder, 'containerd-'));
    await mkdir(join(containerd, repository.domain));
    await writeFile(join(containerd, repository.domain, 'own.pem'), cert);
    const toml = `[host."https://registry.test:${port}"]\nca = "own.pem"\n`;
    await writeFile(join(containerd, repository.domain, 'hosts.toml'), toml);
    await attempt(containerd);
    await writeFile(
      join(containerd, repository.domain, 'hosts.toml'),
      `server = "${address}"\nskip_verify = true\n`,
    );
    await attempt(containerd);
    await writeFile(join(docker, repository.domain, 'client.cert'), cert);
    await assert.rejects(attempt(docker), {
      message: /missing key client\.key for client certificate client\.cert/,
    });
  } finally {
    stop(server, proxy.server);
  }
});

test('a client certificate, in Docker’s layout and in hosts.toml; without it, and with another’s, nothing is answered', async () => {
  const { key, cert } = await certificate();
  const server = createTlsServer(
    { key, cert, ca: cert, requestCert: true, rejectUnauthorized: false },
    (message, answer) => {
      const isKnown = (message.socket as TLSSocket).authorized;
      answer.writeHead(isKnown ? 200 : 403).end(isKnown ? manifestBytes : '{}');
    },
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const domain = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const attempt = async (files: Readonly<Record<string, string | Buffer>>): Promise<unknown> => {
    const certs = await mkdtemp(join(folder, 'client-'));
    await mkdir(join(certs, domain));
    for (const [name, text] of Object.entries(files)) await writeFile(join(certs, domain, name), text);
    const registry = createRegistry({ certsDirectories: [certs], proxyEnv: {} });
    try {
      return await registry.manifest(ctx, { domain, path: 'team/app' }, 'v1', undefined);
    } finally {
      await registry.close();
    }
  };
  const toml = (client: string): string => `[host."https://${domain}"]\nca = "ca.pem"\nclient = ${client}\n`;
  try {
    await attempt({ 'ca.crt': cert, 'client.cert': cert, 'client.key': key });
    await assert.rejects(attempt({ 'ca.crt': cert }), { kind: 'notFound', message: /pull access denied/ });
    const pair = { 'ca.pem': cert, 'own.cert': cert, 'own.key': key };
    for (const client of ['["own.cert", "own.key"]', '[["own.cert", "own.key"]]'])
      await attempt({ ...pair, 'hosts.toml': toml(client) });
    await attempt({
      'ca.pem': cert,
      'both.pem': Buffer.concat([cert, key]),
      'hosts.toml': toml('"both.pem"'),
    });
    await assert.rejects(attempt({ 'ca.pem': cert, 'hosts.toml': toml('["own.cert", "own.key"]') }), {
      kind: 'invalid',
      message: /hosts\.toml: .*own\.cert/,
    });
  } finally {
    stop(server);
  }
});

test('a proxy is used for what is not excepted', async () => {
  const own = await recording();
  const seen: string[] = [];
  const proxy = await serve((message, answer) => {
    seen.push(message.url ?? '');
    answer.end(manifestBytes);
  });
  const certs = await hostsFile('server = "http://registry.test"\nskip_verify = true\n');
  const throughProxy = createRegistry({ certsDirectories: [certs], proxyEnv: { HTTP_PROXY: proxy.base } });
  const direct = createRegistry({
    proxyEnv: { HTTP_PROXY: proxy.base, HTTPS_PROXY: proxy.base, NO_PROXY: '127.0.0.1' },
  });
  try {
    await throughProxy.manifest(ctx, app, 'v1', undefined);
    assert.deepEqual(seen, ['http://registry.test/v2/team/app/manifests/v1']);
    await direct.manifest(ctx, { domain: own.host, path: 'team/app' }, 'v1', undefined);
    assert.equal(seen.length, 1);
    assert.equal(own.asked.length, 1);
  } finally {
    await throughProxy.close();
    await direct.close();
    stop(own.server, proxy.server);
  }
});

test('a layer that the registry lacks comes from its own addresses, without credentials and never from plain http', async () => {
  const data = Buffer.from('a foreign layer');
  const own = await recording(404);
  const elsewhere: string[] = [];
  const storage = await serve((message, answer) => {
    elsewhere.push(
      `${message.url} ${message.headers.authorization ?? '-'} ${message.headers['range'] ?? '-'}`,
    );
    if (message.url === '/moved') answer.writeHead(302, { location: '/layer' }).end();
    else answer.end(data);
  });
  const registry = createRegistry();
  const repository = { domain: own.host, path: 'team/app' };
  const credentials = { username: 'me', password: 'secret' };
  const blob = { mediaType: '', digest: sha(data), size: data.length };
  try {
    const urls = ['not an address', 'http://registry.test/layer', `${storage.base}/moved`];
    const { stream } = await registry.blob(ctx, repository, { ...blob, urls }, credentials);
    assert.ok((await buffer(stream)).equals(data));
    assert.deepEqual(elsewhere, ['/moved - -', '/layer - -']);
    await assert.rejects(registry.blob(ctx, repository, { ...blob, urls: urls.slice(0, 2) }, credentials), {
      kind: 'unavailable',
      message: /at none of its addresses: http:\/\/registry\.test is not an https address/,
    });
  } finally {
    await registry.close();
    stop(own.server, storage.server);
  }
});
