/** Images of several platforms, and what is attached to them: loaded, listed, saved, removed. */

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { ctx, openEngine, type Engine } from './engine.ts';
import { Layout, multiPlatform, provenance, types } from './layouts.ts';

const none = (): void => {};
const stream = (data: Buffer): Readable => Readable.from([data], { objectMode: false });
const linux = (architecture: string): { os: string; architecture: string } => ({ os: 'linux', architecture });
const name = 'docker.io/library/app:v1';
let engine: Engine;
beforeEach(async () => {
  engine = await openEngine();
});
afterEach(() => engine.close());

const load = (data: Buffer, platforms: readonly string[] = []): Promise<unknown> =>
  engine.images.load(ctx, { source: stream(data), platforms: platforms.map(linux) }, none);

async function isClean(): Promise<void> {
  assert.deepEqual(await engine.images.orphans(), { layers: [], blobs: [] });
}

test('an index with two platforms is one row, and each platform is an image', async () => {
  const { layout, amd64, arm64, index } = multiPlatform();
  await load(layout.archive([{ entry: index, name }]));
  const [row, ...more] = await engine.images.list({ manifests: true });
  assert.equal(more.length, 0);
  assert.deepEqual([row?.id, row?.repoTags, row?.size], [amd64.id, ['app:v1'], 6 + 9]);
  assert.equal(row?.descriptor?.digest, index.digest);
  const shown = row?.manifests?.map(({ id, kind, available, image, attestationFor }) => [
    id === amd64.digest || id === arm64.digest ? 'image' : 'proof',
    kind,
    available,
    image?.platform.architecture ?? attestationFor,
    image?.unpacked,
  ]);
  assert.deepEqual(shown, [
    ['image', 'image', true, 'arm64', 9],
    ['image', 'image', true, 'amd64', 6],
    ['proof', 'attestation', true, amd64.digest, undefined],
    ['proof', 'attestation', true, arm64.digest, undefined],
  ]);
  assert.equal(engine.images.resolve('app:v1').id, amd64.id);
  assert.equal((await engine.images.inspect('app:v1', { platform: linux('arm64') })).record.id, arm64.id);
  const [entry] = await engine.images.history('app:v1', linux('arm64'));
  assert.equal(entry?.createdBy, 'made for arm64');
  await assert.rejects(engine.images.inspect('app:v1', { platform: linux('riscv64') }), {
    kind: 'notFound',
    message:
      'image with reference app:v1 was found but does not provide the specified platform (linux/riscv64)',
  });
  await assert.rejects(engine.images.inspect('app:v1', { platform: linux('amd64'), manifests: true }), {
    kind: 'invalid',
  });
  const { images, layersSize } = await engine.images.usage();
  assert.deepEqual([images.length, layersSize], [1, 15]);
  await isClean();
});

test('what was loaded is saved with the same digests, whole or one platform of it', async () => {
  const { layout, amd64, arm64, index } = multiPlatform();
  await load(layout.archive([{ entry: index, name }]));
  const whole = await buffer(await engine.images.save(ctx, ['app:v1']));
  const arm = await buffer(await engine.images.save(ctx, ['app:v1'], [linux('arm64')]));
  const before = (await engine.blobs.list()).map(({ digest }) => digest);
  const other = await openEngine();
  try {
    const records = await other.images.load(ctx, { source: stream(whole) }, none);
    assert.deepEqual(records.map(({ id }) => id).sort(), [amd64.id, arm64.id].sort());
    assert.deepEqual(new Set(records.map((record) => record.index?.digest)), new Set([index.digest]));
    assert.deepEqual(
      (await other.blobs.list()).map(({ digest }) => digest),
      before,
    );
    await other.images.remove(ctx, 'app:v1', {});
    assert.deepEqual(await other.blobs.list(), []);
    const [only, ...more] = await other.images.load(ctx, { source: stream(arm) }, none);
    assert.equal(more.length, 0);
    assert.deepEqual([only?.id, only?.manifest?.digest, only?.tags], [arm64.id, arm64.digest, [name]]);
  } finally {
    await other.close();
  }
});

