/** S01: the CLI on one host drives the daemon on another, over TCP with TLS and client certificates; both clients. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { clients, runProgram, startEngine, type Client, type Engine, type Outcome } from './engine.ts';

const folder = mkdtempSync('/tmp/slip-tls-');
let engine: Engine;
let port = 0;

function openssl(line: string): void {
  execFileSync('openssl', line.split(' '), { cwd: folder, stdio: 'pipe' });
}

/** An authority and one certificate for server and client, named as the clients look for them. */
function makeCertificates(name: string): string {
  mkdirSync(join(folder, name));
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  openssl(`req -x509 ${key} -keyout ${name}/ca-key.pem -out ${name}/ca.pem -days 2 -subj /CN=${name}`);
  openssl(
    `req -x509 ${key} -keyout ${name}/key.pem -out ${name}/cert.pem -days 2 -subj /CN=peer -CA ${name}/ca.pem -CAkey ${name}/ca-key.pem` +
      ' -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=CA:FALSE',
  );
  return join(folder, name);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}

async function remote(
  client: Client,
  certificates: string,
  args: readonly string[],
  input?: string,
): Promise<Outcome> {
  const program = client === 'docker' ? 'docker' : join(import.meta.dirname, '../../dist/bin/slipway');
  const files = ['ca', 'cert', 'key'].map(
    (name) => `--tls${name === 'ca' ? 'cacert' : name}=${certificates}/${name}.pem`,
  );
  return await runProgram(
    program,
    ['-H', `tcp://127.0.0.1:${port}`, '--tlsverify', ...files, ...args],
    input,
  );
}

let own = '';
let stranger = '';
before(async () => {
  own = makeCertificates('own');
  stranger = makeCertificates('stranger');
  port = await freePort();
  const tls = [`--tlscacert=${own}/ca.pem`, `--tlscert=${own}/cert.pem`, `--tlskey=${own}/key.pem`];
  engine = await startEngine({ args: [`--host=tcp://127.0.0.1:${port}`, '--tlsverify', ...tls] });
});
after(async () => {
  await engine?.close();
  rmSync(folder, { recursive: true, force: true });
});

for (const client of clients) {
  test(`S01 ${client} runs a container on a remote engine, with stdin to its end`, async () => {
    const input = 'x'.repeat(200_000);
    const counted = await remote(client, own, ['run', '--rm', '-i', 'busybox', 'wc', '-c'], input);
    assert.deepEqual([counted.code, counted.stdout.trim()], [0, '200000'], counted.stderr);
    const version = await remote(client, own, ['version', '--format', '{{.Server.APIVersion}}']);
    assert.equal(version.stdout.trim(), '1.55', version.stderr);
  });

  test(`S01 ${client} with a certificate of another authority is refused`, async () => {
    const refused = await remote(client, stranger, ['ps']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /certificate/);
  });

  test(`S01 ${client} without a certificate is refused`, async () => {
    const program = client === 'docker' ? 'docker' : join(import.meta.dirname, '../../dist/bin/slipway');
    const plain = await runProgram(program, ['-H', `tcp://127.0.0.1:${port}`, 'ps']);
    assert.equal(plain.code, 1);
    assert.equal(plain.stdout, '');
  });
}
