import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { createServer, type RequestListener, type Server } from 'node:http';
import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createRegistry } from '../../src/registry/index.ts';
import type { ImageProgress } from '../../src/services/images/index.ts';
import { startRegistry, type TestRegistry } from '../helpers/images/registry.ts';
import { ctx, openEngine, stateOf, tarOf, type Engine } from './engine.ts';

const none = (): void => {};
let folder: string;
let registry: TestRegistry;
let engine: Engine;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slip-registry-'));
  registry = await startRegistry({ folder: join(folder, 'registry') });
  const author = await openEngine();
  try {
    const layer = (text: string): Readable =>
      Readable.from([tarOf([{ name: text, text: text.repeat(50_000) }])], { objectMode: false });
    const first = await author.images.import(
      ctx,
      { source: layer('one'), repository: `${registry.host}/team/app`, tag: 'v1' },
      none,
    );
    await author.images.commit(ctx, {
      layer: layer('two'),
      baseImageId: first.id,
      config: { Cmd: ['two'] },
      createdBy: 'test',
      repository: `${registry.host}/team/app`,
    });
    await author.images.push(ctx, { reference: `${registry.host}/team/app`, allTags: true }, none);
  } finally {
    await author.close();
  }
});
after(async () => {
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  engine = await openEngine();
});
afterEach(() => engine.close());

