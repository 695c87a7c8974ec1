/** Pushes of images for several platforms, of unchanged ones, of foreign layers; what was pulled goes out with the digests it came with. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createRegistry, type RegistryClient } from '../../src/registry/index.ts';
import type { ImageProgress } from '../../src/services/images/index.ts';
import { startRegistry, type TestRegistry } from '../helpers/images/registry.ts';
import { ctx, openEngine, tarOf, type Engine } from './engine.ts';

const none = (): void => {};
const ociIndex = 'application/vnd.oci.image.index.v1+json';
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const sha = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

let folder: string;
let registry: TestRegistry;
let client: RegistryClient;
let engine: Engine;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slip-push-'));
  registry = await startRegistry({ folder: join(folder, 'registry') });
  client = createRegistry();
});
after(async () => {
  await client.close();
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  engine = await openEngine();
});
afterEach(() => engine.close());

const repositoryOf = (path: string): { domain: string; path: string } => ({ domain: registry.host, path });

async function put(path: string, data: Buffer, mediaType: string): Promise<Descriptor> {
  const descriptor = { mediaType, digest: sha(data), size: data.length };
  const open = async (): Promise<Readable> => Readable.from([data], { objectMode: false });
  await client.pushBlob(ctx, repositoryOf(path), descriptor, { open }, undefined);
  return descriptor;
}

async function document(
  path: string,
  value: { readonly mediaType: string },
  tag?: string,
): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = sha(bytes);
  await client.pushManifest(ctx, repositoryOf(path), tag ?? digest, value.mediaType, bytes, undefined);
  return { mediaType: value.mediaType, digest, size: bytes.length };
}

async function image(path: string, architecture: string): Promise<Descriptor> {
  const plain = tarOf([{ name: architecture, text: randomBytes(20).toString('hex') }]);
  const layer = await put(path, gzipSync(plain), 'application/vnd.oci.image.layer.v1.tar+gzip');
  const config = Buffer.from(
    JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [sha(plain)] } }),
  );
  return document(path, {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: await put(path, config, 'application/vnd.oci.image.config.v1+json'),
    layers: [layer],
  } as { mediaType: string });
}

/** An index of two platforms, with an attestation for amd64, as BuildKit writes it. */
async function multi(path: string, architectures: readonly string[]): Promise<Descriptor> {
  const images = await Promise.all(architectures.map((each) => image(path, each)));
  const statement = await put(path, Buffer.from('{"_type":"statement"}'), 'application/vnd.in-toto+json');
  const attestation = await document(path, {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: await put(path, Buffer.from('{}'), 'application/vnd.oci.image.config.v1+json'),
    layers: [statement],
  } as { mediaType: string });
  const annotations = {
    'vnd.docker.reference.type': 'attestation-manifest',
    'vnd.docker.reference.digest': images[0]?.digest,
  };
  const unknown = { os: 'unknown', architecture: 'unknown' };
  const manifests = [
    ...images.map((each, at) => ({ ...each, platform: { os: 'linux', architecture: architectures[at] } })),
    { ...attestation, annotations, platform: unknown },
  ];
  return document(path, { schemaVersion: 2, mediaType: ociIndex, manifests } as { mediaType: string }, 'v1');
}

async function push(path: string, more: object = {}): Promise<ImageProgress[]> {
  const messages: ImageProgress[] = [];
  const input = { reference: `${registry.host}/${path}`, tag: 'v1', ...more };
  await engine.images.push(ctx, input, (message) => messages.push(message));
  return messages;
}

const digestAt = (path: string): Promise<string | undefined> =>
  client.manifestDigest(ctx, repositoryOf(path), 'v1', undefined);

test('an index whose images are all here goes out as it came, with its attestation', async () => {
  const index = await multi('from/whole', ['amd64', 'arm64']);
  const reference = `${registry.host}/from/whole:v1`;
  await engine.images.pull(ctx, { reference }, none);
  await engine.images.pull(ctx, { reference, platform: 'linux/arm64' }, none);
  await engine.images.tag(ctx, reference, { repository: `${registry.host}/to/whole`, tag: 'v1' });
  const arm = engine.images.resolve(reference, { os: 'linux', architecture: 'arm64' });
  assert.equal(arm.config.architecture, 'arm64');
  await engine.images.tag(ctx, arm.id, { repository: `${registry.host}/to/whole`, tag: 'v1' });
  const messages = await push('to/whole');
  assert.equal(await digestAt('to/whole'), index.digest);
  assert.deepEqual(
    messages.filter((message) => message.aux !== undefined).map((message) => message.aux),
    [{ Tag: 'v1', Digest: index.digest, Size: index.size }],
  );
});

test('of an index that is here in part the image for this host goes out, and docker’s note with it', async () => {
  const index = await multi('from/part', ['amd64', 'arm64']);
  const reference = `${registry.host}/from/part:v1`;
  const record = await engine.images.pull(ctx, { reference }, none);
  assert.equal(record.attached?.length, 1);
  await engine.images.tag(ctx, reference, { repository: `${registry.host}/to/part`, tag: 'v1' });
  const note = (await push('to/part')).at(-1)?.aux as {
    manifestPushedInsteadOfIndex: boolean;
    originalIndex: Descriptor;
    selectedManifest: Descriptor;
  };
  assert.equal(note.manifestPushedInsteadOfIndex, true);
  assert.equal(note.originalIndex.digest, index.digest);
  assert.equal(note.selectedManifest.digest, record.manifest?.digest);
  assert.equal(await digestAt('to/part'), record.manifest?.digest);
  assert.equal(engine.images.get(record.id)?.index?.digest, index.digest);
});

