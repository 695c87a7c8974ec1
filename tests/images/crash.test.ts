// timeout: 300
/** The daemon is killed in the middle of loads, imports, saves, pushes and removals: nothing half-made is listed, and a second try works. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startRegistry, type TestRegistry } from '../helpers/images/registry.ts';
import { startEngine, type Engine } from '../scenarios/engine.ts';
import { tarOf } from './engine.ts';
import { Layout } from './layouts.ts';

let engine: Engine;
let archive: Buffer;
let files: Buffer;
let registry: TestRegistry;
before(async () => {
  registry = await startRegistry({ folder: mkdtempSync('/tmp/slip-crash-registry-') });
  engine = await startEngine();
  const layout = new Layout();
  const random = (): string => randomBytes(300_000).toString('latin1');
  const images = ['one', 'two'].map((name) => ({
    entry: layout.image(
      'amd64',
      Array.from({ length: 8 }, (_, at) => ({ name: `${name}${at}`, text: random() })),
    ),
    name: `docker.io/crash/${name}:latest`,
  }));
  archive = layout.archive(images);
  files = tarOf([{ name: 'f', text: random() }]);
});
after(async () => {
  await engine?.close();
  await registry?.stop();
});

/** A request whose answer, or failure, does not matter: the daemon dies under it. */
function send(method: string, path: string, body?: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const client = request({ socketPath: engine.socket, method, path }, (answer) => {
      answer.on('error', () => resolve(0));
      answer.on('close', () => resolve(answer.statusCode ?? 0));
      answer.resume();
    });
    client.on('error', () => resolve(0));
    client.end(body);
  });
}

const load = (): Promise<number> => send('POST', '/images/load?quiet=1', archive);
const importOne = (): Promise<number> => send('POST', '/images/create?fromSrc=-&repo=crash/imported', files);

/** Under another tag each time, so that there is something to send. */
let pushes = 0;
async function push(): Promise<number> {
  const name = `${registry.host}/crash/pushed${++pushes}`;
  await send('POST', `/images/crash/one/tag?repo=${encodeURIComponent(name)}`);
  return await send('POST', `/images/${name}/push?tag=latest`);
}

/** A tag in the registry stands for an image that is there whole. */
async function assertPushed(): Promise<void> {
  const ask = async (path: string, method = 'GET'): Promise<Response> =>
    await fetch(`http://${registry.host}/v2/${path}`, {
      method,
      headers: {
        accept:
          'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json',
      },
    });
  for (let at = 1; at <= pushes; at++) {
    const answer = await ask(`crash/pushed${at}/manifests/latest`);
    if (answer.status !== 200) continue;
    const { config, layers } = (await answer.json()) as Record<string, { digest: string }> & {
      layers: { digest: string }[];
    };
    for (const blob of [config, ...layers])
      assert.equal((await ask(`crash/pushed${at}/blobs/${blob?.digest}`, 'HEAD')).status, 200);
  }
}

/** What one round does until it is cut off. */
const rounds: Record<string, () => Promise<unknown>> = {
  load,
  import: importOne,
  save: async () => {
    await load();
    await send('GET', '/images/get?names=crash/one&names=crash/two');
  },
  push: async () => {
    await load();
    await push();
  },
  remove: async () => {
    await load();
    await Promise.all(['one', 'two'].map((name) => send('DELETE', `/images/crash/${name}`)));
  },
  prune: async () => {
    await load();
    await importOne();
    await importOne();
    await send('POST', `/images/prune?filters=${encodeURIComponent('{"dangling":["false"]}')}`);
  },
};

const names = async (): Promise<string[]> =>
  (await engine.ok('slipway', ['images', '--format', '{{.Repository}}']))
    .split('\n')
    .filter((name) => name !== '');

/** All that is listed is whole, and nothing else is there. */
async function assertWhole(what: string): Promise<void> {
  const listed = await names();
  const pushed = Array.from({ length: pushes }, (_, at) => `${registry.host}/crash/pushed${at + 1}`);
  const known = [...pushed, 'busybox', 'crash/one', 'crash/two', 'crash/imported', '<none>'];
  assert.deepEqual(
    listed.filter((name) => !known.includes(name)),
    [],
    what,
  );
  for (const name of listed.filter((each) => each !== '<none>')) {
    const saved = await engine.run('slipway', ['save', '-o', join(engine.folder, 'saved.tar'), name]);
    assert.equal(saved.code, 0, `${what}: ${name}: ${saved.stderr}`);
  }
  const told = await engine.ok('slipway', ['image', 'gc', '--all', '--dry-run', '--format', 'json']);
  const { steps } = JSON.parse(told) as { steps: { what: string }[] };
  assert.deepEqual(
    steps.filter((step) => step.what === 'layer' || step.what === 'blob'),
    [],
    `${what}: leaks`,
  );
  const data = join(engine.folder, 'data');
  assert.deepEqual(readdirSync(join(data, 'content/ingest')), [], what);
  assert.deepEqual(readdirSync(join(data, 'overlay2/staging')), [], what);
}

for (const [name, round] of Object.entries(rounds)) {
  test(`killed during ${name}: whole images or none, and the next try works`, async () => {
    // From the first moments to past the end, as quick as this machine is now.
    const started = performance.now();
    await round();
    const whole = performance.now() - started;
    for (const share of [0.15, 0.5, 0.85]) {
      const work = round();
      await delay(whole * share * (0.7 + Math.random() * 0.6));
      await engine.kill();
      await work;
      await engine.start();
      await assertWhole(`${name} at ${share}`);
      await assertPushed();
    }
    assert.equal(await load(), 200);
    assert.equal(await importOne(), 200);
    if (name === 'push') {
      assert.equal(await push(), 200);
      await assertPushed();
      await engine.ok('slipway', ['rmi', '-f', 'crash/one', `${registry.host}/crash/pushed${pushes}`]);
      await engine.ok('slipway', ['pull', `${registry.host}/crash/pushed${pushes}`]);
      assert.equal(await load(), 200);
    }
    await assertWhole(`${name}, done again`);
    const listed = await names();
    for (const each of ['crash/one', 'crash/two', 'crash/imported']) assert.ok(listed.includes(each), each);
    const all = (await engine.ok('slipway', ['images', '-q', 'crash/*'])).split('\n');
    await engine.run('slipway', ['rmi', '-f', ...new Set(all)]);
  });
}
