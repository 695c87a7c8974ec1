// timeout: 300
/** A disk without a free block, as a container leaves it: everything that frees room works, also after a crash and after a clean stop. */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mebi, mountDisk, type SmallDisk } from '../helpers/small-disk.ts';
import { tarOf } from '../images/engine.ts';
import type { Peer } from '../peers/process.ts';
import { startSlipwayd } from '../peers/slipwayd.ts';
import { busyboxArchive, eventually, runProgram, type Outcome } from '../scenarios/engine.ts';

/** More of them for a longer look. */
const rounds = Number(process.env['ROUNDS'] ?? 3);
const program = join(import.meta.dirname, '../../dist/bin/slipway');

let folder: string;
let disk: SmallDisk;
let peer: Peer | undefined;

const start = async (): Promise<void> => {
  const name = `slip-fd${process.pid % 1000}`;
  peer = await startSlipwayd({ folder: join(folder, 'engine'), name, args: [`--data-root=${disk.path}`] });
};
const run = async (args: readonly string[], input?: Buffer): Promise<Outcome> =>
  await runProgram(program, ['-H', `unix://${peer?.socket}`, ...args], input);
async function ok(args: readonly string[], input?: Buffer): Promise<string> {
  const done = await run(args, input);
  assert.equal(done.code, 0, `${args.join(' ')}\n${done.stdout}${done.stderr}`);
  return done.stdout.trim();
}
const free = (): number => disk.free();

function fill(): void {
  disk.fill();
  assert.ok(free() < 64 << 10, `${free()} bytes are left`);
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slip-full-'));
  disk = mountDisk('ext4', { bytes: 96 * mebi });
  await start();
});
after(async () => {
  await peer?.stop();
  disk.close();
  rmSync(folder, { recursive: true, force: true });
});

const content = (text: string): Buffer => tarOf([{ name: 'f', text: text.repeat(2 * mebi) }]);

test('images, containers and volumes can be removed while not a block is free', async () => {
  await ok(['load', '-i', await busyboxArchive()]);
  for (const name of ['one', 'two', 'three', 'four'])
    await ok(['import', '-', `full/${name}`], content(name.slice(0, 3)));
  await ok(['run', '--name', 'writer', '-v', 'data:/data', 'busybox', 'cp', '/bin/busybox', '/data/busybox']);
  await ok([
    'run',
    '-d',
    '--name',
    'greedy',
    'busybox',
    'sh',
    '-c',
    'dd if=/dev/zero of=/fill bs=64k; touch /done; sleep 1000',
  ]);
  await eventually(
    'the container has filled the disk',
    async () => (free() < mebi ? true : undefined),
    60_000,
  );
  // What is kept for the records is laid in a lull after the first commits.
  assert.ok(existsSync(join(disk.path, 'state.db.reserve')));
  fill();
  assert.match(await ok(['ps']), /greedy/);

  await ok(['rmi', 'full/one']);
  await eventually('its room is back', async () => (free() > 2 * mebi ? true : undefined));

  fill();
  await peer?.stop();
  await start();
  await ok(['rmi', 'full/two']);
  await eventually('its room is back', async () => (free() > 2 * mebi ? true : undefined));

  fill();
  process.kill(peer?.pid ?? 0, 'SIGTERM');
  await eventually('the daemon has stopped', async () =>
    (await run(['version'])).code === 0 ? undefined : true,
  );
  await peer?.stop();
  // A clean stop gives the journal's blocks back: somebody takes them.
  fill();
  await start();
  await ok(['rmi', 'full/three']);
  await eventually('its room is back', async () => (free() > 2 * mebi ? true : undefined));

  fill();
  await ok(['rm', '-f', 'writer']);
  await ok(['volume', 'rm', 'data']);
  await ok(['rm', '-f', 'greedy']);
  await eventually('what the container wrote is gone', async () => (free() > 8 * mebi ? true : undefined));

  fill();
  await ok(['system', 'prune', '-af']);
  assert.equal(await ok(['images', '-q']), '');
  await eventually('all is gone', async () => (free() > 2 * mebi ? true : undefined));
  disk.clear();
  await ok(['import', '-', 'full/again'], content('new'));
});

test('round after round while a container takes every block that is given back', async () => {
  await ok(['load', '-i', await busyboxArchive()]);
  for (let round = 0; round < rounds; round++) {
    await ok(['run', '-d', '--name', 'runner', '-v', 'runners:/data', 'busybox', 'sleep', '1000']);
    await ok(['run', '-d', '--name', 'other', 'busybox', 'sleep', '1000']);
    await ok(['create', '--name', 'idle', '-v', '/data', 'busybox', 'true']);
    await ok(['network', 'create', '-d', 'bridge', '--internal', 'net']);
    await ok(['volume', 'create', 'vol']);
    await ok(['import', '-', 'full/round'], content(`r${round}`));
    await ok(['import', '-'], content(`p${round}`));
    const greedy = 'while :; do cat /dev/zero >/fill; sleep 0.01; done';
    await ok(['run', '-d', '--name', 'greedy', 'busybox', 'sh', '-c', greedy]);
    await eventually('the disk is full', async () => (free() < mebi ? true : undefined), 60_000);
    disk.fill();
    await ok(['kill', 'other']);
    await ok(['stop', '-t', '0', 'runner']);
    await ok(['rmi', 'full/round']);
    if (round % 3 === 1) {
      await peer?.stop();
      await start();
    } else if (round % 3 === 2) {
      process.kill(peer?.pid ?? 0, 'SIGTERM');
      await eventually('the daemon has stopped', async () =>
        (await run(['version'])).code === 0 ? undefined : true,
      );
      await peer?.stop();
      await start();
    }
    await ok(['rm', '-f', 'runner', 'other']);
    await ok(['rm', '-v', 'idle']);
    await ok(['network', 'rm', 'net']);
    await ok(['volume', 'rm', 'vol', 'runners']);
    await ok(['image', 'prune', '-f']);
    await ok(['rm', '-f', 'greedy']);
    await ok(['system', 'prune', '-f', '--volumes']);
    assert.equal(await ok(['ps', '-aq']), '');
    assert.equal(await ok(['volume', 'ls', '-q']), '');
    disk.clear();
    await eventually('there is room again', async () => (free() > 24 * mebi ? true : undefined), 60_000);
  }
});