test('push --platform sends that platform’s manifest, and says so when it is not here', async () => {
  await multi('from/one', ['amd64', 'arm64']);
  const reference = `${registry.host}/from/one:v1`;
  const arm = await engine.images.pull(ctx, { reference, platform: 'linux/arm64' }, none);
  const messages = await push('from/one', { platform: { os: 'linux', architecture: 'arm64' } });
  assert.equal(await digestAt('from/one'), arm.manifest?.digest);
  assert.ok(!messages.some((message) => JSON.stringify(message).includes('InsteadOfIndex')));
  await assert.rejects(push('from/one', { platform: { os: 'linux', architecture: 's390x' } }), {
    kind: 'notFound',
    message: /does not provide the specified platform \(linux\/s390x\)/,
  });
});

/** Hands everything to the registry and notes what it was; with `refuses` it takes no writes. */
async function watched(): Promise<{
  readonly host: string;
  readonly asked: string[];
  refuses: number | undefined;
  readonly close: () => void;
}> {
  const asked: string[] = [];
  const proxy = createServer((message, answer) => {
    const path = message.url?.replace(/sha256:\w+/, 'DIGEST').replace(/uploads\/[\w-]+$/, 'uploads/ID');
    asked.push(`${message.method} ${path}`);
    const isRead = message.method === 'GET' || message.method === 'HEAD';
    if (!isRead && watching.refuses !== undefined) {
      answer.writeHead(watching.refuses).end();
      return;
    }
    const headers = { ...message.headers, host: registry.host };
    const target = request(
      `http://${registry.host}${message.url ?? ''}`,
      { method: message.method, headers },
      (reply) => {
        answer.writeHead(reply.statusCode ?? 500, reply.headers);
        reply.pipe(answer);
      },
    );
    message.pipe(target);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const watching: Awaited<ReturnType<typeof watched>> = {
    host: `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    asked,
    refuses: undefined,
    close: () => {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
  return watching;
}

test('an unchanged image costs two questions, however many layers it has; where its tag was moved, it is put back', async () => {
  await multi('from/same', ['amd64']);
  const { host, asked, close } = await watched();
  try {
    const reference = `${host}/from/same:v1`;
    await engine.images.pull(ctx, { reference }, none);
    asked.length = 0;
    await engine.images.push(ctx, { reference }, none);
    const questions = ['HEAD /v2/from/same/manifests/v1', 'PATCH /v2/from/same/blobs/uploads/ID'];
    assert.deepEqual(asked.splice(0).sort(), questions);

    const own = await digestAt('from/same');
    await document('from/same', { schemaVersion: 2, mediaType: ociIndex, manifests: [] } as never, 'v1');
    assert.notEqual(await digestAt('from/same'), own);
    await engine.images.push(ctx, { reference }, none);
    assert.deepEqual(asked.splice(0, 2).sort(), questions);
    assert.deepEqual(asked, ['HEAD /v2/from/same/manifests/DIGEST', 'PUT /v2/from/same/manifests/v1']);
    assert.equal(await digestAt('from/same'), own);
  } finally {
    close();
  }
});

test('who may not push is told so, also where the registry has all of it', async () => {
  const own = await image('from/closed', 'amd64');
  const bytes = (await client.manifest(ctx, repositoryOf('from/closed'), own.digest, undefined)).bytes;
  await client.pushManifest(ctx, repositoryOf('from/closed'), 'v1', ociManifest, bytes, undefined);
  const watching = await watched();
  try {
    const reference = `${watching.host}/from/closed:v1`;
    await engine.images.pull(ctx, { reference }, none);
    watching.asked.length = 0;
    watching.refuses = 403;
    await assert.rejects(engine.images.push(ctx, { reference }, none), {
      kind: 'forbidden',
      message: 'denied: requested access to the resource is denied',
    });
    // A registry that takes nothing just now.
    watching.refuses = 405;
    await assert.rejects(engine.images.push(ctx, { reference }, none), /405 Method Not Allowed/);
    assert.equal(watching.asked.filter((line) => line.startsWith('PUT ')).length, 2);
    watching.refuses = undefined;
    watching.asked.length = 0;
    await engine.images.push(ctx, { reference }, none);
    assert.ok(!watching.asked.some((line) => line.startsWith('PUT ')));
  } finally {
    watching.close();
  }
});

test('an unchanged image is found so without its blobs: nothing is packed anew', async () => {
  const own = await image('from/dropped', 'amd64');
  const { bytes } = await client.manifest(ctx, repositoryOf('from/dropped'), own.digest, undefined);
  await client.pushManifest(ctx, repositoryOf('from/dropped'), 'v1', ociManifest, bytes, undefined);
  const reference = `${registry.host}/from/dropped:v1`;
  const record = await engine.images.pull(ctx, { reference }, none);
  for (const layer of record.layers)
    if (layer.blob !== undefined) await engine.blobs.remove(layer.blob.digest);
  const aux = (await push('from/dropped')).at(-1)?.aux;
  assert.deepEqual(aux, { Tag: 'v1', Digest: own.digest, Size: own.size });
  assert.equal(await digestAt('from/dropped'), own.digest);
});
