/** What a daemon that was killed leaves half-made, in every place of the data root, is gone after the next start; what may be somebody's data is not. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { newId } from '../../src/core/ids.ts';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine.close());

test('leftovers of every kind are collected at the start', async () => {
  const id = await engine.ok('slipway', ['run', '-d', '--name', 'lives', 'busybox', 'sleep', '1000']);
  await engine.ok('slipway', ['volume', 'create', 'kept']);
  await engine.kill();
  const root = join(engine.folder, 'data');
  const plant = (path: string): string => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, 'left');
    return path;
  };
  const own = newId();
  const removed = newId();
  // Pieces of a download are kept for the next pull, and not for ever.
  const pieces = plant(`content/partial/${newId()}`);
  utimesSync(join(root, pieces), 0, 0);
  const left = [
    pieces,
    plant(`content/ingest/${newId()}`),
    plant(`overlay2/staging/${newId()}/diff/file`),
    plant(`overlay2/snapshots/${own}/upper/file`),
    plant(`overlay2/removed/${removed}/upper/file`),
    plant(`containers/${own}/log`),
    plant(`trash/${newId()}/some/file`),
    plant('overlay2-probe/lower/file'),
    plant('state.db.reserve.tmp'),
    `volumes/lost/_data`,
    'overlay2/l/dangling',
  ];
  mkdirSync(join(root, 'volumes/lost/_data'), { recursive: true });
  symlinkSync(`../layers/${newId()}/diff`, join(root, 'overlay2/l/dangling'));
  mkdirSync(join(root, 'overlay2/removed', removed, 'merged'));
  const data = plant('volumes/somebody/_data/file');
  await engine.start();
  for (const path of left)
    await eventually(`${path} is gone`, async () => (existsSync(join(root, path)) ? undefined : true));
  assert.ok(existsSync(join(root, data)), 'files in a volume are somebody’s');
  assert.ok(existsSync(join(root, 'volumes/kept/_data')));
  assert.equal(await engine.ok('slipway', ['ps', '-q', '--no-trunc']), id);
  const orphan = plant(`content/blobs/sha256/${newId()}`);
  await engine.ok('slipway', ['image', 'gc', '--all']);
  assert.equal(
    existsSync(join(root, orphan)),
    false,
    'a blob that nothing leads to goes with the next collection',
  );
});
