// timeout: 600
/** For each k the k-th call to a port fails: pull and load must leave everything as it was. Also a disk that is full. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { before, test } from 'node:test';
import { EventBus } from '../../src/core/events.ts';
import { silentLogger } from '../../src/core/log.ts';
import type { Registry } from '../../src/core/ports/registry.ts';
import { openImages, type ImageService } from '../../src/services/images/index.ts';
import { createRemoteFiles } from '../../src/registry/index.ts';
import { createMemoryRegistry } from '../contracts/fakes/memory-registry.ts';
import { ctx, openEngine, openStorage, stateOf, tarOf, type Storage } from './engine.ts';

const none = (): void => {};
const registry = createMemoryRegistry();
const reference = 'registry.test/team/app:v1';
let archive: Buffer;
let big: Buffer;

before(async () => {
  const author = await openEngine({ registry });
  try {
    const layer = (text: string): Readable =>
      Readable.from([tarOf([{ name: text, text }])], { objectMode: false });
    const base = await author.images.import(ctx, { source: layer('one') }, none);
    await author.images.commit(ctx, {
      layer: layer('two'),
      baseImageId: base.id,
      config: {},
      createdBy: 'test',
      repository: 'registry.test/team/app',
      tag: 'v1',
    });
    await author.images.push(ctx, { reference }, none);
    archive = await buffer(await author.images.save(ctx, [reference]));
    const source = Readable.from([tarOf([{ name: 'big', text: 'x'.repeat(24 << 20) }])], {
      objectMode: false,
    });
    const { id } = await author.images.import(ctx, { source, repository: 'big' }, none);
    big = await buffer(await author.images.save(ctx, [id]));
    // One whose blob does not fit, and one whose blob does, but not the files in it.
    const texts = { blob: randomBytes(24 << 20).toString('latin1'), files: 'x'.repeat(24 << 20) };
    for (const [tag, text] of Object.entries(texts)) {
      const content = Readable.from([tarOf([{ name: 'big', text }])], { objectMode: false });
      await author.images.import(ctx, { source: content, repository: 'registry.test/team/full', tag }, none);
      await author.images.push(ctx, { reference: 'registry.test/team/full', tag }, none);
    }
  } finally {
    await author.close();
  }
});

class Injected extends Error {}

interface Trap {
  calls: number;
  failAt: number;
  /** Calls after the failure are undoing and must work. */
  failed: boolean;
}

/** The same port, with one call that fails instead of being made. */
function trapped<T extends object>(port: T, trap: Trap): T {
  return new Proxy(port, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        // Synchronous ones (paths, names) cannot fail.
        const isPath = name === 'path' || name === 'mountPath';
        if (!isPath && !trap.failed && ++trap.calls === trap.failAt) {
          trap.failed = true;
          return Promise.reject(new Injected(`${String(name)} failed`));
        }
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}

async function openTrapped(storage: Storage, trap: Trap, from: Registry = registry): Promise<ImageService> {
  const images = await openImages({
    records: storage.records,
    blobs: trapped(storage.blobs, trap),
    snapshots: trapped(storage.snapshots, trap),
    registry: trapped(from, trap),
    remoteFiles: createRemoteFiles(),
    events: new EventBus(),
    log: silentLogger,
    containers: () => [],
    platform: { os: 'linux', architecture: 'amd64' },
    retryDelayMs: 1,
  });
  return images;
}

const operations: Record<string, (images: ImageService) => Promise<unknown>> = {
  pull: (images) => images.pull(ctx, { reference }, none),
  load: (images) => images.load(ctx, { source: Readable.from([archive], { objectMode: false }) }, none),
  import: (images) =>
    images.import(
      ctx,
      { source: Readable.from([tarOf([{ name: 'f', text: 'x' }])], { objectMode: false }) },
      none,
    ),
};

for (const [name, operate] of Object.entries(operations)) {
  test(`${name}: whichever call fails, the state is as before`, async () => {
    const storage = await openStorage();
    try {
      const empty = await stateOf(storage);
      let failures = 0;
      for (let k = 1; ; k++) {
        const trap: Trap = { calls: 0, failAt: k, failed: false };
        const images = await openTrapped(storage, trap);
        const outcome = await operate(images).then(
          () => 'done',
          (error: unknown) => error,
        );
        if (!trap.failed) {
          assert.equal(outcome, 'done');
          break;
        }
        if (outcome === 'done') {
          // A passing fault of the registry was mended by another attempt.
          for (const image of await images.list({ all: true }))
            await images.remove(ctx, image.id, { force: true });
        } else failures++;
        await images.collectGarbage(ctx);
        await storage.trash.idle();
        assert.deepEqual(await stateOf(storage), empty, `call ${k}`);
      }
      assert.ok(failures >= 5, `${failures} failures`);
    } finally {
      await storage.close();
    }
  });
}

test('a full disk: Docker’s words, and all of it is free again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slip-full-'));
  const outer = await openStorage(await mkdtemp(join(tmpdir(), 'slip-outer-')));
  await outer.host.mount({ source: 'tmpfs', target: folder, fstype: 'tmpfs', flags: [], data: 'size=20m' });
  const engine = await openEngine({ folder, registry });
  try {
    const state = await stateOf(engine);
    const load = engine.images.load(ctx, { source: Readable.from([big], { objectMode: false }) }, none);
    await assert.rejects(load, { message: /no space left on device$/ });
    await engine.trash.idle();
    assert.deepEqual(await stateOf(engine), state);
    for (const tag of ['blob', 'files']) {
      const pull = engine.images.pull(ctx, { reference: 'registry.test/team/full', tag }, none);
      await assert.rejects(pull, { message: /no space left on device$/ });
      await engine.trash.idle();
      assert.deepEqual(await stateOf(engine), state, tag);
    }
    const source = Readable.from([Buffer.alloc(30 << 20)], { objectMode: false });
    await assert.rejects(engine.blobs.ingest(ctx, source, {}), { message: /no space left on device$/ });
    assert.deepEqual(await stateOf(engine), state);
    const small = Readable.from([tarOf([{ name: 'f', text: 'x'.repeat(1 << 20) }])], { objectMode: false });
    await engine.images.import(ctx, { source: small, repository: 'fits' }, none);
    assert.equal(engine.images.resolve('fits').layers.length, 1);
  } finally {
    await engine.close();
    await outer.host.unmount(folder);
    await outer.close();
    await rm(folder, { recursive: true, force: true });
    await rm(outer.root, { recursive: true, force: true });
  }
});

