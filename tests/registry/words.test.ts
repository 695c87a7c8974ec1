// timeout: 300
/** What both engines say, side by side, when a registry refuses or cannot be reached: the docker CLI shows the same. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { HttpClient } from '../../bench/http.ts';
import { startDockerd } from '../peers/dockerd.ts';
import type { Peer } from '../peers/process.ts';
import {
  authorityOf,
  hostsFile,
  openRegistryWorld,
  registryName,
  type RegistryWorld,
} from '../peers/registry-world.ts';
import { startSlipwayd } from '../peers/slipwayd.ts';
import { busyboxArchive, runProgram, type Outcome } from '../scenarios/engine.ts';

/** bcrypt of `sesame`. */
const htpasswd = 'ali:$2y$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O\n';
const hosts = {
  password: `${registryName}:5001`,
  token: `${registryName}:5002`,
  plain: `${registryName}:5004`,
  unknownAuthority: `${registryName}:5005`,
  otherName: 'other.test:5001',
  nobody: `${registryName}:5999`,
} as const;

let folder: string;
let world: RegistryWorld;
let engines: readonly (readonly [string, Peer])[];

before(async () => {
  folder = mkdtempSync('/tmp/slip-words-');
  world = await openRegistryWorld();
  writeFileSync(join(world.folder, 'htpasswd'), htpasswd);
  const { servers: tls } = world;
  await world.registry(5001, { tls, htpasswd: join(world.folder, 'htpasswd') });
  await world.tokens(5003, { ali: 'sesame' });
  const realm = `https://${registryName}:5003/token`;
  const roots = world.authority.certificate;
  await world.registry(5002, { tls, token: { realm, issuer: 'issuer.test', roots } });
  await world.registry(5004);
  await world.registry(5005, { tls });
  const certificate = authorityOf(world);
  const etc = {
    hosts: `${hostsFile}${world.address} other.test\n`,
    ...Object.fromEntries(
      [hosts.password, hosts.token, hosts.otherName].map((host) => [
        `docker/certs.d/${host}/ca.crt`,
        certificate,
      ]),
    ),
  };
  const common = { networkOf: world.pid, etc };
  const id = process.pid % 1000;
  const ours = await startSlipwayd({ ...common, folder: join(folder, 'ours'), name: `slip-wo${id}` });
  const args = ['--bridge=none', '--iptables=false'];
  const theirs = await startDockerd(
    { ...common, folder: join(folder, 'theirs'), name: `slip-wd${id}`, args },
    '26.1',
  );
  engines = [
    ['dockerd', theirs],
    ['slipwayd', ours],
  ];
  for (const [name] of engines) await run(name, ['load', '-i', await busyboxArchive()]);
});
after(async () => {
  for (const [, peer] of engines ?? []) await peer.stop();
  await world?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function run(name: string, args: readonly string[], input?: string): Promise<Outcome> {
  const peer = engines.find(([each]) => each === name)?.[1];
  const client = ['-H', `unix://${peer?.socket}`, '--config', join(folder, `config-${name}`)];
  return await runProgram('docker', [...client, ...args], input);
}

/** Runs it on both; they must end alike and say the same at last. */
async function same(line: string, input?: string): Promise<string> {
  const told: Record<string, string> = {};
  for (const [name] of engines) {
    const { code, stderr } = await run(name, line.split(' '), input);
    told[name] = `${code} ${stderr.trim().split('\n').at(-1)?.replace('Error response from daemon: ', '')}`;
  }
  assert.equal(told['slipwayd'], told['dockerd'], line);
  return told['slipwayd'] ?? '';
}
const both = async (line: string, input?: string): Promise<void> => {
  for (const [name] of engines) assert.equal((await run(name, line.split(' '), input)).code, 0, line);
};

for (const key of ['plain', 'unknownAuthority', 'otherName', 'nobody'] as const)
  test(`${key}: pull, push and login fail with the same words`, async () => {
    const image = `${hosts[key]}/team/app:v1`;
    await both(`tag busybox ${image}`);
    const words = [
      await same(`pull ${image}`),
      await same(`push ${image}`),
      await same(`pull -a ${hosts[key]}/team/app`),
      await same(`login -u ali --password-stdin ${hosts[key]}`, 'sesame'),
    ];
    for (const each of words) assert.ok(each.startsWith(`1 Get "https://${hosts[key]}/v2/": `), each);
  });

for (const key of ['password', 'token'] as const)
  test(`${key}: without a name, with one, and what is not there`, async () => {
    const host = hosts[key];
    const image = `${host}/team/app:v1`;
    await both(`tag busybox ${image}`);
    await same(`pull ${image}`);
    await same(`push ${image}`);
    if (key === 'password') await same(`login -u ali --password-stdin ${host}`, 'wrong');
    await both(`login -u ali --password-stdin ${host}`, 'sesame');
    await both(`push ${image}`);
    await same(`pull ${host}/team/none`);
    await same(`pull -a ${host}/team/none`);
    await same(`pull ${host}/team/app:none`);
    await same(`pull ${host}/team/app@sha256:${'0'.repeat(64)}`);
    await same(`push ${host}/team/gone:v1`);
    await same(`push -a ${host}/team/gone`);
    await both(`logout ${host}`);
  });

test('pull and push tell the same from their first line to the last', async () => {
  const host = hosts.password;
  const name = `${host}/lines/app`;
  await both(`tag busybox ${name}:v1`);
  await both(`tag busybox ${name}:v2`);
  await both(`login -u ali --password-stdin ${host}`, 'sesame');
  for (const tag of ['v1', 'v2']) assert.equal((await run('dockerd', ['push', `${name}:${tag}`])).code, 0);
  const digest = await digestOf(`${name}:v1`);
  await both(`rmi ${name}:v1 ${name}:v2`);
  const lines = [
    // A new name for what is here.
    `pull ${name}:v1`,
    `pull ${name}:v1`,
    `pull -q ${name}:v1`,
    `pull ${name}@${digest}`,
    `pull ${name}:v2@${digest}`,
    `pull -a ${name}`,
    `pull -a ${name}`,
    `pull --platform linux/amd64 ${name}:v1`,
    `pull --platform zz ${name}:v1`,
    `pull --platform a/b/c/d ${name}:v1`,
    `pull scratch`,
    `push ${name}:none`,
    `push ${name}`,
    `push ${host}/lines/none:v1`,
  ];
  for (const line of lines) {
    const [theirs, ours] = [await run('dockerd', line.split(' ')), await run('slipwayd', line.split(' '))];
    assert.deepEqual(ours, theirs, line);
  }
  // Of another platform: refused, in the words of later versions, by its whole name and variant.
  const foreign = await run('slipwayd', ['pull', '--platform', 'linux/arm/v7', `${name}:v1`]);
  assert.equal(
    foreign.stderr.trim(),
    `image with reference ${name}:v1 was found but its platform (linux/amd64) does not match the specified platform (linux/arm/v7)`,
  );
  const system = await run('slipwayd', ['pull', '--platform', 'windows/amd64', `${name}:v1`]);
  assert.equal(system.code, 1, system.stdout);
  await both(`rmi ${name}:v1 ${name}:v2`);
  await both(`logout ${host}`);
});

async function digestOf(name: string): Promise<string> {
  const { stdout } = await run('dockerd', ['inspect', '--format', '{{index .RepoDigests 0}}', name]);
  return stdout.trim().split('@')[1] ?? '';
}

test('a push of a digest is refused', async () => {
  await both(`tag busybox ${hosts.password}/x`);
  const login = { username: 'ali', password: 'sesame', serveraddress: hosts.password };
  const told: string[] = [];
  for (const [, peer] of engines) {
    const http = new HttpClient(peer.socket);
    const path = `/v1.41/images/${hosts.password}/x@sha256:${'0'.repeat(64)}/push`;
    const { body } = await http.request('POST', path, undefined, undefined, {
      'X-Registry-Auth': Buffer.from(JSON.stringify(login)).toString('base64url'),
    });
    http.close();
    told.push(body.trim().split('\r\n').at(-1) ?? '');
  }
  assert.match(told[1] ?? '', /"error":"cannot push a digest reference"/);
  assert.deepEqual(JSON.parse(told[1] ?? ''), JSON.parse(told[0] ?? ''));
});
