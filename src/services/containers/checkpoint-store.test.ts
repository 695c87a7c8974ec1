import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  checkCheckpointName,
  checkpointNames,
  checkpointsFolder,
  isCheckpoint,
  makeCheckpoint,
  removeUnfinished,
  stageCheckpoint,
} from './checkpoint-store.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'slip-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function plant(path: string, files: Readonly<Record<string, string>> = {}): string {
  mkdirSync(path, { recursive: true });
  for (const [name, text] of Object.entries({ 'inventory.img': 'i', ...files }))
    writeFileSync(join(path, name), text);
  return path;
}

test('names are those of containers and volumes; nothing else becomes a path', () => {
  for (const name of ['c1', 'A.b_c-d', 'x'.repeat(255)]) checkCheckpointName(name);
  for (const name of [
    '',
    'c',
    '..',
    '../c',
    'a/b',
    '.hid',
    '-c',
    'a b',
    'a\0b',
    'a\n',
    'ä1',
    'x'.repeat(256),
  ])
    assert.throws(() => checkCheckpointName(name), {
      kind: 'invalid',
      message: `Invalid checkpoint ID (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    });
  const roots = { dataRoot: '/data', runRoot: '/run' };
  assert.equal(checkpointsFolder(roots, 'id', ''), '/data/containers/id/checkpoints');
  assert.equal(checkpointsFolder(roots, 'id', '/x'), '/x');
  for (const given of ['x', './x', '../x', '/x\0y'])
    assert.throws(() => checkpointsFolder(roots, 'id', given), { kind: 'invalid' });
});

test('only folders with an inventory are checkpoints: no files, links, empty or hidden ones', async (t) => {
  const path = folder(t);
  plant(join(path, 'b1'));
  plant(join(path, 'a1'));
  plant(join(path, '.slipway-x'));
  mkdirSync(join(path, 'empty'));
  writeFileSync(join(path, 'file'), '');
  symlinkSync('a1', join(path, 'link'));
  mkdirSync(join(path, 'fake'));
  symlinkSync('/etc/passwd', join(path, 'fake/inventory.img'));
  assert.deepEqual(await checkpointNames(path), ['a1', 'b1']);
  assert.equal(await checkpointNames(join(path, 'none')), undefined);
  assert.equal(await checkpointNames(join(path, 'file')), undefined);
  assert.equal(await isCheckpoint(join(path, 'link')), false);
});

test('a checkpoint has its name only when it is whole; a failed one leaves nothing', async (t) => {
  const path = join(folder(t), 'own');
  const target = join(path, 'c1');
  const synced: string[] = [];
  const write = async (images: string): Promise<void> => {
    assert.equal(existsSync(target), false);
    assert.deepEqual(await checkpointNames(path), []);
    plant(images, { 'pages-1.img': 'memory' });
  };
  const sync = async (images: string): Promise<void> => void synced.push(images);
  const taken = (): Error => new Error('taken');
  await makeCheckpoint(target, write, sync, taken);
  assert.deepEqual(readdirSync(target).sort(), ['inventory.img', 'pages-1.img']);
  assert.equal(synced.length, 1);

  const broken = async (images: string): Promise<void> => {
    writeFileSync(join(images, 'pages-1.img'), 'half');
    throw new Error('criu failed');
  };
  await assert.rejects(makeCheckpoint(join(path, 'c2'), broken, sync, taken), /criu failed/);
  await assert.rejects(
    makeCheckpoint(join(path, 'c2'), async () => {}, sync, taken),
    /the runtime wrote no checkpoint/,
  );
  // Another container may use the same given folder at the same time.
  await assert.rejects(
    makeCheckpoint(target, async (images) => void plant(images), sync, taken),
    /taken/,
  );
  assert.deepEqual(readdirSync(path), ['c1']);
});

test('what a killed daemon left is removed, and nothing else', async (t) => {
  const path = folder(t);
  plant(join(path, 'c1'));
  plant(join(path, '.slipway-abc'), { more: '' });
  await removeUnfinished(path);
  await removeUnfinished(join(path, 'none'));
  assert.deepEqual(readdirSync(path), ['c1']);
});

test('case 25: links, devices, pipes and folders in a checkpoint are refused, wherever it lies', async (t) => {
  const own = folder(t);
  const elsewhere = folder(t);
  const secret = join(folder(t), 'secret');
  writeFileSync(secret, 'secret');
  const tricks: Readonly<Record<string, (path: string) => void>> = {
    link: (path) => symlinkSync(secret, path),
    dangling: (path) => symlinkSync('/nonexistent', path),
    folder: (path) => mkdirSync(path),
    fifo: (path) => void execFileSync('mkfifo', [path]),
  };
  for (const base of [own, elsewhere]) {
    for (const [name, trick] of Object.entries(tricks)) {
      const path = plant(join(base, name));
      trick(join(path, 'descriptors.json'));
      await assert.rejects(stageCheckpoint(path, own), {
        kind: 'invalid',
        message: `the checkpoint is not restored: ${path}/descriptors.json is no regular file`,
      });
    }
  }
  assert.deepEqual(
    readdirSync(own).filter((name) => name.startsWith('.')),
    [],
  );
});

test('a checkpoint from elsewhere is restored from a copy that nobody else can change', async (t) => {
  const own = join(folder(t), 'own');
  const mine = plant(join(own, 'c1'));
  const here = await stageCheckpoint(mine, own);
  assert.equal(here.images, mine);
  await here.remove();
  assert.ok(existsSync(mine));

  const theirs = plant(join(folder(t), 'c1'), { 'pages-1.img': 'memory' });
  const copy = await stageCheckpoint(theirs, own);
  rmSync(theirs, { recursive: true });
  assert.equal(join(copy.images, '..'), own);
  assert.equal(readFileSync(join(copy.images, 'pages-1.img'), 'utf8'), 'memory');
  assert.deepEqual(await checkpointNames(own), ['c1']);
  await copy.remove();
  assert.equal(existsSync(copy.images), false);
});
