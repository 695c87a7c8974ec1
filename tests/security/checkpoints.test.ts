/** Attacks by what a checkpoint brings along. */

import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { reaches, runCounter, startCheckpointEngine } from '../containers/checkpoint-world.ts';
import { call } from '../crash/convergence.ts';
import type { Engine } from '../scenarios/engine.ts';

let engine: Engine;
before(async () => {
  engine = await startCheckpointEngine();
});
after(async () => {
  await engine.close();
});

const cli = async (...args: string[]): Promise<string> => await engine.ok('slipway', args);

test('case 25: a restore follows no link out of the checkpoint, and no folder is removed through one', async () => {
  const outside = join(engine.folder, 'outside');
  await runCounter(engine, 'victim');
  await cli('checkpoint', 'create', '--checkpoint-dir', outside, 'victim', 'c1');
  const secret = join(engine.folder, 'secret');
  writeFileSync(secret, 'untouched');
  const start = async (name: string): ReturnType<typeof call> =>
    await call(
      engine.socket,
      'POST',
      `/containers/victim/start?checkpoint=${name}&checkpoint-dir=${encodeURIComponent(outside)}`,
    );
  for (const file of ['descriptors.json', 'pages-1.img', 'inventory.img', 'planted']) {
    const name = `evil-${file.replace('.', '-')}`;
    cpSync(join(outside, 'c1'), join(outside, name), { recursive: true });
    rmSync(join(outside, name, file), { force: true });
    symlinkSync(secret, join(outside, name, file));
    const answer = await start(name);
    assert.ok([400, 500].includes(answer.status), `${file}: ${answer.status}`);
    assert.match(
      (answer.body as { message: string }).message,
      /is no regular file|does not exist for container \/victim/,
    );
  }
  // The folder itself is a link to one that is all right.
  renameSync(join(outside, 'c1'), join(engine.folder, 'moved'));
  symlinkSync(join(engine.folder, 'moved'), join(outside, 'c1'));
  assert.equal((await start('c1')).status, 500);
  const query = `dir=${encodeURIComponent(outside)}`;
  const removed = await call(engine.socket, 'DELETE', `/containers/victim/checkpoints/c1?${query}`);
  assert.equal(removed.status, 500);
  assert.ok(existsSync(join(engine.folder, 'moved/inventory.img')));
  // A folder of the host that is none is not removed either.
  const folder = await call(engine.socket, 'DELETE', '/containers/victim/checkpoints/etc?dir=/');
  assert.equal(folder.status, 500);
  assert.ok(existsSync('/etc/passwd'));
  assert.equal(readFileSync(secret, 'utf8'), 'untouched');
  assert.equal(await cli('inspect', 'victim', '--format', '{{.State.Status}}'), 'exited');
});

test('case 26: a checkpoint brings no image, tag or setting', async () => {
  const images = await cli('images', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}');
  await runCounter(engine, 'plain', '--memory', '64m');
  await cli('checkpoint', 'create', 'plain', 'c1');
  const id = await cli('inspect', 'plain', '--format', '{{.Id}}');
  const own = join(engine.folder, 'data/containers', id, 'checkpoints/c1');
  // What other engines keep beside criu's images, and obey when they read it.
  const planted = {
    'config.dump': { rootfsImageName: 'busybox:latest', name: 'other', id: 'f'.repeat(64) },
    'spec.dump': {
      annotations: { image: 'busybox:latest' },
      linux: { resources: { memory: { limit: -1 } } },
    },
    'config.json': { process: { args: ['sh', '-c', 'echo taken over'] } },
    'manifest.json': [{ RepoTags: ['busybox:latest'], Config: 'x.json', Layers: [] }],
  };
  for (const [name, content] of Object.entries(planted))
    writeFileSync(join(own, name), JSON.stringify(content));
  await cli('start', '--checkpoint', 'c1', 'plain');
  await reaches(engine, 'plain', 4);
  assert.equal(await cli('images', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}'), images);
  const format = '{{.Id}} {{.Name}} {{.Config.Image}} {{.HostConfig.Memory}}';
  assert.equal(await cli('inspect', 'plain', '--format', format), `${id} /plain busybox ${64 << 20}`);
  assert.match(await cli('stats', '--no-stream', '--format', '{{.MemUsage}}', 'plain'), / \/ 64MiB$/);
});