test('of an archive only the platforms asked for are loaded; the index stays known', async () => {
  const { layout, arm64, index } = multiPlatform();
  const archive = layout.archive([{ entry: index, name }]);
  await load(archive, ['arm64']);
  const [row] = await engine.images.list({ manifests: true });
  assert.equal(row?.id, arm64.id);
  assert.deepEqual(
    row?.manifests?.map(({ available }) => available),
    [true, false, false, true],
  );
  await assert.rejects(load(archive, ['s390x']), { kind: 'notFound', message: /linux\/s390x/ });
  // The rest comes later, and joins.
  await load(archive, ['amd64']);
  assert.equal((await engine.images.list({})).length, 1);
  assert.equal(engine.images.resolve('app:v1').config.architecture, 'amd64');
  await isClean();
});

test('attestations: by platform and type, the statement when it is asked for', async () => {
  const { layout, index, arm64 } = multiPlatform();
  await load(layout.archive([{ entry: index, name }]));
  const [one, ...more] = await engine.images.attestations('app:v1', { platform: linux('arm64') });
  assert.equal(more.length, 0);
  assert.deepEqual(
    [one?.predicateType, one?.descriptor.mediaType, one?.statement],
    [provenance, types.statement, undefined],
  );
  const [full] = await engine.images.attestations('app:v1', { statement: true, types: [provenance] });
  assert.deepEqual(full?.statement?.['predicate'], { builder: linux('amd64') });
  assert.deepEqual(await engine.images.attestations('app:v1', { types: ['https://spdx.dev/Document'] }), []);
  await assert.rejects(engine.images.attestations('app:v1', { platform: linux('mips') }), {
    kind: 'notFound',
  });
  await engine.images.remove(ctx, arm64.id, {});
  await assert.rejects(engine.images.attestations('app:v1', { platform: linux('arm64') }), {
    kind: 'notFound',
  });
  await isClean();
});

test('a tag goes to all platforms, one platform can go alone, and the last takes all with it', async () => {
  const { layout, amd64, arm64, index } = multiPlatform();
  await load(layout.archive([{ entry: index, name }]));
  await engine.images.tag(ctx, 'app:v1', { repository: 'other', tag: 'x' });
  assert.deepEqual(
    [amd64.id, arm64.id].map((id) => engine.images.get(id)?.tags.length),
    [2, 2],
  );
  assert.deepEqual(await engine.images.remove(ctx, 'other:x', {}), [{ untagged: 'other:x' }]);
  const user = { id: 'c'.repeat(64), name: 'box', imageId: arm64.id, imageRef: 'app:v1', active: false };
  engine.used.push(user);
  await assert.rejects(engine.images.remove(ctx, 'app:v1', {}), {
    kind: 'conflict',
    message: /container cccccccccccc is using its referenced image/,
  });
  assert.deepEqual((await engine.images.prune(ctx, { dangling: ['false'] })).deleted, []);
  engine.used.pop();
  const gone = await engine.images.remove(ctx, 'app:v1', { platforms: [linux('amd64')] });
  assert.deepEqual(gone[0], { deleted: amd64.id });
  assert.deepEqual(engine.images.resolve('app:v1').id, arm64.id);
  await isClean();
  const rest = await engine.images.remove(ctx, 'app:v1', {});
  assert.deepEqual(rest.slice(0, 2), [{ untagged: 'app:v1' }, { deleted: arm64.id }]);
  assert.deepEqual(await engine.blobs.list(), []);
});

test('an id in the list stands for all platforms', async () => {
  const { layout, amd64, index } = multiPlatform();
  await load(layout.archive([{ entry: index, name }]));
  await engine.images.remove(ctx, amd64.id.slice(7, 19), {});
  assert.deepEqual(await engine.images.list({ all: true }), []);
  assert.deepEqual(await engine.blobs.list(), []);
});

