// timeout: 300
/** A disk without a free block, as a container leaves it: everything that frees room works, also after a crash and after a clean stop. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { tarOf } from '../images/engine.ts';
import type { Peer } from '../peers/process.ts';
import { startSlipwayd } from '../peers/slipwayd.ts';
import { busyboxArchive, eventually, runProgram, type Outcome } from '../scenarios/engine.ts';

const program = join(import.meta.dirname, '../../dist/bin/slipway');
const mebi = 1 << 20;

let folder: string;
let disk: string;
let peer: Peer | undefined;
let fillers = 0;

const start = async (): Promise<void> => {
  const name = `slip-fd${process.pid % 1000}`;
  peer = await startSlipwayd({ folder: join(folder, 'engine'), name, args: [`--data-root=${disk}`] });
};
const run = async (args: readonly string[], input?: Buffer): Promise<Outcome> =>
  await runProgram(program, ['-H', `unix://${peer?.socket}`, ...args], input);
async function ok(args: readonly string[], input?: Buffer): Promise<string> {
  const done = await run(args, input);
  assert.equal(done.code, 0, `${args.join(' ')}\n${done.stdout}${done.stderr}`);
  return done.stdout.trim();
}
const free = (): number => {
  const { bavail, bsize } = statfsSync(disk);
  return bavail * bsize;
};

/** Takes every block that is left. */
function fill(): void {
  const file = openSync(join(disk, `fill-${fillers++}`), 'w');
  try {
    for (let size = mebi; size >= 512; size /= 2) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size, 1));
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
      }
    }
  } finally {
    closeSync(file);
  }
  assert.ok(free() < 64 << 10, `${free()} bytes are left`);
}

before(async () => {
  folder = mkdtempSync('/tmp/slip-full-');
  disk = join(folder, 'disk');
  mkdirSync(disk);
  const image = join(folder, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, 96 * mebi);
  execFileSync('/sbin/mke2fs', ['-q', '-t', 'ext4', '-m', '0', image]);
  execFileSync('mount', ['-o', 'loop', image, disk]);
  await start();
});
after(async () => {
  await peer?.stop();
  execFileSync('umount', [disk]);
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
  // What is kept for the records was laid in a lull after the first commits.
  assert.ok(existsSync(join(disk, 'state.db.reserve')));
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
  rmSync(join(disk, 'fill-0'));
  await ok(['import', '-', 'full/again'], content('new'));
});
