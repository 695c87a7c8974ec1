// timeout: 300
/** A private registry with a password, driven by both clients: login, push, pull back, logout; lists of platforms; copies; skopeo reads what was pushed. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startRegistry, type TestRegistry } from '../helpers/images/registry.ts';
import { clients, runProgram, startEngine, type Client, type Engine, type Outcome } from './engine.ts';

/** bcrypt of `sesame`. */
const htpasswd = 'ali:$2y$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O\n';

let folder: string;
let registry: TestRegistry;
let open: TestRegistry;
let engine: Engine;

before(async () => {
  folder = mkdtempSync('/tmp/slip-regs-');
  writeFileSync(join(folder, 'htpasswd'), htpasswd);
  registry = await startRegistry({ folder: join(folder, 'private'), htpasswd: join(folder, 'htpasswd') });
  open = await startRegistry({ folder: join(folder, 'open') });
  engine = await startEngine();
});
after(async () => {
  await engine.close();
  await registry.stop();
  await open.stop();
  rmSync(folder, { recursive: true, force: true });
});

const configOf = (client: Client): string => join(folder, `config-${client}`);
const run = (client: Client, args: readonly string[], input?: string): Promise<Outcome> =>
  engine.run(client, ['--config', configOf(client), ...args], input);
async function ok(client: Client, args: readonly string[], input?: string): Promise<string> {
  const outcome = await run(client, args, input);
  assert.equal(outcome.code, 0, `${client} ${args.join(' ')}\n${outcome.stdout}${outcome.stderr}`);
  return outcome.stdout.trim();
}

for (const client of clients) {
  test(`${client}: login, push, remove, pull back the same digest, logout`, async () => {
    const image = `${registry.host}/user/${client}:v1`;
    await ok(client, ['tag', 'busybox', image]);
    const refused = await run(client, ['push', image]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /no basic auth credentials|authentication required|unauthorized/);
    const wrong = await run(client, ['login', '-u', 'ali', '--password-stdin', registry.host], 'wrong');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /401 Unauthorized/);
    const told = await ok(client, ['login', '-u', 'ali', '--password-stdin', registry.host], 'sesame\n');
    assert.match(told, /Login Succeeded/);
    const file = join(configOf(client), 'config.json');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const pushed = /digest: (sha256:\w+)/.exec(await ok(client, ['push', image]))?.[1];
    await ok(client, ['rmi', image]);
    const pulled = /Digest: (sha256:\w+)/.exec(await ok(client, ['pull', image]))?.[1];
    assert.equal(pulled, pushed);
    await ok(client, ['logout', registry.host]);
    assert.ok(!readFileSync(file, 'utf8').includes(registry.host));
    const after = await run(client, ['pull', image]);
    assert.equal(after.code, 1);
    assert.match(after.stderr, /pull access denied|no basic auth credentials|unauthorized/);
    await ok(client, ['rmi', image]);
  });
}

test('a login to an address that is none goes nowhere, and one with the stored password is told as that', async () => {
  const none = await run('slipway', ['login', '-u', 'ali', '--password-stdin', 'http://'], 'sesame');
  assert.deepEqual([none.code, none.stderr.trim()], [1, 'unable to parse server address: "http://"']);
  const first = await run('slipway', ['login', '-u', 'ali', '--password-stdin', registry.host], 'sesame');
  assert.match(first.stderr, /^\nWARNING! Your credentials are stored unencrypted in /);
  const again = await run('slipway', ['login', registry.host]);
  assert.match(again.stderr, /^Authenticating with existing credentials... \[Username: ali\]\n/);
  assert.ok(!again.stderr.includes('WARNING!'), again.stderr);
  assert.equal(again.stdout, 'Login Succeeded\n');
  await ok('slipway', ['logout', registry.host]);
});

