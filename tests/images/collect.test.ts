/** What goes as the disk fills up, in which order, and what never does. Layers without their compressed blobs. */

import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Collecting } from '../../src/services/images/deps.ts';
import { startServer } from '../api/fakes/server.ts';
import { runSlipway } from '../cli/harness.ts';
import { createMemoryRegistry } from '../contracts/fakes/memory-registry.ts';
import { ctx, openEngine, stateOf, tarOf, type Engine } from './engine.ts';
import { Layout, multiPlatform } from './layouts.ts';

const none = (): void => {};
const stream = (data: Buffer): Readable => Readable.from([data], { objectMode: false });
const registry = createMemoryRegistry();

interface World extends Engine {
  /** Percent of a disk of 100,000 bytes in use. */
  fill(percent: number): void;
}

async function open(context: TestContext, policy: Partial<Collecting['policy']> = {}): Promise<World> {
  let free = 100_000;
  const engine = await openEngine({
    registry,
    collecting: {
      policy: { high: 0.9, low: 0.5, keepBlobs: 'auto', ...policy },
      diskUse: async () => ({ total: 100_000, free }),
    },
  });
  context.after(async () => {
    await engine.images.settled();
    await engine.close();
  });
  return { ...engine, fill: (percent) => void (free = 1000 * (100 - percent)) };
}

/** An image in gzip layers, with files large enough to be referred to. */
async function load(engine: Engine, name: string, text = name): Promise<string> {
  const layout = new Layout();
  const files = ['a', 'b'].map((each) => ({ name: each, text: `${text}${each} `.repeat(2000) }));
  const entry = layout.image('amd64', files);
  const archive = layout.archive([{ entry, name: `docker.io/library/${name}:latest` }]);
  await engine.images.load(ctx, { source: stream(archive) }, none);
  await engine.images.settled();
  return entry.id;
}

/** Makes an image one that lost its name two days ago. */
async function forget(engine: Engine, id: string): Promise<void> {
  const [name] = engine.images.get(id)?.tags ?? [];
  await engine.images.import(
    ctx,
    { source: stream(tarOf([{ name: 'x', text: id }])), repository: name ?? '' },
    none,
  );
}

test('below the high mark nothing goes; a dry run of everything tells and removes nothing', async (context) => {
  const engine = await open(context);
  await load(engine, 'one');
  engine.fill(89);
  const before = await stateOf(engine);
  assert.deepEqual((await engine.images.collect(ctx, { dryRun: false, all: false })).steps, []);
  const told = await engine.images.collect(ctx, { dryRun: true, all: true });
  assert.deepEqual(
    told.steps.map(({ what }) => what),
    ['archive'],
  );
  assert.ok(told.bytes > 0);
  assert.deepEqual(await stateOf(engine), before);
});

test('above it archives go as far as needed, oldest image first; images stay usable and can be pushed', async (context) => {
  const engine = await open(context);
  const old = await load(engine, 'old');
  await load(engine, 'new');
  engine.fill(90);
  const first = await engine.images.collect(ctx, { dryRun: true, all: false });
  assert.equal(first.needed, 40_000);
  engine.fill(95);
  const { steps } = await engine.images.collect(ctx, { dryRun: false, all: false });
  assert.deepEqual(
    steps.map(({ what }) => what),
    ['archive', 'archive'],
  );
  assert.equal(steps[0]?.id, engine.images.get(old)?.layers[0]?.blob?.digest);
  for (const { digest } of await engine.blobs.list())
    assert.ok(!steps.some(({ id }) => id === digest), 'the blob is gone');
  // The same again once it is there no more, and from another engine the same image.
  const saved = await buffer(await engine.images.save(ctx, ['old']));
  await engine.images.tag(ctx, 'old', { repository: 'registry.test/old', tag: 'v1' });
  await engine.images.push(ctx, { reference: 'registry.test/old:v1' }, none);
  const pushed = engine.images.resolve('old').repoDigests;
  const other = await openEngine({ registry });
  try {
    const [back] = await other.images.load(ctx, { source: stream(saved) }, none);
    assert.equal(back?.id, old);
    const pulled = await other.images.pull(ctx, { reference: 'registry.test/old:v1' }, none);
    assert.equal(pulled.id, old);
    assert.deepEqual(pulled.repoDigests, pushed);
  } finally {
    await other.close();
  }
  // Packed anew it is the same blob each time.
  await engine.images.collect(ctx, { dryRun: false, all: true });
  await engine.images.push(ctx, { reference: 'registry.test/old:v1' }, none);
  assert.deepEqual(engine.images.resolve('old').repoDigests, pushed);
});