test('push: whichever call fails nothing changes here, and the next push sends the same', async () => {
  const engine = await openEngine({ registry: createMemoryRegistry() });
  try {
    await engine.images.load(ctx, { source: Readable.from([archive], { objectMode: false }) }, none);
    // The name that a push gives is there from the first one on.
    await engine.images.push(ctx, { reference }, none);
    const state = await stateOf(engine);
    const digests = new Set<string>();
    let failures = 0;
    for (let k = 1; ; k++) {
      const empty = createMemoryRegistry();
      const trap: Trap = { calls: 0, failAt: k, failed: false };
      const images = await openTrapped(engine, trap, empty);
      const outcome = await images.push(ctx, { reference }, none).then(
        () => 'done',
        (error: unknown) => error,
      );
      await engine.trash.idle();
      assert.deepEqual(await stateOf(engine), state, `call ${k}`);
      if (!trap.failed) break;
      const repository = { domain: 'registry.test', path: 'team/app' };
      if (outcome !== 'done') {
        failures++;
        assert.equal(await empty.manifestDigest(ctx, repository, 'v1', undefined), undefined, `call ${k}`);
        await images.push(ctx, { reference }, none);
      }
      const there = await empty.manifestDigest(ctx, repository, 'v1', undefined);
      digests.add(there ?? 'none');
    }
    assert.equal(digests.size, 1);
    assert.ok(!digests.has('none'));
    assert.ok(failures >= 2, `${failures} failures`);
  } finally {
    await engine.close();
  }
});

test('remove: whichever call fails, the image is whole or gone, and nothing of it is left in the end', async () => {
  const storage = await openStorage();
  try {
    const empty = await stateOf(storage);
    for (let k = 1; ; k++) {
      const whole = await openTrapped(storage, { calls: 0, failAt: 0, failed: false });
      await whole.load(ctx, { source: Readable.from([archive], { objectMode: false }) }, none);
      const trap: Trap = { calls: 0, failAt: 0, failed: false };
      const images = await openTrapped(storage, trap);
      trap.calls = 0;
      trap.failAt = k;
      await images.remove(ctx, reference, {}).catch(() => {});
      const isOver = !trap.failed;
      trap.failed = true;
      for (const { id } of await images.list({ all: true })) {
        const saved = await buffer(await images.save(ctx, [id]));
        assert.ok(saved.length > 1000, `call ${k}`);
        await images.remove(ctx, id, { force: true });
      }
      await images.collectGarbage(ctx);
      await storage.trash.idle();
      assert.deepEqual(await stateOf(storage), empty, `call ${k}`);
      if (isOver) break;
    }
  } finally {
    await storage.close();
  }
});
