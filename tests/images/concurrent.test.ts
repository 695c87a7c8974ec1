// timeout: 300
/** Everything at once: what is listed is whole, nobody's work fails by another's, and nothing is left of what went. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, test, type TestContext } from 'node:test';
import { backgroundCtx, type Ctx } from '../../src/core/ctx.ts';
import { createRegistry } from '../../src/registry/index.ts';
import type { ImageServiceDeps } from '../../src/services/images/index.ts';
import { startRegistry, type TestRegistry } from '../helpers/images/registry.ts';
import { eventually } from '../scenarios/engine.ts';
import { ctx, openEngine, stateOf, tarOf, type Engine } from './engine.ts';

const none = (): void => {};
let folder: string;
let registry: TestRegistry;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slip-concurrent-'));
  registry = await startRegistry({ folder: join(folder, 'registry') });
});
after(async () => {
  await registry?.stop();
  await rm(folder, { recursive: true, force: true });
});

const layerOf = (name: string, length: number): Readable =>
  Readable.from([tarOf([{ name, text: name.repeat(length) }])], { objectMode: false });

type Keep = NonNullable<ImageServiceDeps['collecting']>['policy']['keepBlobs'];

async function open(
  context: TestContext,
  keepBlobs: Keep,
  own?: ReturnType<typeof createRegistry>,
): Promise<Engine> {
  const collecting = {
    policy: { high: 0.9, low: 0.8, keepBlobs },
    diskUse: () => Promise.resolve({ total: 100, free: 50 }),
  };
  const engine = await openEngine({ collecting, ...(own !== undefined && { registry: own }) });
  context.after(() => engine.close());
  return engine;
}

/** Images on one base, each pushed under its name. */
async function seed(engine: Engine, count: number): Promise<{ names: string[]; base: string }> {
  const base = await engine.images.import(ctx, { source: layerOf('base', 20_000), repository: 'base' }, none);
  const names: string[] = [];
  for (let at = 0; at < count; at++) {
    const layer = layerOf(`file${at}`, 5000);
    const { record } = await engine.images.commit(ctx, {
      layer,
      baseImageId: base.id,
      config: {},
      createdBy: 'test',
    });
    const [repository, tag] = [`${registry.host}/at/once${at % 3}`, `v${at}`];
    await engine.images.tag(ctx, record.id, { repository, tag });
    await engine.images.push(ctx, { reference: `${repository}:${tag}` }, none);
    names.push(`${repository}:${tag}`);
  }
  return { names, base: base.id };
}

interface World {
  readonly engine: Engine;
  readonly names: readonly string[];
  readonly base: string;
  readonly archives: readonly Buffer[];
}

const any = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;

const verbs: Readonly<Record<string, (world: World, own: Ctx) => Promise<unknown>>> = {
  pull: ({ engine, names }, own) => engine.images.pull(own, { reference: any(names) }, none),
  again: ({ engine, names }, own) => engine.images.pull(own, { reference: any(names) }, none),
  load: ({ engine, archives }, own) =>
    engine.images.load(own, { source: Readable.from([any(archives)], { objectMode: false }) }, none),
  reload: ({ engine, archives }, own) =>
    engine.images.load(own, { source: Readable.from([any(archives)], { objectMode: false }) }, none),
  remove: ({ engine, names }) => engine.images.remove(ctx, any(names), { force: true }),
  removeById: async ({ engine }) => {
    const all = await engine.images.list({ all: true });
    if (all.length > 0) await engine.images.remove(ctx, any(all).id, { force: true });
  },
  prune: ({ engine }, own) => engine.images.prune(own, { dangling: ['false'] }),
  collect: ({ engine }, own) => engine.images.collect(own, { dryRun: false, all: true }),
  sweep: ({ engine }) => engine.images.collectGarbage(ctx),
  save: async ({ engine, names }, own) => buffer(await engine.images.save(own, [any(names)])),
  push: ({ engine, names }, own) => engine.images.push(own, { reference: any(names) }, none),
  commit: ({ engine, names, base }, own) =>
    engine.images.commit(own, {
      layer: layerOf('more', Math.floor(Math.random() * 5)),
      baseImageId: engine.images.find(any(names))?.id ?? base,
      config: {},
      createdBy: 'test',
      repository: 'made',
      tag: any(['a', 'b']),
    }),
};

/** What may be told when others remove images and clients leave. */
const expected = [
  /^No such image: /,
  /^tag does not exist: /,
  /^An image does not exist locally with the tag: /,
  /image has dependent child images$/,
];