test('a tag beside a digest does not count: the digest decides, and no tag is set', async () => {
  const [good, other] = [`${open.host}/pinned/app:good`, `${open.host}/pinned/app:other`];
  await ok('slipway', ['tag', 'busybox', good]);
  const digest = /digest: (sha256:\w+)/.exec(await ok('slipway', ['push', good]))?.[1] ?? '';
  await ok('slipway', ['rmi', good]);
  for (const client of clients) {
    await ok(client, ['pull', `${other}@${digest}`]);
    const tags = await ok(client, [
      'images',
      '--digests',
      '--format',
      '{{.Repository}}:{{.Tag}} {{.Digest}}',
      `${open.host}/pinned/app`,
    ]);
    assert.equal(tags, `${open.host}/pinned/app:<none> ${digest}`);
    const missing = await run(client, ['pull', `${good}@sha256:${'0'.repeat(64)}`]);
    assert.match(missing.stderr, /not found|manifest unknown/);
    const pushed = await run(client, ['push', `${other}@${digest}`]);
    assert.deepEqual([pushed.code, pushed.stderr.trim()], [1, 'cannot push a digest reference']);
    await ok(client, ['rmi', `${open.host}/pinned/app@${digest}`]);
  }
});

test('manifest: a list is made, annotated, pushed, and taken for what it is by skopeo and by pull', async () => {
  const list = `${open.host}/multi/app:v1`;
  for (const arch of ['amd64', 'other']) {
    await ok('slipway', ['tag', 'busybox', `${open.host}/multi/${arch}:v1`]);
    await ok('slipway', ['push', '-q', `${open.host}/multi/${arch}:v1`]);
  }
  const sources = ['amd64', 'other'].map((arch) => `${open.host}/multi/${arch}:v1`);
  assert.equal(
    await ok('slipway', ['manifest', 'create', list, ...sources]),
    `Created manifest list ${list}`,
  );
  const again = await run('slipway', ['manifest', 'create', list, ...sources]);
  assert.match(again.stderr, /refusing to amend an existing manifest list with no --amend flag/);
  await ok('slipway', ['manifest', 'annotate', list, sources[1] ?? '', '--arch', 'arm64', '--variant', 'v8']);
  const unknown = await run('slipway', ['manifest', 'annotate', list, 'nobody/nothing', '--arch', 'arm64']);
  assert.match(unknown.stderr, /manifest for image nobody\/nothing does not exist in /);
  const odd = await run('slipway', ['manifest', 'annotate', list, sources[1] ?? '', '--arch', 'pdp11']);
  assert.match(odd.stderr, /^manifest entry for image has unsupported os\/arch combination: linux\/pdp11/);
  const none = await run('slipway', ['manifest', 'push', `${open.host}/multi/none:v1`]);
  assert.equal(none.stderr.trim(), `No such manifest: ${open.host}/multi/none:v1`);
  const told = (await ok('slipway', ['manifest', 'push', '--purge', list])).split('\n');
  const digest = told.pop() ?? '';
  assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  const [one] = told;
  assert.match(one ?? '', /^Pushed ref \S+\/multi\/app@(sha256:[0-9a-f]{64}) with digest: \1$/);
  assert.equal(told.length, 2);
  const seen = JSON.parse(await ok('slipway', ['manifest', 'inspect', list])) as {
    manifests: { platform: { architecture: string; variant?: string } }[];
  };
  assert.deepEqual(
    seen.manifests.map(({ platform }) => `${platform.architecture}${platform.variant ?? ''}`),
    ['amd64', 'arm64v8'],
  );
  const verbose = JSON.parse(await ok('slipway', ['manifest', 'inspect', '-v', list])) as {
    Ref: string;
    Descriptor: { digest: string; platform: { architecture: string } };
  }[];
  assert.deepEqual(
    verbose.map(({ Ref, Descriptor }) => [
      Ref.split('@')[1] === Descriptor.digest,
      Descriptor.platform.architecture,
    ]),
    [
      [true, 'amd64'],
      [true, 'arm64'],
    ],
  );
  const raw = await runProgram('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${list}`]);
  assert.deepEqual(JSON.parse(raw.stdout), seen);
  await ok('slipway', ['pull', list]);
  await ok('slipway', ['manifest', 'create', list, sources[0] ?? '']);
  await ok('slipway', ['manifest', 'rm', list]);
  assert.match((await run('slipway', ['manifest', 'rm', list])).stderr, /No such manifest/);
});

test('image copy: from registry to registry with the same digest, and nothing is stored here', async () => {
  const source = `${open.host}/multi/app:v1`;
  const target = `${registry.host}/mirror/app:v2`;
  const refused = await run('slipway', ['image', 'copy', source, target]);
  assert.equal(refused.code, 1);
  await ok('slipway', ['login', '-u', 'ali', '--password-stdin', registry.host], 'sesame');
  const before = await ok('slipway', ['images', '-aq']);
  const digest = await ok('slipway', ['image', 'copy', '-q', source, target]);
  assert.equal(await ok('slipway', ['images', '-aq']), before);
  const copied = await runProgram('skopeo', [
    'inspect',
    '--tls-verify=false',
    '--creds',
    'ali:sesame',
    '--format',
    '{{.Digest}}',
    `docker://${target}`,
  ]);
  assert.equal(copied.stdout.trim(), digest, copied.stderr);
  const info = await ok('slipway', ['manifest', 'inspect', target]);
  assert.match(info, /arm64/);
  const one = await ok('slipway', [
    'image',
    'copy',
    '-q',
    '--platform',
    'linux/arm64',
    source,
    `${open.host}/one/app:v1`,
  ]);
  assert.notEqual(one, digest);
});

test('skopeo copies what slipway pushed, and slipway pulls what skopeo pushed', async () => {
  const pushed = `${open.host}/multi/amd64:v1`;
  const layout = join(folder, 'layout');
  const out = await runProgram('skopeo', [
    'copy',
    '--src-tls-verify=false',
    `docker://${pushed}`,
    `oci:${layout}:v1`,
  ]);
  assert.equal(out.code, 0, out.stderr);
  const back = `${open.host}/from/skopeo:v1`;
  const put = await runProgram('skopeo', [
    'copy',
    '--dest-tls-verify=false',
    `oci:${layout}:v1`,
    `docker://${back}`,
  ]);
  assert.equal(put.code, 0, put.stderr);
  await ok('slipway', ['pull', back]);
  assert.equal(await ok('slipway', ['run', '--rm', back, 'echo', 'works']), 'works');
});

test('search asks the index of a registry, with docker’s table and filters', async () => {
  const asked: string[] = [];
  const index = createServer((message, answer) => {
    asked.push(message.url ?? '');
    if (!(message.url ?? '').startsWith('/v1/search')) answer.writeHead(404).end();
    else
      answer.end(
        JSON.stringify({
          results: [
            { name: 'box', description: 'the box', star_count: 70, is_official: true },
            { name: 'team/box', description: 'a box', star_count: 3, is_official: false },
          ],
        }),
      );
  }).listen(0, '127.0.0.1');
  await once(index, 'listening');
  const host = `127.0.0.1:${(index.address() as AddressInfo).port}`;
  try {
    for (const client of clients) {
      const table = await ok(client, ['search', '--limit', '5', `${host}/box`]);
      assert.match(
        table,
        /^NAME +DESCRIPTION +STARS +OFFICIAL\nbox +the box +70 +\[OK\]\nteam\/box +a box +3/,
      );
      assert.equal(asked.at(-1), '/v1/search?q=box&n=5');
      assert.equal(
        await ok(client, ['search', '--filter', 'stars=10', '--format', '{{.Name}}', `${host}/box`]),
        'box',
      );
      const bad = await run(client, ['search', '--limit', '101', `${host}/box`]);
      assert.match(bad.stderr, /limit 101 is outside the range of \[1, 100\]/);
    }
  } finally {
    index.closeAllConnections();
    index.close();
  }
});
