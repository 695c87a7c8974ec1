/** The engine on the storage driver vfs: containers, changes, commit, save and removal; what info says; which driver a data root gets. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { clients, eventually, startEngine, type Engine } from './engine.ts';

const run = promisify(execFile);
let engine: Engine;
before(async () => {
  engine = await startEngine({ args: ['--storage-driver=vfs'] });
});
after(async () => await engine?.close());

for (const client of clients)
  test(`${client}: run, diff, commit, cp, save, and nothing left`, async () => {
    const ok = (...args: string[]): Promise<string> => engine.ok(client, args);
    assert.equal(await ok('info', '-f', '{{.Driver}}'), 'vfs');
    assert.equal(
      await ok('run', '--name', 'v1', 'busybox', 'sh', '-c', 'echo hi > /hi; rm /bin/wget; cat /hi'),
      'hi',
    );
    const changes = (await ok('diff', 'v1')).split('\n').sort();
    assert.deepEqual(changes, ['A /hi', 'C /bin', 'D /bin/wget']);
    await ok('commit', 'v1', 'vfs/child');
    assert.equal(
      await ok('run', '--rm', 'vfs/child', 'sh', '-c', 'cat /hi; ls /bin/wget 2>/dev/null; true'),
      'hi',
    );
    await ok('cp', `v1:/hi`, join(engine.folder, `hi-${client}`));
    await ok('save', '-o', join(engine.folder, 'child.tar'), 'vfs/child');
    await ok('rm', 'v1');
    await ok('rmi', 'vfs/child');
    await ok('load', '-i', join(engine.folder, 'child.tar'));
    assert.equal(await ok('run', '--rm', '--read-only', 'vfs/child', 'cat', '/hi'), 'hi');
    await ok('rmi', 'vfs/child');
    const snapshots = join(engine.folder, 'data/vfs/snapshots');
    await eventually('no tree is left', async () => (readdirSync(snapshots).length === 0 ? true : undefined));
  });

test('a restart keeps the driver and what runs on it; another one is refused with what to do', async () => {
  await engine.ok('slipway', ['run', '-d', '--name', 'stays', 'busybox', 'sleep', '1000']);
  await engine.kill();
  const data = join(engine.folder, 'data');
  const daemon = join(import.meta.dirname, '../../dist/bin/slipwayd');
  const args = [`--data-root=${data}`, `--run-root=${engine.folder}/run`, `--instance=${engine.instance}`];
  const refused = run(daemon, [
    ...args,
    `--host=unix://${engine.folder}/other.sock`,
    '--storage-driver=overlay2',
  ]);
  await assert.rejects(refused, (error: { stderr?: string; stdout?: string }) => {
    assert.match(
      `${error.stderr}${error.stdout}`,
      /storage driver overlay2: the images and containers in .* were made with vfs and would not be there: start with --storage-driver vfs/,
    );
    return true;
  });
  assert.equal(existsSync(join(data, 'overlay2')), false);
  await engine.start();
  assert.equal(await engine.ok('slipway', ['exec', 'stays', 'echo', 'still here']), 'still here');
  await engine.ok('slipway', ['rm', '-f', 'stays']);
});