/** Stands before the real registry and may do harm; `harm` returns true when it has answered itself. */
async function startProxy(
  harm: (...args: Parameters<RequestListener>) => boolean,
): Promise<{ host: string; server: Server }> {
  const server = createServer((message, answer) => {
    if (harm(message, answer)) return;
    const target = request(
      `http://${registry.host}${message.url ?? ''}`,
      { method: message.method, headers: { ...message.headers, host: registry.host } },
      (reply) => {
        answer.writeHead(reply.statusCode ?? 500, reply.headers);
        reply.pipe(answer);
      },
    );
    message.pipe(target);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

function stopProxy(server: Server): void {
  server.closeAllConnections();
  server.close();
}

test('push and pull: the same digest, progress in the words of Docker, nothing twice', async () => {
  const said: ImageProgress[] = [];
  const reference = `${registry.host}/team/app:latest`;
  const record = await engine.images.pull(ctx, { reference }, (message) => said.push(message));
  const lines = said.map((message) => message.status);
  assert.equal(lines[0], 'Pulling from team/app');
  assert.equal(said[0]?.id, 'latest');
  for (const status of [
    'Pulling fs layer',
    'Downloading',
    'Verifying Checksum',
    'Download complete',
    'Extracting',
    'Pull complete',
  ])
    assert.equal(
      new Set(said.filter((message) => message.status === status).map((message) => message.id)).size,
      2,
      status,
    );
  assert.equal(lines.at(-1), `Status: Downloaded newer image for ${reference}`);
  const digest = record.repoDigests[0]?.split('@')[1] ?? '';
  assert.equal(lines.at(-2), `Digest: ${digest}`);
  assert.deepEqual(record.tags, [reference]);
  assert.deepEqual(record.config.config?.Cmd, ['two']);

  const again: ImageProgress[] = [];
  await engine.images.pull(ctx, { reference: `${registry.host}/team/app` }, (message) => again.push(message));
  // What is here in full is told in three lines, as dockerd has it.
  assert.deepEqual(
    again.map(({ status }) => status),
    ['Pulling from team/app', `Digest: ${digest}`, `Status: Image is up to date for ${reference}`],
  );

  const pinned = await engine.images.pull(ctx, { reference: `${registry.host}/team/app`, tag: digest }, none);
  assert.equal(pinned.id, record.id);
  assert.equal(engine.images.resolve(`${registry.host}/team/app@${digest}`).id, record.id);
  await engine.images.push(ctx, { reference: `${registry.host}/team/copy` }, none).then(
    () => assert.fail('there is no such tag'),
    (error: Error) => assert.match(error.message, /An image does not exist locally with the tag/),
  );
  await engine.images.tag(ctx, reference, { repository: `${registry.host}/team/copy`, tag: 'x' });
  const pushed: ImageProgress[] = [];
  await engine.images.push(ctx, { reference: `${registry.host}/team/copy:x` }, (message) =>
    pushed.push(message),
  );
  assert.equal(pushed.filter((message) => message.status === 'Mounted from team/app').length, 2);
  assert.equal((pushed.at(-1)?.aux as { Digest?: string } | undefined)?.Digest, digest);
});

test('all tags of a repository', async () => {
  await engine.images.pull(ctx, { reference: `${registry.host}/team/app`, allTags: true }, none);
  const tags = engine.images.resolve(`${registry.host}/team/app:v1`);
  assert.equal(tags.layers.length, 1);
  assert.equal((await engine.images.list({})).length, 2);
});

test('ten pulls at once load each layer once', async () => {
  let blobs = 0;
  const { host, server } = await startProxy((message) => {
    if (message.method === 'GET' && (message.url ?? '').includes('/blobs/')) blobs++;
    return false;
  });
  try {
    const pulls = Array.from({ length: 10 }, () =>
      engine.images.pull(ctx, { reference: `${host}/team/app` }, none),
    );
    const records = await Promise.all(pulls);
    assert.equal(new Set(records.map((record) => record.id)).size, 1);
    assert.equal(blobs, 3);
    assert.deepEqual(await engine.images.orphans(), { layers: [], blobs: [] });
  } finally {
    stopProxy(server);
  }
});

test('what is not there is named in the words of Docker', async () => {
  const pull = (reference: string): Promise<unknown> => engine.images.pull(ctx, { reference }, none);
  await assert.rejects(pull(`${registry.host}/team/app:nope`), {
    kind: 'notFound',
    message: `manifest for ${registry.host}/team/app:nope not found: manifest unknown: manifest unknown`,
  });
  await assert.rejects(pull(`${registry.host}/nope`), { kind: 'notFound' });
  await assert.rejects(pull('127.0.0.1:1/x'), { kind: 'unavailable', message: /connection refused/ });
  await assert.rejects(pull('Bad'), /must be lowercase/);
});

/** Each breaks the registry in its own way; the pull must fail with the words, and leave nothing. */
const harms: Record<
  string,
  { harm: (n: number, ...args: Parameters<RequestListener>) => boolean; words: RegExp }
> = {
  'a manifest of nonsense': {
    harm: (_n, message, answer) => {
      if (!(message.url ?? '').includes('/manifests/')) return false;
      answer.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end('<html>');
      return true;
    },
    words: /invalid JSON/,
  },
  'a manifest that is an index as well': {
    harm: (_n, message, answer) => {
      if (!(message.url ?? '').includes('/manifests/')) return false;
      answer.writeHead(200, {}).end('{"schemaVersion":2,"layers":[],"manifests":[]}');
      return true;
    },
    words: /both "layers" and "manifests"/,
  },
  'a layer of other content': {
    harm: (_n, message, answer) => {
      if (!(message.url ?? '').includes('/blobs/') || message.headers['range'] !== undefined) return false;
      answer.writeHead(200, {}).end('x');
      return true;
    },
    words: /unexpected|416|range/i,
  },
  'a layer without end': {
    harm: (_n, message, answer) => {
      if (!(message.url ?? '').includes('/blobs/')) return false;
      const timer = setInterval(() => answer.write(Buffer.alloc(1 << 16)), 1);
      answer.once('close', () => clearInterval(timer));
      return true;
    },
    words: /unexpected (size|digest)/,
  },
  'a connection that breaks at every layer': {
    harm: (_n, message, answer) => {
      if (!(message.url ?? '').includes('/blobs/')) return false;
      answer.writeHead(200, { 'content-length': '1000000' });
      answer.flushHeaders();
      message.socket.destroy();
      return true;
    },
    words: /failed after 5 attempts/,
  },
  'an error of the server': {
    harm: (_n, message, answer) => {
      if (!(message.url ?? '').includes('/blobs/')) return false;
      answer.writeHead(503).end('<html>busy</html>');
      return true;
    },
    words: /failed after 5 attempts: received unexpected HTTP status: 503/,
  },
};

for (const [what, { harm, words }] of Object.entries(harms)) {
  test(`a registry with ${what}: a clear error, and nothing is left`, async () => {
    let count = 0;
    const { host, server } = await startProxy((message, answer) => harm(count++, message, answer));
    const state = await stateOf(engine);
    try {
      await assert.rejects(engine.images.pull(ctx, { reference: `${host}/team/app` }, none), {
        message: words,
      });
      await engine.trash.idle();
      assert.deepEqual(await stateOf(engine), state);
    } finally {
      stopProxy(server);
    }
  });
}

test('a registry that stops half-way is asked for the rest', async () => {
  const ranges: string[] = [];
  const { host, server } = await startProxy((message, answer) => {
    if (!(message.url ?? '').includes('/blobs/')) return false;
    if (message.headers['range'] !== undefined) {
      ranges.push(message.headers['range']);
      return false;
    }
    request(`http://${registry.host}${message.url ?? ''}`, (reply) => {
      answer.writeHead(200, reply.headers);
      reply.once('data', (chunk: Buffer) => {
        reply.destroy();
        answer.write(chunk.subarray(0, 100), () => message.socket.destroy());
      });
    }).end();
    return true;
  });
  try {
    const record = await engine.images.pull(ctx, { reference: `${host}/team/app` }, none);
    assert.equal(record.layers.length, 2);
    assert.ok(ranges.length >= 3 && ranges.every((range) => range.startsWith('bytes=100-')), ranges.join());
  } finally {
    stopProxy(server);
  }
});

test('cancelling a pull leaves nothing, and does not disturb another one of the same image', async () => {
  const state = await stateOf(engine);
  const held: (() => void)[] = [];
  const { host, server } = await startProxy((message, answer) => {
    if (!(message.url ?? '').includes('/blobs/') || held.length >= 100) return false;
    answer.writeHead(200, { 'content-type': 'application/octet-stream' });
    held.push(() => answer.destroy());
    return true;
  });
  try {
    const stop = new AbortController();
    const pull = engine.images.pull({ ...ctx, signal: stop.signal }, { reference: `${host}/team/app` }, none);
    while (held.length === 0) await once(server, 'request');
    stop.abort();
    await assert.rejects(pull, /context canceled/);
    assert.deepEqual(await stateOf(engine), state);

    const other = new AbortController();
    const cancelled = engine.images.pull(
      { ...ctx, signal: other.signal },
      { reference: `${host}/team/app` },
      none,
    );
    const kept = engine.images.pull(ctx, { reference: `${host}/team/app` }, none);
    while (held.length === 1) await once(server, 'request');
    other.abort();
    await assert.rejects(cancelled, /context canceled/);
    const open = held.splice(0, held.length, ...Array.from({ length: 100 }, () => () => {}));
    for (const release of open) release();
    assert.equal((await kept).layers.length, 2);
  } finally {
    stopProxy(server);
  }
});

test('an index: the entry for the platform, and the words when there is none', async () => {
  const one = createRegistry();
  const repository = { domain: registry.host, path: 'team/app' };
  const { descriptor } = await one.manifest(ctx, repository, 'v1', undefined);
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      { ...descriptor, platform: { os: 'linux', architecture: 's390x' } },
      { ...descriptor, platform: { os: 'linux', architecture: 'amd64' } },
    ],
  };
  const push = (value: object): Promise<unknown> =>
    one.pushManifest(
      ctx,
      repository,
      'multi',
      index.mediaType,
      Buffer.from(JSON.stringify(value)),
      undefined,
    );
  await push(index);
  const record = await engine.images.pull(ctx, { reference: `${registry.host}/team/app:multi` }, none);
  assert.equal(record.manifest?.digest, descriptor.digest);
  assert.notEqual(record.index?.digest, descriptor.digest);
  const info = await engine.images.distribution(ctx, `${registry.host}/team/app:multi`, undefined);
  assert.deepEqual(
    info.platforms.map((platform) => platform.architecture),
    ['s390x', 'amd64'],
  );
  await push({ ...index, manifests: index.manifests.slice(0, 1) });
  await assert.rejects(
    engine.images.pull(ctx, { reference: `${registry.host}/team/app:multi` }, none),
    /no matching manifest for linux\/amd64 in the manifest list entries/,
  );
  await one.close();
});

test('a layer shows how far it is unpacked, never backwards and at last all of it', async () => {
  const name = 'team/steady';
  const layer = gzipSync(tarOf([{ name: 'steady', text: randomBytes(3 << 20).toString('latin1') }]), {
    level: 1,
  });
  const source = Readable.from([layer], { objectMode: false });
  await engine.images.import(ctx, { source, repository: `${registry.host}/${name}`, tag: 'v1' }, none);
  await engine.images.push(ctx, { reference: `${registry.host}/${name}:v1` }, none);
  const puller = await openEngine();
  try {
    const said: ImageProgress[] = [];
    await puller.images.pull(ctx, { reference: `${registry.host}/${name}:v1` }, (message) =>
      said.push(message),
    );
    const bytes = said.filter(({ status }) => status === 'Extracting').map((each) => each.progressDetail);
    assert.ok(bytes.length >= 2, `${bytes.length} messages`);
    assert.ok(bytes.every((each, at) => (each?.current ?? -1) >= (bytes[at - 1]?.current ?? 0)));
    assert.ok((bytes[0]?.current ?? 0) < layer.length);
    assert.deepEqual(bytes.at(-1), { current: layer.length, total: layer.length });
    assert.equal(
      said[said.findIndex(({ status }) => status === 'Extracting') - 1]?.status,
      'Download complete',
    );
  } finally {
    await puller.close();
  }
});
