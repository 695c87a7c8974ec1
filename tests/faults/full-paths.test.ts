// timeout: 300
/** Every command on a disk without blocks, without inodes, with a full run root, and on one that can only be read: what works, and the words of what does not. */

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import { promisify } from 'node:util';
import { mebi, mountDisk, type SmallDisk } from '../helpers/small-disk.ts';
import { busyboxArchive, eventually, startEngine, type Engine } from '../scenarios/engine.ts';

const execute = promisify(execFile);
const repository = join(import.meta.dirname, '../..');
let scratch: string;
let disk: SmallDisk;
let runs: SmallDisk;
let engine: Engine;
/** Takes what was given back since. */
let squeeze = async (): Promise<void> => {};
const data = (): string => join(disk.path, 'data');
const run = (): string => join(runs.path, 'run');

const ok = (...args: string[]): Promise<string> => engine.ok('slipway', args);
async function fails(words: RegExp, ...args: string[]): Promise<void> {
  await squeeze();
  const { code, stdout, stderr } = await engine.run('slipway', args);
  assert.notEqual(code, 0, `${args.join(' ')} succeeded: ${stdout}`);
  // What an exec could not do stands in its output, as with Docker.
  assert.match(stdout + stderr, words, args.join(' '));
}

/** What failed commands could leave. */
const parts = [
  'containers',
  'volumes',
  'overlay2/snapshots',
  'overlay2/staging',
  'overlay2/layers',
  'content/ingest',
];
const left = (): string[] =>
  parts.flatMap((part) => readdirSync(join(data(), part)).map((name) => `${part}/${name}`));
const statuses = (): Promise<string> => ok('ps', '-a', '--format', '{{.Names}} {{.State}}');

const counting = 'i=0; while :; do echo n $i; i=$((i+1)); sleep 0.02; done';

before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'slip-paths-'));
  writeFileSync(join(scratch, 'file'), Buffer.alloc(300_000, 1));
});
after(() => rmSync(scratch, { recursive: true }));

beforeEach(async () => {
  squeeze = async () => {};
  disk = mountDisk('ext4', { bytes: 64 * mebi, make: ['-N', '1500'], mount: 'errors=remount-ro' });
  runs = mountDisk('tmpfs', { bytes: 4 * mebi });
  engine = await startEngine({ args: [`--data-root=${data()}`, `--run-root=${run()}`] });
  await ok('run', '-d', '--name', 'up', 'busybox', 'sh', '-c', counting);
  await ok('create', '--name', 'made', 'busybox', 'sleep', '1000');
  await ok('volume', 'create', 'there');
  await ok('network', 'create', '--internal', 'net');
  // What is kept for the records is laid in a lull.
  await eventually('the room for records', async () =>
    readdirSync(data()).includes('state.db.reserve') ? true : undefined,
  );
});
afterEach(async () => {
  const { instance, socket } = engine;
  await engine.close();
  const env = {
    ...process.env,
    INSTANCE: instance,
    DATA_ROOT: data(),
    RUN_ROOT: run(),
    SOCKET: socket,
  };
  await execute(process.execPath, [join(repository, 'scripts/clean.ts')], { env }).catch((error: Error) => {
    // Its mounts are gone, and nothing more can be.
    assert.match(error.message, /Read-only file system/);
  });
  disk.close();
  runs.close();
});

/** What adds something, with the path that it would have gone to. */
async function nothingIsAdded(why: string): Promise<void> {
  const at = (path: string): RegExp => new RegExp(`${data()}/${path}\\S*: ${why}`);
  const before = left();
  await fails(at('(containers|overlay2)/'), 'create', '--name', 'more', 'busybox', 'true');
  await fails(at('(containers|overlay2)/'), 'run', '--rm', 'busybox', 'true');
  await fails(at('(overlay2|content)/'), 'commit', 'up', 'new/image');
  await fails(at('volumes/more'), 'volume', 'create', 'more');
  await fails(at('(overlay2|content)/'), 'import', await busyboxArchive(), 'more');
  await fails(at('(overlay2|content)/'), 'load', '-i', await busyboxArchive());
  await fails(new RegExp(`open /file: ${why}|write /file: ${why}`), 'cp', join(scratch, 'file'), 'up:/file');
  assert.deepEqual(left(), before);
  assert.doesNotMatch(await ok('exec', 'up', 'ls', '/'), /file/);
}

async function everybodyReads(): Promise<void> {
  assert.match(await ok('logs', '--tail', '1', 'up'), /^n \d+$/);
  await ok('cp', 'up:/bin/busybox', join(scratch, 'copy'));
  await ok('export', '-o', join(scratch, 'tree.tar'), 'up');
  await ok('diff', 'up');
  await ok('system', 'df', '-v');
  await ok('inspect', 'up', 'made', 'net', 'there');
}

