/** A disk that fills up at one step or another of load, import, commit, push and save: plain words, nothing left, and a second try works. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createReadStream, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startServer } from '../api/fakes/server.ts';
import { runSlipway, type Outcome } from '../cli/harness.ts';
import { startRegistry } from '../helpers/images/registry.ts';
import { ctx, openEngine, stateOf, tarOf, type Engine } from './engine.ts';
import { Layout } from './layouts.ts';

const none = (): void => {};
const stream = (data: Buffer): Readable => Readable.from([data], { objectMode: false });
const random = (bytes: number): string => randomBytes(bytes).toString('latin1');

function layoutArchive(): Buffer {
  const layout = new Layout();
  const entry = layout.image(
    'amd64',
    ['a', 'b'].map((name) => ({ name, text: random(1_000_000) })),
  );
  return layout.archive([{ entry, name: 'docker.io/library/full:latest' }]);
}

const archive = layoutArchive();
const files = tarOf([{ name: 'f', text: random(3_000_000) }]);
/** A small archive that unpacks into a hundred times as much. */
const bomb = gzipSync(tarOf([{ name: 'zeros', text: '\0'.repeat(64 << 20) }]));

const operations: Record<string, (engine: Engine) => Promise<unknown>> = {
  load: ({ images }) => images.load(ctx, { source: stream(archive) }, none),
  import: ({ images }) => images.import(ctx, { source: stream(files), repository: 'full' }, none),
  commit: ({ images }) =>
    images.commit(ctx, {
      layer: stream(files),
      baseImageId: undefined,
      config: {},
      createdBy: 'x',
      repository: 'full',
    }),
};

async function onDisk(
  bytes: number,
  body: (engine: Engine, grow: () => void) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'slip-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]);
  try {
    const engine = await openEngine({ folder });
    try {
      await body(engine, () => execFileSync('mount', ['-o', 'remount,size=200m', folder]));
    } finally {
      await engine.close();
    }
  } finally {
    execFileSync('umount', [folder]);
    await rm(folder, { recursive: true, force: true });
  }
}

for (const [name, operate] of Object.entries(operations)) {
  test(`${name}: wherever the disk is full, nothing is left of it, and with more room it works`, async () => {
    let failures = 0;
    for (const bytes of [600_000, 1_200_000, 2_500_000, 3_100_000])
      await onDisk(bytes, async (engine, grow) => {
        const before = await stateOf(engine);
        const outcome = await operate(engine).then(
          () => undefined,
          (error: unknown) => error as Error,
        );
        if (outcome === undefined) return;
        failures++;
        assert.match(outcome.message, /no space left on device|disk is full/, `${bytes}`);
        await engine.trash.idle();
        assert.deepEqual(await stateOf(engine), before, `${bytes}`);
        assert.deepEqual(await engine.images.list({ all: true }), []);
        grow();
        await operate(engine);
        assert.equal((await engine.images.list({})).length, 1);
        assert.deepEqual(await engine.images.orphans(), { layers: [], blobs: [] });
      });
    assert.ok(failures >= 3, `${failures} failures`);
  });
}

test('push: where the disk has no room to compress a layer, nothing changes here or there, and with more room it works', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slip-full-registry-'));
  const registry = await startRegistry({ folder: join(folder, 'registry') });
  try {
    let failures = 0;
    for (const bytes of [5_600_000, 6_300_000, 7_000_000])
      await onDisk(bytes, async (engine, grow) => {
        const name = `${registry.host}/full/push${bytes}`;
        await engine.images.import(ctx, { source: stream(files), repository: name }, none);
        const before = await stateOf(engine);
        const push = (): Promise<void> => engine.images.push(ctx, { reference: name }, none);
        const outcome = await push().then(
          () => undefined,
          (error: unknown) => error as Error,
        );
        if (outcome === undefined) return;
        failures++;
        assert.match(outcome.message, /no space left on device/);
        await engine.trash.idle();
        assert.deepEqual(await stateOf(engine), before);
        const manifest = await fetch(`http://${registry.host}/v2/full/push${bytes}/manifests/latest`);
        assert.equal(manifest.status, 404);
        grow();
        await push();
        const { id } = engine.images.resolve(name);
        await engine.images.remove(ctx, name, {});
        assert.equal((await engine.images.pull(ctx, { reference: name }, none)).id, id);
        assert.deepEqual(await engine.images.orphans(), { layers: [], blobs: [] });
      });
    assert.ok(failures >= 2, `${failures} failures`);
  } finally {
    await registry.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test('save -o onto a full disk fails in plain words and leaves no half archive; where there is room it is whole', async (context) => {
  const engine = await openEngine();
  context.after(() => engine.close());
  await engine.images.import(ctx, { source: stream(files), repository: 'full' }, none);
  const server = await startServer(context, { images: engine.images });
  const folder = await mkdtemp(join(tmpdir(), 'slip-full-save-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
  try {
    const save = (): Promise<Outcome> =>
      runSlipway(['save', '-o', join(folder, 'full.tar'), 'full'], `unix://${server.socket}`);
    const failed = await save();
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /no space left on device/);
    assert.deepEqual(readdirSync(folder), []);
    execFileSync('mount', ['-o', 'remount,size=20m', folder]);
    assert.deepEqual(await save(), { code: 0, stdout: '', stderr: '' });
    await engine.images.remove(ctx, 'full', {});
    const saved = createReadStream(join(folder, 'full.tar'));
    assert.equal((await engine.images.load(ctx, { source: saved }, none)).length, 1);
    assert.deepEqual(await engine.images.orphans(), { layers: [], blobs: [] });
  } finally {
    execFileSync('umount', [folder]);
    await rm(folder, { recursive: true, force: true });
  }
});

test('a bomb ends where the disk ends, and is cleared away', async () => {
  await onDisk(20 << 20, async (engine) => {
    const before = await stateOf(engine);
    const source = stream(bomb);
    await assert.rejects(engine.images.import(ctx, { source, repository: 'bomb' }, none), {
      message: /no space left on device$/,
    });
    await engine.trash.idle();
    assert.deepEqual(await stateOf(engine), before);
  });
});
