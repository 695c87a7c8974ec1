// timeout: 300
/** A real registry with TLS by an own authority, with a password and with tokens of a token server, driven by both clients. */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeAuthority } from '../helpers/images/certificates.ts';
import { refreshTokenOf, type GivenToken } from '../helpers/images/token-server.ts';
import type { Peer } from '../peers/process.ts';
import {
  authorityOf,
  hostsFile,
  openRegistryWorld,
  registryName,
  removeEtc,
  writeEtc,
  type RegistryWorld,
} from '../peers/registry-world.ts';
import { startSlipwayd } from '../peers/slipwayd.ts';
import {
  busyboxArchive,
  clients,
  eventually,
  runProgram,
  type Client,
  type Outcome,
} from '../scenarios/engine.ts';

/** bcrypt of `sesame`. */
const htpasswd = 'ali:$2y$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O\n';
const ports = { password: 5001, token: 5002, realm: 5003, plain: 5004 };
const [password, token] = [`${registryName}:${ports.password}`, `${registryName}:${ports.token}`];

let world: RegistryWorld;
let peer: Peer;
let folder: string;
let tokenFolder: string;

before(async () => {
  folder = mkdtempSync('/tmp/slip-tls-');
  world = await openRegistryWorld();
  peer = await startSlipwayd({
    folder: join(folder, 'engine'),
    name: `slip-tls-${process.pid % 1000}`,
    networkOf: world.pid,
    etc: { hosts: hostsFile },
  });
  writeFileSync(join(world.folder, 'htpasswd'), htpasswd);
  await world.registry(ports.password, { tls: world.servers, htpasswd: join(world.folder, 'htpasswd') });
  tokenFolder = await world.tokens(ports.realm, { ali: 'sesame', bea: 'open' });
  await world.registry(ports.token, {
    tls: world.servers,
    token: {
      realm: `https://${registryName}:${ports.realm}/token`,
      issuer: 'issuer.test',
      roots: world.authority.certificate,
    },
  });
  const loaded = await runProgram('docker', [
    '-H',
    `unix://${peer.socket}`,
    'load',
    '-i',
    await busyboxArchive(),
  ]);
  assert.equal(loaded.code, 0, loaded.stderr);
});
after(async () => {
  await peer.stop();
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

const repository = join(import.meta.dirname, '../..');
async function run(client: Client, args: readonly string[], input?: string): Promise<Outcome> {
  const program = client === 'docker' ? 'docker' : join(repository, 'dist/bin/slipway');
  const common = ['-H', `unix://${peer.socket}`, '--config', join(folder, `config-${client}`)];
  return await runProgram(program, [...common, ...args], input);
}
async function ok(client: Client, args: readonly string[], input?: string): Promise<string> {
  const outcome = await run(client, args, input);
  assert.equal(outcome.code, 0, `${client} ${args.join(' ')}\n${outcome.stdout}${outcome.stderr}`);
  return outcome.stdout.trim();
}
async function refused(
  client: Client,
  args: readonly string[],
  words: RegExp,
  input?: string,
): Promise<void> {
  const outcome = await run(client, args, input);
  assert.equal(outcome.code, 1, `${args.join(' ')}\n${outcome.stdout}`);
  assert.match(outcome.stderr, words);
}
const login = async (client: Client, host: string, user = 'ali', secret = 'sesame'): Promise<string> =>
  await ok(client, ['login', '-u', user, '--password-stdin', host], secret);
const trust = (host: string): void => writeEtc(peer, `docker/certs.d/${host}/ca.crt`, authorityOf(world));
const given = (): GivenToken[] => {
  const log = join(tokenFolder, 'requests.log');
  const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  return lines.map((line) => JSON.parse(line) as GivenToken);
};

test('without the authority, and with a wrong one, nothing is sent; with it in certs.d it works without a restart', async () => {
  const other = makeAuthority(folder, 'other');
  const unknown = /tls: failed to verify certificate: x509: certificate signed by unknown authority/;
  for (const client of clients) {
    await refused(client, ['pull', `${password}/any/thing`], unknown);
    const secret = ['login', '-u', 'ali', '--password-stdin', password];
    await refused(client, secret, unknown, 'sesame');
    writeEtc(peer, `docker/certs.d/${password}/ca.crt`, readFileSync(other.certificate, 'utf8'));
    await refused(client, secret, unknown, 'sesame');
    trust(password);
    await login(client, password);
    removeEtc(peer, `docker/certs.d/${password}`);
  }
  // The certificate is for the name, not for whatever leads there.
  writeEtc(peer, 'hosts', `${hostsFile}${world.address} other.test\n`);
  writeEtc(peer, `docker/certs.d/other.test:${ports.password}/ca.crt`, authorityOf(world));
  const name = `other.test:${ports.password}/any/thing`;
  await refused('docker', ['pull', name], /x509: certificate is valid for registry\.test, not other\.test/);
  trust(password);
  trust(token);
});

test('what cannot be reached is told in docker’s words', async () => {
  const plain = await world.registry(ports.plain);
  const cases: readonly (readonly [string, RegExp])[] = [
    [plain.host, /: http: server gave HTTP response to HTTPS client$/],
    [`${registryName}:5999`, new RegExp(`: dial tcp ${world.address}:5999: connect: connection refused$`)],
    ['nowhere.test:5000', /: dial tcp: lookup nowhere\.test: /],
  ];
  for (const [host, words] of cases) {
    const image = `${host}/team/app`;
    await ok('docker', ['tag', 'busybox', image]);
    for (const args of [
      ['pull', image],
      ['pull', '-a', image],
      ['push', image],
      ['login', '-u', 'ali', '-p', 'x', host],
    ]) {
      const outcome = await run('docker', args);
      assert.equal(outcome.code, 1);
      const told =
        outcome.stderr.trim().split('\n').at(-1)?.replace('Error response from daemon: ', '') ?? '';
      assert.ok(told.startsWith(`Get "https://${host}/v2/": `), told);
      assert.match(told, words);
    }
    await ok('docker', ['rmi', image]);
  }
});

for (const client of clients) {
  test(`${client}: TLS and a password: login, push, pull, pull -a, a mounted layer, logout`, async () => {
    const [app, copy] = [`${password}/team/${client}`, `${password}/copies/${client}`];
    await ok(client, ['logout', password]);
    await ok(client, ['tag', 'busybox', `${app}:v1`]);
    await refused(client, ['push', `${app}:v1`], /^no basic auth credentials/);
    await refused(
      client,
      ['login', '-u', 'ali', '--password-stdin', password],
      new RegExp(`login attempt to https://${password}/v2/ failed with status: 401 Unauthorized`),
      'wrong',
    );
    await login(client, password);
    const digest = /digest: (sha256:\w+)/.exec(await ok(client, ['push', `${app}:v1`]))?.[1];
    await ok(client, ['tag', `${app}:v1`, `${app}:v2`]);
    await ok(client, ['push', '-a', app]);
    await ok(client, ['tag', `${app}:v1`, `${copy}:v1`]);
    assert.match(await ok(client, ['push', `${copy}:v1`]), new RegExp(`Mounted from team/${client}`));
    await ok(client, ['rmi', `${app}:v1`, `${app}:v2`, `${copy}:v1`]);
    const pulled = await ok(client, ['pull', '-a', app]);
    assert.equal(pulled.match(/Digest: sha256:\w+/g)?.length, 2);
    assert.ok(pulled.includes(`Digest: ${digest}`));
    await ok(client, ['rmi', `${app}:v1`, `${app}:v2`]);
    await ok(client, ['logout', password]);
    await refused(
      client,
      ['pull', `${app}:v1`],
      /Head "https:\/\/.*\/manifests\/v1": no basic auth credentials/,
    );
  });

  test(`${client}: tokens: login keeps no password, push, pull, pull -a, a mounted layer, logout`, async () => {
    const [app, copy] = [`${token}/team/${client}`, `${token}/copies/${client}`];
    const before = given().length;
    await refused(
      client,
      ['login', '-u', 'ali', '--password-stdin', token],
      /unauthorized: incorrect username or password/,
      'wrong',
    );
    await login(client, token);
    const config = JSON.parse(readFileSync(join(folder, `config-${client}/config.json`), 'utf8')) as {
      auths: Record<string, { auth: string; identitytoken?: string }>;
    };
    assert.equal(config.auths[token]?.identitytoken, refreshTokenOf('ali'));
    assert.ok(!Buffer.from(config.auths[token]?.auth ?? '', 'base64').includes('sesame'));
    await ok(client, ['tag', 'busybox', `${app}:v1`]);
    await ok(client, ['tag', 'busybox', `${copy}:v1`]);
    const digest = /digest: (sha256:\w+)/.exec(await ok(client, ['push', `${app}:v1`]))?.[1];
    assert.match(await ok(client, ['push', `${copy}:v1`]), new RegExp(`Mounted from team/${client}`));
    await ok(client, ['rmi', `${app}:v1`, `${copy}:v1`]);
    const pulled = await ok(client, ['pull', '-a', app]);
    assert.ok(pulled.includes(`Digest: ${digest}`));
    const since = given().slice(before);
    assert.ok(since.some((each) => each.offline && each.grant === 'password'));
    assert.ok(since.some((each) => each.grant === 'refresh' && each.account === 'ali'));
    assert.ok(
      since.some(({ scopes }) =>
        [`repository:team/${client}:pull`, `repository:copies/${client}:pull,push`].every((scope) =>
          scopes.includes(scope),
        ),
      ),
      'one token for the mount’s both repositories',
    );
    await ok(client, ['rmi', `${app}:v1`]);
    await ok(client, ['logout', token]);
    await refused(
      client,
      ['pull', `${app}:v1`],
      /pull access denied for .*, repository does not exist or may require 'docker login': denied: requested access to the resource is denied/,
    );
  });
}

test('anybody pulls what is public, and pushes nothing', async () => {
  const image = `${token}/public/app:v1`;
  const other = `${token}/public/app:other`;
  await login('slipway', token);
  await ok('slipway', ['tag', 'busybox', image]);
  await ok('slipway', ['push', image]);
  await ok('slipway', ['logout', token]);
  await ok('slipway', ['rmi', image]);
  for (const client of clients) {
    await ok(client, ['pull', image]);
    await ok(client, ['tag', image, other]);
    // Also what is there already, where nothing would have to be sent.
    for (const each of [image, other])
      await refused(client, ['push', each], /^denied: requested access to the resource is denied/);
    await ok(client, ['rmi', image, other]);
  }
});

test('a token that ends before its time is fetched anew in the middle of things', async () => {
  await login('slipway', token, 'bea', 'open');
  const app = `${token}/team/short`;
  // The registry grants a minute more than the token says.
  writeFileSync(join(tokenFolder, 'life'), '-58');
  try {
    await ok('slipway', ['tag', 'busybox', `${app}:v1`]);
    await ok('slipway', ['push', `${app}:v1`]);
    await ok('slipway', ['pull', `${app}:v1`]);
    const used = given().at(-1)?.token ?? '';
    const url = `https://${registryName}:${ports.token}/v2/team/short/manifests/v1`;
    const ask = [
      'curl',
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '--cacert',
      world.authority.certificate,
    ];
    const resolve = ['--resolve', `${registryName}:${ports.token}:${world.address}`];
    await eventually('the token has ended', async () => {
      const { stdout } = await peer.execInside([
        ...ask,
        ...resolve,
        '-H',
        `Authorization: Bearer ${used}`,
        url,
      ]);
      return stdout === '401' ? true : undefined;
    });
    const before = given().length;
    await ok('slipway', ['pull', `${app}:v1`]);
    const since = given().slice(before);
    assert.ok(since.length > 0);
    assert.deepEqual(
      since.map(({ grant, account }) => [grant, account]),
      since.map(() => ['refresh', 'bea']),
    );
  } finally {
    rmSync(join(tokenFolder, 'life'));
  }
});