async function everythingGoes(): Promise<void> {
  await ok('rm', '-f', 'up', 'made');
  await goes();
}

async function goes(): Promise<void> {
  await ok('volume', 'rm', 'there');
  await ok('network', 'rm', 'net');
  await ok('rmi', '-f', 'busybox');
  await ok('system', 'prune', '-af', '--volumes');
  assert.equal(await statuses(), '');
}

test('without a free block', async () => {
  // The daemon tries for its reserve now and then, and gives back what was not enough.
  squeeze = async () => {
    let calm = 0;
    await eventually('a disk that stays full', async () => {
      if (disk.free() === 0) calm++;
      else calm = 0;
      disk.fill();
      return calm > 20 ? true : undefined;
    });
  };
  await nothingIsAdded('no space left on device');
  await everybodyReads();
  assert.match(await ok('exec', 'up', 'echo', 'here'), /here/);
  await ok('rename', 'up', 'other');
  await ok('rename', 'other', 'up');
  await ok('update', '--memory', '50m', '--memory-swap', '60m', 'up');
  await ok('pause', 'up');
  await ok('unpause', 'up');
  await ok('network', 'connect', 'net', 'up');
  await ok('tag', 'busybox', 'busybox:more');
  // A start takes a few bytes, which may be there or not.
  await squeeze();
  const start = await engine.run('slipway', ['start', 'made']);
  // crun says of a mount point that it could not make that it is not there.
  if (start.code !== 0)
    assert.match(start.stderr, /no space left on device|crun create failed: open .* no such file/);
  assert.match(await statuses(), start.code === 0 ? /made running/ : /made created/);
  await ok('rm', '-f', 'made');

  await engine.kill();
  await engine.start();
  assert.equal(await statuses(), 'up running');
  assert.match(await ok('exec', 'up', 'echo', 'here'), /here/);

  squeeze = async () => {};
  // What could not be written of the log is counted, and named where it is missing.
  const last = await ok('logs', '--tail', '1', 'up');
  disk.clear();
  await eventually(
    'the log goes on',
    async () => ((await ok('logs', '--tail', '1', 'up')) !== last ? true : undefined),
    30_000,
  );
  let next = 0;
  for (const line of (await ok('logs', 'up')).split('\n')) {
    const missing =
      /^slipway: the disk of the log was full: (\d+) lines \(\d+ bytes\) of output are missing here$/.exec(
        line,
      );
    if (missing !== null) next += Number(missing[1]);
    else assert.equal(line, `n ${next++}`);
  }
  disk.fill();
  await ok('rm', '-f', 'up');
  await goes();
});

test('without an inode', async () => {
  const many = join(disk.path, 'many');
  execFileSync('mkdir', [many]);
  assert.throws(() => {
    for (let i = 0; ; i++) writeFileSync(join(many, String(i)), '');
  }, /ENOSPC/);
  await nothingIsAdded('no space left on device');
  await everybodyReads();
  await fails(/no space left on device/, 'start', 'made');
  assert.equal(await ok('inspect', '-f', '{{.State.Status}}', 'made'), 'created');
  await ok('stop', '-t', '0', 'up');
  await engine.kill();
  await engine.start();
  assert.match(await statuses(), /up exited/);
  await everythingGoes();
});

test('with a full run root', async () => {
  runs.fill();
  const before = readdirSync(join(run(), 'bundles'));
  await fails(new RegExp(`${run()}\\S*: no space left on device`), 'start', 'made');
  assert.deepEqual(readdirSync(join(run(), 'bundles')), before);
  await fails(/no space left on device/, 'exec', 'up', 'true');
  await everybodyReads();
  await ok('stop', '-t', '0', 'up');
  await engine.kill();
  await engine.start();
  assert.match(await statuses(), /up exited/);
  await everythingGoes();
});

test('when it can only be read', async () => {
  const loop = execFileSync('findmnt', ['-no', 'SOURCE', disk.path]).toString().trim().split('/').at(-1);
  writeFileSync(`/sys/fs/ext4/${loop}/trigger_fs_error`, '1');
  const why = /read-only file system/;
  await fails(/state\.db: read-only file system/, 'create', 'busybox');
  await fails(/state\.db: read-only file system/, 'rm', 'made');
  assert.match(await statuses(), /made created/);
  await fails(/volumes\/more: read-only file system/, 'volume', 'create', 'more');
  for (const args of [
    ['commit', 'up', 'new'],
    ['start', 'made'],
    ['rename', 'up', 'other'],
    ['network', 'create', 'more'],
  ])
    await fails(why, ...args);
  await everybodyReads();
  await ok('stop', '-t', '0', 'up');
  assert.match(await statuses(), /up exited/);
  await engine.kill();
  await assert.rejects(engine.start(), /read-only file system/);
});
