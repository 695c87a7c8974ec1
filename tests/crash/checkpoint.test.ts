/** The daemon is killed while a checkpoint is written: the container goes on, and no half of a checkpoint is listed. */

import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { reaches, counted, runCounter, startCheckpointEngine } from '../containers/checkpoint-world.ts';
import { workingCriu } from '../helpers/criu.ts';
import { eventually, type Engine } from '../scenarios/engine.ts';

let engine: Engine;
before(async () => {
  engine = await startCheckpointEngine();
});
after(async () => {
  await engine.close();
});

/** A criu that waits, before it does anything, for as long as the file `hold` is there. */
async function holdCriu(): Promise<{ readonly bin: string; readonly held: () => boolean; release(): void }> {
  const bin = join(engine.folder, 'held');
  const [hold, reached] = [join(bin, 'hold'), join(bin, 'reached')];
  mkdirSync(bin);
  writeFileSync(hold, '');
  const wait = `if [ "$1" = swrk ]; then touch ${reached}; while [ -e ${hold} ]; do sleep 0.05; done; fi`;
  writeFileSync(join(bin, 'criu'), `#!/bin/sh\n${wait}\nexec ${await workingCriu()} "$@"\n`);
  chmodSync(join(bin, 'criu'), 0o755);
  return { bin, held: () => existsSync(reached), release: () => rmSync(hold, { force: true }) };
}

test('SIGKILL during a checkpoint that would end the container', async () => {
  await engine.kill();
  const criu = await holdCriu();
  process.env['PATH'] = `${criu.bin}:${process.env['PATH'] ?? ''}`;
  await engine.start();
  await runCounter(engine, 'counter');
  const pid = await engine.ok('slipway', ['inspect', 'counter', '--format', '{{.State.Pid}}']);
  const client = engine.background('slipway', ['checkpoint', 'create', 'counter', 'c1']);
  await eventually('criu is called', async () => (criu.held() ? true : undefined));
  await engine.kill();
  await eventually('the client hears of it', async () => client.exitCode ?? undefined);
  const frozenAt = lastLine();

  const starting = engine.start();
  await eventually('the new daemon waits for criu', async () =>
    engine.log().includes('a checkpoint that the former daemon began is waited for') ? true : undefined,
  );
  criu.release();
  await starting;
  await reaches(engine, 'counter', frozenAt + 3);
  const state = '{{.State.Status}} {{.State.Pid}}';
  assert.equal(await engine.ok('slipway', ['inspect', 'counter', '--format', state]), `running ${pid}`);
  assert.equal(await engine.ok('slipway', ['checkpoint', 'ls', 'counter']), 'CHECKPOINT NAME');
  const id = await engine.ok('slipway', ['inspect', 'counter', '--format', '{{.Id}}']);
  const folder = join(engine.folder, 'data/containers', id, 'checkpoints');
  await eventually('what there was of it is removed', async () =>
    readdirSync(folder).length === 0 ? true : undefined,
  );
  assert.deepEqual(readdirSync(join(engine.folder, 'run/checkpoint')), []);

  // And the container that a daemon took over can be written and restored.
  await engine.ok('slipway', ['checkpoint', 'create', 'counter', 'c2']);
  const last = (await counted(engine, 'counter')).at(-1) ?? 0;
  await engine.ok('slipway', ['start', '--checkpoint', 'c2', 'counter']);
  await reaches(engine, 'counter', last + 2);
});

/** From the file: no daemon is there to ask. */
function lastLine(): number {
  const [path = ''] = globSync(join(engine.folder, 'data/containers/*/*-json.log'));
  const last = readFileSync(path, 'utf8').trim().split('\n').at(-1) ?? '';
  return Number(/n (\d+)/.exec(last)?.[1]);
}
