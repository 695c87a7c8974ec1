/** A disk that fills up at one step or another of load, import and commit: plain words, nothing left, and a second try works. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
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

test('a bomb ends where the disk ends, and is cleared away', async () => {
  await onDisk(20 << 20, async (engine) => {
    const before = await stateOf(engine);
    const source = stream(bomb);
    await assert.rejects(engine.images.import(ctx, { source, repository: 'bomb' }, none), {
      message: 'no space left on device',
    });
    await engine.trash.idle();
    assert.deepEqual(await stateOf(engine), before);
  });
});
