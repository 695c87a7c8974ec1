import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { catAttachment, sessionOf } from './fakes/attachment.ts';
import { collect, startServer } from './fakes/server.ts';

interface Certificates {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

function openssl(folder: string, line: string): void {
  execFileSync('openssl', line.split(' '), { cwd: folder, stdio: 'pipe' });
}

/** An authority of its own and one certificate for server and client, good for 127.0.0.1. */
function makeCertificates(folder: string, name: string): Certificates {
  const key = (file: string): string =>
    `-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${file}.key`;
  openssl(folder, `req -x509 ${key(`${name}-ca`)} -out ${name}-ca.crt -days 2 -subj /CN=${name}`);
  const leaf = `-CA ${name}-ca.crt -CAkey ${name}-ca.key -addext subjectAltName=IP:127.0.0.1`;
  openssl(
    folder,
    `req -x509 ${key(name)} -out ${name}.crt -days 2 -subj /CN=peer ${leaf} -addext basicConstraints=CA:FALSE`,
  );
  const read = (file: string): Buffer => readFileSync(join(folder, file));
  return { ca: read(`${name}-ca.crt`), cert: read(`${name}.crt`), key: read(`${name}.key`) };
}

async function startTls(
  context: TestContext,
): Promise<{ port: number; own: Certificates; other: Certificates }> {
  const server = await startServer(context, {
    containers: { attach: () => Promise.resolve(sessionOf(catAttachment(), true)) },
  });
  const own = makeCertificates(server.folder, 'own');
  const other = makeCertificates(server.folder, 'other');
  const tls = { cert: own.cert, key: own.key, clientCa: own.ca };
  const address = await server.api.listen({ type: 'tcp', host: '127.0.0.1', port: 0, tls });
  return { port: Number(new URL(address).port), own, other };
}

function dial(port: number, ca: Buffer, client: Certificates | undefined): TLSSocket {
  const identity = client === undefined ? {} : { cert: client.cert, key: client.key };
  const options = { host: '127.0.0.1', port, ca, allowHalfOpen: true, ...identity };
  return connect(options);
}

test('a client with a certificate of the authority is served', async (t) => {
  const { port, own } = await startTls(t);
  const client = dial(port, own.ca, own);
  client.write('GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match((await collect(client)).toString(), /^HTTP\/1\.1 200 OK[^]*OK$/);
});

test('the end of stdin over TLS does not lose output', async (t) => {
  const { port, own } = await startTls(t);
  const client = dial(port, own.ca, own);
  client.write(
    'POST /containers/c/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
  );
  await collect(client, (text) => text.includes('\r\n\r\n'));
  const rest = collect(client);
  client.end('last words');
  assert.equal((await rest).toString(), 'last wordsend of input');
});

test('a client without a certificate, or of another authority, is refused', async (t) => {
  const { port, own, other } = await startTls(t);
  for (const identity of [undefined, other]) {
    const client = dial(port, own.ca, identity);
    client.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
    const answer = await collect(client).catch((error: NodeJS.ErrnoException) =>
      Buffer.from(`failed: ${error.code}`),
    );
    assert.doesNotMatch(answer.toString(), /200 OK/);
    client.destroy();
  }
});

test('plain HTTP on the TLS port gets no answer', async (t) => {
  const { port } = await startTls(t);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/_ping`));
});
