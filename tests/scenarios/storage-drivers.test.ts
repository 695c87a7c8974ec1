/** The engine on the storage drivers vfs and btrfs: containers, changes, commit, save and removal; what info says; which driver a data root gets. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startSlipwayd } from '../peers/slipwayd.ts';
import { busyboxArchive, clients, eventually, runProgram, startEngine, type Engine } from './engine.ts';

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

test('btrfs: containers on snapshots of an image’s subvolume; refused where the data root is on something else', async () => {
  const folder = mkdtempSync('/tmp/slip-btr-');
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  writeFileSync(join(folder, 'image'), '');
  truncateSync(join(folder, 'image'), 256 << 20);
  await run('mkfs.btrfs', ['-q', join(folder, 'image')]);
  await run('mount', ['-o', 'loop', join(folder, 'image'), disk]);
  const peer = await startSlipwayd({
    folder: join(folder, 'engine'),
    name: `slip-bt${process.pid % 1000}`,
    args: ['--storage-driver=btrfs', `--data-root=${disk}`],
  });
  try {
    const ok = async (...args: string[]): Promise<string> => {
      const done = await runProgram('docker', ['-H', `unix://${peer.socket}`, ...args]);
      assert.equal(done.code, 0, `${args.join(' ')}\n${done.stdout}${done.stderr}`);
      return done.stdout.trim();
    };
    await ok('load', '-i', await busyboxArchive());
    assert.equal(await ok('info', '-f', '{{.Driver}}'), 'btrfs');
    assert.equal(await ok('run', '--name', 'one', 'busybox', 'sh', '-c', 'echo hi > /hi; cat /hi'), 'hi');
    assert.equal(await ok('diff', 'one'), 'A /hi');
    await ok('commit', 'one', 'btrfs/child');
    assert.equal(await ok('run', '--rm', 'btrfs/child', 'cat', '/hi'), 'hi');
    assert.equal(readdirSync(join(disk, 'btrfs/trees')).length, 2);
    await ok('rm', 'one');
    await ok('rmi', 'btrfs/child', 'busybox');
    await eventually('no tree is left', async () =>
      ['trees', 'snapshots', 'layers'].every((name) => readdirSync(join(disk, 'btrfs', name)).length === 0)
        ? true
        : undefined,
    );
  } finally {
    await peer.stop();
    await run('umount', [disk]);
    rmSync(folder, { recursive: true, force: true });
  }
  const elsewhere = { folder: join(engine.folder, 'other'), name: `slip-bo${process.pid % 1000}` };
  await assert.rejects(startSlipwayd({ ...elsewhere, args: ['--storage-driver=btrfs'] }), {
    message: /storage driver btrfs: .* lies on \w+, not on btrfs/,
  });
});