test('several platforms that a newer image replaces are dangling, and pruned as one', async () => {
  const { layout, index } = multiPlatform();
  await load(layout.archive([{ entry: index, name }]));
  const newer = new Layout();
  await load(newer.archive([{ entry: newer.image('amd64', [{ name: 'new', text: '1' }]), name }]));
  assert.equal((await engine.images.list({ filters: { dangling: ['true'] } })).length, 1);
  assert.equal((await engine.images.prune(ctx, {})).spaceReclaimed, 15);
  assert.equal((await engine.images.list({ all: true })).length, 1);
  await isClean();
});

test('a platform whose blobs were left out, and one of another system, do not hold up the rest', async () => {
  const layout = new Layout();
  const amd64 = layout.image('amd64', [{ name: 'a', text: 'a' }]);
  const arm64 = layout.image('arm64', [{ name: 'a', text: 'b' }]);
  const windows = layout.image('amd64', [{ name: 'a', text: 'c' }], 'windows');
  const index = layout.index([windows, arm64, amd64]);
  await load(layout.archive([{ entry: index, name }], [arm64.id]));
  assert.deepEqual(
    (await engine.images.list({ manifests: true }))[0]?.manifests?.map(({ available }) => available),
    [false, false, true],
  );
  await isClean();
});

const lies: Record<string, () => Buffer> = {
  'an index that holds itself as deep as it is followed': () => {
    const layout = new Layout();
    let top = layout.index([layout.image('amd64', [{ name: 'a' }])]);
    for (let depth = 0; depth < 6; depth++) top = layout.index([top]);
    return layout.archive([{ entry: top, name }]);
  },
  'an index of a thousand and more indexes': () => {
    const layout = new Layout();
    const leaf = layout.image('amd64', [{ name: 'a' }]);
    let top = layout.index(Array.from({ length: 40 }, () => leaf));
    top = layout.index(Array.from({ length: 40 }, () => top));
    return layout.archive([{ entry: top, name }]);
  },
  'a manifest that is an index too': () => {
    const layout = new Layout();
    const image = layout.image('amd64', [{ name: 'a' }]);
    const both = {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: image,
      layers: [],
      manifests: [image],
    };
    return layout.archive([{ entry: layout.add(types.manifest, both), name }]);
  },
  'a config with more layers than the manifest': () => {
    const layout = new Layout();
    const config = layout.add(types.config, {
      os: 'linux',
      architecture: 'amd64',
      rootfs: { type: 'layers', diff_ids: [`sha256:${'a'.repeat(64)}`] },
    });
    const manifest = { schemaVersion: 2, mediaType: types.manifest, config, layers: [] };
    return layout.archive([{ entry: layout.add(types.manifest, manifest), name }]);
  },
  'a layer that is not the one of the config': () => {
    const layout = new Layout();
    const one = layout.image('amd64', [{ name: 'a', text: '1' }]);
    const two = layout.image('amd64', [{ name: 'a', text: '2' }]);
    const parse = (digest: string): { config: object; layers: object[] } =>
      JSON.parse(String(layout.blobs.get(digest))) as { config: object; layers: object[] };
    const mixed = { ...parse(one.digest), layers: parse(two.digest).layers };
    return layout.archive([{ entry: layout.add(types.manifest, mixed), name }]);
  },
  'a digest with a path in it': () => {
    const layout = new Layout();
    const entry = { mediaType: types.manifest, digest: 'sha256:../../../../etc/passwd', size: 1 };
    return layout.archive([{ entry, name }]);
  },
  'no image, only an attestation': () => {
    const layout = new Layout();
    const proof = layout.attestation(`sha256:${'1'.repeat(64)}`, provenance, {});
    return layout.archive([{ entry: layout.index([proof]), name }]);
  },
};
for (const [what, make] of Object.entries(lies)) {
  test(`refused, and nothing is left: ${what}`, async () => {
    await assert.rejects(load(make()), { kind: 'invalid' });
    assert.deepEqual(await engine.images.list({ all: true }), []);
    await isClean();
    await engine.trash.idle();
    assert.deepEqual(await engine.blobs.list(), []);
  });
}