test('an image without a name goes after a day, never one that is used, named or built upon', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'slip-collect-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const before = await openEngine({ folder });
  const [gone, used, young, base] = [
    await load(before, 'gone'),
    await load(before, 'used'),
    await load(before, 'young'),
    await load(before, 'base'),
  ];
  const child = { layer: undefined, baseImageId: base, config: {}, createdBy: 'x', repository: 'child' };
  await before.images.commit(ctx, child);
  for (const id of [gone, used, young, base]) await forget(before, id);
  const at = '2020-01-01T00:00:00Z';
  const aged = (await before.records.list('image')).filter(({ id }) => id !== young);
  await before.records.commit(
    aged.map((record) => ({
      op: 'put',
      kind: 'image',
      id: record.id,
      record: { ...record, importedAt: at, lastTaggedAt: at },
    })),
  );
  await before.close();
  const engine = await openEngine({
    folder,
    collecting: {
      policy: { high: 0.9, low: 0.5, keepBlobs: 'always' },
      diskUse: async () => ({ total: 100, free: 50 }),
    },
  });
  engine.used.push({ id: 'c'.repeat(64), name: 'box', imageId: used, imageRef: used, active: false });
  try {
    const { steps } = await engine.images.collect(ctx, { dryRun: false, all: true });
    assert.deepEqual(
      steps.map(({ what, id }) => [what, id]),
      [['image', gone]],
    );
    assert.deepEqual(await engine.images.orphans(), { layers: [], blobs: [] });
  } finally {
    await engine.images.settled();
    await engine.close();
  }
});

test('--keep-blobs never: gone as soon as unpacked, and a pull of the same image asks for nothing', async (context) => {
  const author = await openEngine({ registry });
  await load(author, 'lean', 'lean content');
  await author.images.tag(ctx, 'lean', { repository: 'registry.test/lean', tag: 'v1' });
  await author.images.push(ctx, { reference: 'registry.test/lean:v1' }, none);
  await author.close();
  const engine = await open(context, { keepBlobs: 'never' });
  const record = await engine.images.pull(ctx, { reference: 'registry.test/lean:v1' }, none);
  await engine.images.settled();
  const layer = record.layers[0]?.blob?.digest ?? '';
  assert.equal(await engine.blobs.has(layer), undefined);
  const said: string[] = [];
  await engine.images.pull(ctx, { reference: 'registry.test/lean:v1' }, ({ status = '' }) =>
    said.push(status),
  );
  assert.deepEqual(
    said.filter((status) => !status.startsWith('Digest: ')),
    ['Pulling from lean', 'Status: Image is up to date for registry.test/lean:v1'],
  );
  assert.equal((await buffer(await engine.images.save(ctx, ['registry.test/lean:v1']))).length > 0, true);
});

test('a layer whose files were changed is not handed on as what it was', async (context) => {
  const engine = await open(context);
  await load(engine, 'old');
  await engine.images.collect(ctx, { dryRun: false, all: true });
  const { chainId = '' } = engine.images.resolve('old').layers[0] ?? {};
  const upper = (await engine.snapshots.describe({ layer: chainId }))['UpperDir'] ?? '';
  const text = 'X'.repeat(2000 * 'olda '.length);
  await writeFile(join(upper, 'a'), text);
  await assert.rejects(buffer(await engine.images.save(ctx, ['old'])), /its files were changed/);
  await rename(join(upper, 'a'), join(upper, 'c'));
  await assert.rejects(buffer(await engine.images.save(ctx, ['old'])), /ENOENT/);
});

test('what cannot be made again is kept: an archive with a name twice', async (context) => {
  const engine = await open(context);
  const text = 'twice '.repeat(2000);
  const archive = tarOf([
    { name: 'a', text },
    { name: 'a', text: text.toUpperCase() },
  ]);
  const source = stream(gzipSync(archive));
  await engine.images.import(ctx, { source, repository: 'twice' }, none);
  await engine.images.settled();
  assert.deepEqual((await engine.images.collect(ctx, { dryRun: false, all: true })).steps, []);
  // Uncompressed it is recorded on arrival, with what was replaced.
  const other = tarOf([
    { name: 'b', text },
    { name: 'b', text: text.toUpperCase() },
  ]);
  const plain = await engine.images.import(ctx, { source: stream(other), repository: 'plain' }, none);
  assert.equal(plain.layers[0]?.blob, undefined);
  const { chainId = '' } = plain.layers[0] ?? {};
  assert.deepEqual(await buffer(await engine.snapshots.diffLayer(ctx, chainId)), other);
});

test('several platforms and their attestations stay as they are', async (context) => {
  const engine = await open(context);
  const { layout, index } = multiPlatform();
  await engine.images.load(
    ctx,
    { source: stream(layout.archive([{ entry: index, name: 'docker.io/library/m:1' }])) },
    none,
  );
  await engine.images.collect(ctx, { dryRun: false, all: true });
  assert.deepEqual((await engine.images.attestations('m:1', { statement: true })).length, 1);
  assert.ok((await engine.blobs.has(index.digest)) !== undefined);
});

test('image gc tells the marks, what would go, and frees it', async (context) => {
  const engine = await open(context);
  await load(engine, 'one');
  engine.fill(70);
  const server = await startServer(context, { images: engine.images });
  const run = (...args: string[]) => runSlipway(['image', 'gc', ...args], `unix://${server.socket}`);
  const idle = (await run()).stdout;
  assert.equal(
    idle,
    'Disk: 70% of 100kB in use; high mark 90%, low mark 50%.\nNothing to remove.\nFreed: 0B\n',
  );
  assert.match(
    (await run('--all', '--dry-run')).stdout,
    /\narchive +[0-9a-f]{12} +\S+B +its layer is unpacked.*\nWould free: /,
  );
  assert.match((await run('--all')).stdout, /\nFreed: [1-9]/);
  const { steps } = JSON.parse((await run('--all', '--format', 'json')).stdout) as { steps: object[] };
  assert.deepEqual(steps, []);
});