async function one(world: World, seen: Set<string>): Promise<void> {
  const [name, verb] = any(Object.entries(verbs));
  const stop = new AbortController();
  // Some leave at once, some while it is under way.
  if (Math.random() < 0.2) setTimeout(() => stop.abort(), Math.random() * 40);
  try {
    await verb(world, { ...backgroundCtx(), signal: stop.signal });
  } catch (error) {
    const { message } = error as Error;
    const isMine = stop.signal.aborted && message === 'context canceled';
    if (!isMine && !expected.some((each) => each.test(message))) seen.add(`${name}: ${message}`);
  }
}

for (const keepBlobs of ['auto', 'never'] as const)
  test(`pulls, loads, pushes, saves, commits, removals and collecting at once (--keep-blobs ${keepBlobs})`, async (context) => {
    const engine = await open(context, keepBlobs);
    const { names, base } = await seed(engine, 4);
    const archives: Buffer[] = [];
    for (const references of [...names.map((name) => [name]), names])
      archives.push(await buffer(await engine.images.save(ctx, references)));
    const world = { engine, names, base, archives };
    const unexpected = new Set<string>();
    let left = 250;
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        while (left-- > 0) await one(world, unexpected);
      }),
    );
    await engine.images.settled();
    assert.deepEqual([...unexpected], []);
    const listed = async (): Promise<string[]> =>
      (await engine.images.list({ all: true })).map(({ id }) => id);
    for (const id of await listed())
      assert.ok((await buffer(await engine.images.save(ctx, [id]))).length > 0);
    assert.deepEqual(await engine.images.orphans(), { layers: [], blobs: [] });
    // Children first; then what they stood on.
    for (let round = 0; round < 3; round++)
      for (const id of await listed()) await engine.images.remove(ctx, id, { force: true }).catch(none);
    await engine.trash.idle();
    assert.deepEqual(await stateOf(engine), {
      records: [],
      blobs: [],
      lists: { layers: [], snapshots: [] },
      links: [],
      staging: [],
      ingest: [],
      partial: [],
    });
  });

test('an image that is removed while it is saved is written whole, and goes then', async (context) => {
  const engine = await open(context, 'auto');
  const { names } = await seed(engine, 1);
  const [name = ''] = names;
  const archive = await engine.images.save(ctx, [name]);
  await engine.images.remove(ctx, name, { force: true });
  await engine.images.remove(ctx, 'base', { force: true });
  const bytes = await buffer(archive);
  await eventually('nothing is left of it', async () => {
    const { layers, blobs } = await engine.images.orphans();
    return layers.length + blobs.length === 0 ? true : undefined;
  });
  await engine.images.load(ctx, { source: Readable.from([bytes], { objectMode: false }) }, none);
  assert.equal((await engine.images.list({})).length, 1);
});

test('an image that is removed while it is pushed is sent whole, and goes then', async (context) => {
  const real = createRegistry();
  context.after(() => real.close());
  let onBlob: () => unknown = none;
  const watched = {
    ...real,
    pushBlob: async (...args: Parameters<typeof real.pushBlob>) => {
      await onBlob();
      return await real.pushBlob(...args);
    },
  };
  const engine = await open(context, 'auto', watched);
  const { names } = await seed(engine, 1);
  const [name = ''] = names;
  const { id } = engine.images.resolve(name);
  const target = `${registry.host}/at/gone:v1`;
  await engine.images.tag(ctx, name, { repository: target.replace(/:v1$/, ''), tag: 'v1' });
  let removed: Promise<unknown> | undefined;
  onBlob = () => (removed ??= engine.images.remove(ctx, id, { force: true }));
  await engine.images.push(ctx, { reference: target }, none);
  assert.equal(engine.images.find(id), undefined);
  onBlob = none;
  assert.equal((await engine.images.pull(ctx, { reference: target }, none)).id, id);
  await engine.images.remove(ctx, id, { force: true });
  assert.deepEqual(await engine.images.orphans(), { layers: [], blobs: [] });
});

test('of two loads of one archive the second goes on when the first is cancelled', async (context) => {
  const engine = await open(context, 'auto');
  const { names } = await seed(engine, 1);
  const archive = await buffer(await engine.images.save(ctx, names));
  for (const { id } of await engine.images.list({ all: true }))
    await engine.images.remove(ctx, id, { force: true }).catch(none);
  for (let at = 400; at < archive.length; at += Math.ceil(archive.length / 12)) {
    const stop = new AbortController();
    const halting = new Readable({ read: none });
    halting.on('error', none);
    halting.push(archive.subarray(0, at));
    const first = engine.images.load({ ...ctx, signal: stop.signal }, { source: halting }, none);
    const second = engine.images.load(ctx, { source: Readable.from([archive], { objectMode: false }) }, none);
    // As an upload ends whose client has left.
    setTimeout(() => {
      stop.abort();
      halting.destroy(new Error('unexpected EOF'));
    }, 5);
    await assert.rejects(first);
    assert.equal((await second).length, 1);
    await engine.images.remove(ctx, names[0] ?? '', { force: true });
  }
});
