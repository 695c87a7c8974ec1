/** `slipway system repair`: says what does not stand as the records say, and mends it. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startEngine, type Engine } from './engine.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

test('a stranger among the containers is told by a dry run and removed by a repair', async () => {
  const repair = async (...args: string[]): Promise<string> =>
    await engine.ok('slipway', ['system', 'repair', ...args]);
  await engine.ok('slipway', ['run', '-d', '--name', 'stays', 'busybox', 'sleep', '1000']);
  assert.match(await repair('--dry-run'), /^Nothing to repair/);
  const id = 'ab'.repeat(32);
  const stray = join(engine.folder, 'data/containers', id);
  mkdirSync(stray);
  assert.equal(await repair('--dry-run'), `remove  directory ${id}  no container has it`);
  assert.ok(existsSync(stray), 'a dry run changes nothing');
  assert.match(await repair(), /^remove {2}directory/);
  assert.ok(!existsSync(stray));
  assert.match(await repair('--dry-run'), /^Nothing to repair/);
  assert.equal(await engine.ok('slipway', ['inspect', '-f', '{{.State.Running}}', 'stays']), 'true');
});
