/** What is overlay2's own: many layers, marks of volatile mounts, directories that a layer does not hold, trash. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import { chainIdOf } from '../../src/core/model/image.ts';
import { createLogger, silentLogger } from '../../src/core/log.ts';
import { openOverlay2, openTrash } from '../../src/storage/index.ts';
import { eventually } from '../scenarios/engine.ts';
import { ctx, openStorage, tarOf, type File, type Storage } from '../images/engine.ts';

let storage: Storage;
beforeEach(async () => {
  storage = await openStorage();
});
afterEach(() => storage.close());

async function layer(parent: string | undefined, ...files: readonly File[]): Promise<string> {
  const data = tarOf(files);
  const chainId = chainIdOf(parent, `sha256:${createHash('sha256').update(data).digest('hex')}`);
  await storage.snapshots.unpack(ctx, chainId, parent, Readable.from([data], { objectMode: false }));
  return chainId;
}

test('two hundred layers in one mount, and plain words for more than a page holds', async () => {
  const { snapshots } = storage;
  let top: string | undefined;
  for (let i = 0; i < 200; i++)
    top = await layer(top, { name: `f${i}`, text: String(i) }, { name: 'last', text: String(i) });
  await snapshots.prepare('deep', top);
  const { path } = await snapshots.mount('deep', { volatile: true });
  assert.equal(readdirSync(path).length, 201);
  assert.equal(readFileSync(join(path, 'last'), 'utf8'), '199');
  for (let i = 200; i < 360; i++) top = await layer(top, { name: `f${i}`, text: String(i) });
  await snapshots.prepare('deeper', top);
  await assert.rejects(snapshots.mount('deeper', { volatile: true }), {
    kind: 'invalid',
    message: /max depth exceeded/,
  });
});

test('what is looked at while it is removed is not remembered as being there', async () => {
  const { snapshots } = storage;
  for (let round = 0; round < 20; round++) {
    const id = await layer(undefined, { name: 'f', text: 'x' });
    // A daemon that has just started knows nothing of it yet.
    const again = await openOverlay2(
      { host: storage.host, workers: storage.workers, trash: storage.trash, log: silentLogger },
      storage.root,
    );
    const looks = Array.from({ length: 20 }, async (_each, at) => {
      for (let i = 0; i < at; i++) await Promise.resolve();
      await again.layer(id);
    });
    await Promise.all([again.removeLayer(id), ...looks]);
    assert.equal(await again.layer(id), undefined);
    await snapshots.removeLayer(id);
    assert.equal(await snapshots.layer(id), undefined);
  }
});

test('a volatile mount that was cut off by a crash of the machine can be mounted again', async () => {
  const { snapshots, root } = storage;
  await snapshots.prepare('box', undefined);
  await snapshots.mount('box', { volatile: true });
  await snapshots.unmount('box');
  const mark = join(root, 'overlay2/snapshots/box', 'work', 'work/incompat/volatile');
  mkdirSync(mark, { recursive: true });
  await snapshots.mount('box', { volatile: false });
  await snapshots.unmount('box');
});

test('directories that a layer uses without holding them look as below', async () => {
  const base = await layer(
    undefined,
    { name: './', type: 'directory', mode: 0o750, uid: 1 },
    { name: 'srv/', type: 'directory', mode: 0o1777, uid: 33, gid: 34, mtime: 1_500_000_000 },
  );
  const top = await layer(base, { name: 'srv/deep/f', text: 'x' });
  await storage.snapshots.prepare('box', top);
  const { path } = await storage.snapshots.mount('box', { volatile: true });
  const srv = statSync(join(path, 'srv'));
  assert.deepEqual([srv.mode & 0o7777, srv.uid, srv.gid, srv.mtimeMs], [0o1777, 33, 34, 1_500_000_000_000]);
  assert.equal(statSync(join(path, 'srv/deep')).mode & 0o7777, 0o755);
  const root = statSync(path);
  assert.deepEqual([root.mode & 0o7777, root.uid], [0o750, 1]);
});

test('what a killed daemon left in staging and in the trash goes at the next start; what is mounted stays', async () => {
  const { root, host, workers } = storage;
  mkdirSync(join(root, 'overlay2/staging/half/diff'), { recursive: true });
  writeFileSync(join(root, 'overlay2/staging/half/diff/f'), 'x');
  const held = join(root, 'trash/held');
  mkdirSync(join(held, 'merged'), { recursive: true });
  mkdirSync(join(root, 'precious'));
  writeFileSync(join(root, 'precious/data'), 'x');
  await host.mount({
    source: join(root, 'precious'),
    target: join(held, 'merged'),
    fstype: 'none',
    flags: ['bind'],
  });
  const lines: string[] = [];
  const trash = await openTrash(
    { workers, log: createLogger('warn', (line) => lines.push(line)) },
    join(root, 'trash'),
  );
  try {
    await openOverlay2({ host, workers, trash, log: silentLogger }, root);
    trash.empty();
    await trash.idle();
    assert.deepEqual(readdirSync(join(root, 'overlay2/staging')), []);
    assert.deepEqual(readdirSync(join(root, 'trash')), ['held']);
    assert.equal(existsSync(join(root, 'precious/data')), true);
    assert.match(lines.join(''), /left in the trash.*something is mounted there/);
    trash.empty();
    await trash.idle();
    assert.equal(lines.length, 1);
  } finally {
    await host.unmount(join(held, 'merged'));
    await trash.close();
  }
});

const mountsOf = async (root: string): Promise<string[]> =>
  (await storage.host.mounts(join(root, 'overlay2'))).map(({ target }) => target);

test('a released mount goes in a lull, stays for who mounts it again, and is moved aside by a removal', async () => {
  const { snapshots, root } = storage;
  for (const key of ['one', 'two', 'three']) {
    await snapshots.prepare(key, undefined);
    writeFileSync(join((await snapshots.mount(key, { volatile: false })).path, 'f'), key);
    snapshots.release(key);
  }
  assert.equal((await mountsOf(root)).length, 3, 'nothing is unmounted at once');
  assert.equal(
    readFileSync(join((await snapshots.mount('one', { volatile: false })).path, 'f'), 'utf8'),
    'one',
  );
  await snapshots.removeSnapshot('two');
  assert.deepEqual((await snapshots.list()).snapshots.toSorted(), ['one', 'three']);
  await snapshots.settle();
  assert.deepEqual(await mountsOf(root), [snapshots.mountPath('one')]);
  assert.deepEqual(readdirSync(join(root, 'overlay2/removed')), []);
  await snapshots.removeSnapshot('three');
  await snapshots.unmount('one');
  await snapshots.removeSnapshot('one');
  assert.deepEqual((await snapshots.list()).snapshots, []);
});

test('no more than a few released mounts stand', async () => {
  const { snapshots, root } = storage;
  for (let index = 0; index < 30; index++) {
    const key = `box${index}`;
    await snapshots.prepare(key, undefined);
    await snapshots.mount(key, { volatile: true });
    snapshots.release(key);
    await snapshots.removeSnapshot(key);
  }
  await snapshots.settle();
  assert.deepEqual(await mountsOf(root), []);
  assert.deepEqual(readdirSync(join(root, 'overlay2/snapshots')), []);
  assert.deepEqual(readdirSync(join(root, 'overlay2/removed')), []);
});

test('a removed snapshot that a killed daemon left mounted goes with the next one', async () => {
  const { snapshots, root, host, workers, trash } = storage;
  await snapshots.prepare('box', undefined);
  await snapshots.mount('box', { volatile: false });
  renameSync(join(root, 'overlay2/snapshots/box'), join(root, 'overlay2/removed/box'));
  const next = await openOverlay2({ host, workers, trash, log: silentLogger }, root);
  await next.settle();
  assert.deepEqual(await mountsOf(root), []);
  assert.deepEqual(readdirSync(join(root, 'overlay2/removed')), []);
});

test('what the runtime mounts over stands in a layer of its own, with the attributes of the image', async () => {
  const { snapshots, root, host, workers, trash } = storage;
  const top = await layer(
    undefined,
    { name: 'etc/', type: 'directory', mode: 0o750, uid: 3, gid: 4 },
    { name: 'etc/hosts', text: 'own' },
    { name: 'proc/', type: 'directory', mode: 0o555 },
  );
  await snapshots.prepare('first', top);
  const made = join(root, 'overlay2/points');
  await eventually('a layer of mount points', async () => readdirSync(made)[0]);
  await snapshots.prepare('box', top);
  const { path } = await snapshots.mount('box', { volatile: false });
  const etc = statSync(join(path, 'etc'));
  assert.deepEqual([etc.mode & 0o7777, etc.uid, etc.gid], [0o750, 3, 4]);
  assert.equal(readFileSync(join(path, 'etc/hosts'), 'utf8'), 'own');
  for (const file of ['hostname', 'resolv.conf'])
    assert.equal(readFileSync(join(path, 'etc', file), 'utf8'), '');
  assert.equal(readlinkSync(join(path, 'etc/mtab')), '/proc/mounts');
  assert.equal(statSync(join(path, 'proc')).mode & 0o7777, 0o555);
  assert.deepEqual(readdirSync(path).sort(), ['.dockerenv', 'dev', 'etc', 'proc', 'sys']);
  assert.deepEqual(await snapshots.changes(ctx, 'box'), []);
  assert.deepEqual(
    readdirSync(join(root, 'overlay2/snapshots/box/upper')),
    [],
    "the container's own is empty",
  );
  // A new daemon uses it, and it goes with its layer.
  await snapshots.removeSnapshot('box');
  const next = await openOverlay2({ host, workers, trash, log: silentLogger }, root);
  await next.prepare('box', top);
  const again = await next.mount('box', { volatile: true });
  assert.ok(existsSync(join(again.path, 'etc/hostname')));
  for (const key of ['box', 'first']) await next.removeSnapshot(key);
  await next.removeLayer(top);
  assert.deepEqual(readdirSync(made), []);
});

test('places of mounts that two containers asked for stand in a layer below the next ones, and are theirs once they are claimed', async () => {
  const { snapshots, root, host, workers, trash } = storage;
  const top = await layer(
    undefined,
    { name: 'var/', type: 'directory', mode: 0o2775, uid: 3, gid: 4 },
    { name: 'link', type: 'symlink', linkName: root },
    { name: 'full/', type: 'directory' },
  );
  const places = [
    { path: '/var/data', kind: 'directory' },
    { path: '/conf/app.ini', kind: 'file' },
    { path: '/link/inside', kind: 'directory' },
    { path: '/full/', kind: 'directory' },
    { path: '/dev/own', kind: 'directory' },
    { path: '/scratch', kind: 'directory', mode: 0o1777 },
  ] as const;
  const points = join(root, 'overlay2/points');
  const sets = (): string[] => readdirSync(points).filter((name) => name.includes('-'));
  await snapshots.prepare('first', top, { places });
  await snapshots.prepare('second', top, { places: places.toReversed() });
  await eventually('a layer of the set', async () => sets()[0]);
  await snapshots.prepare('box', top, { places });
  assert.ok(readlinkSync(join(root, 'overlay2/snapshots/box/parent')).length < 60, 'the link needs a block');
  const { path } = await snapshots.mount('box', { volatile: false });
  assert.ok(statSync(join(path, 'var/data')).isDirectory());
  assert.equal(statSync(join(path, 'var')).mode & 0o7777, 0o2775);
  assert.ok(statSync(join(path, 'conf/app.ini')).isFile());
  assert.equal(statSync(join(path, 'scratch')).mode & 0o7777, 0o1777);
  assert.ok(!existsSync(join(root, 'inside')), 'made where a link of the image leads');
  assert.deepEqual(readdirSync(join(path, 'dev')), []);
  assert.deepEqual(await snapshots.changes(ctx, 'box'), []);
  assert.equal(await snapshots.snapshotParent('box'), top);
  // What somebody made of a place meanwhile stays.
  rmSync(join(path, 'conf/app.ini'));
  for (let round = 0; round < 2; round++) await snapshots.ownPlaces('box');
  assert.deepEqual(await snapshots.changes(ctx, 'box'), [
    { path: '/conf', kind: 'added' },
    { path: '/conf/app.ini', kind: 'deleted' },
    { path: '/scratch', kind: 'added' },
    { path: '/var', kind: 'modified' },
    { path: '/var/data', kind: 'added' },
  ]);
  // A new daemon keeps those that a snapshot stands on, and of the others some.
  const [set = ''] = sets();
  for (let i = 0; i < 40; i++) mkdirSync(join(points, `${set.split('-')[0]}-${String(i).padStart(14, '0')}`));
  await snapshots.removeSnapshot('first');
  const next = await openOverlay2({ host, workers, trash, log: silentLogger }, root);
  assert.deepEqual(sets(), [set]);
  await next.prepare('again', top, { places });
  assert.ok(existsSync(join((await next.mount('again', { volatile: true })).path, 'var/data')));
  for (const key of ['box', 'second', 'again']) await next.removeSnapshot(key);
  await next.removeLayer(top);
  assert.deepEqual(readdirSync(points), []);
});

test('places that the image has need no layer', async () => {
  const { snapshots, root } = storage;
  const top = await layer(undefined, { name: 'data/', type: 'directory' });
  const lacking = [{ path: '/lacking', kind: 'directory' }] as const;
  const names = ['one', 'two', 'three'];
  for (const name of names)
    await snapshots.prepare(name, top, { places: [{ path: '/data', kind: 'directory' }] });
  for (const name of names) await snapshots.prepare(`${name}-lacking`, top, { places: lacking });
  const points = join(root, 'overlay2/points');
  // Made one after another, in the order in which they were asked for.
  await eventually('the layers', async () => readdirSync(points).length >= 2 || undefined);
  await snapshots.settle();
  assert.equal(readdirSync(points).length, 2, 'what every container has, and the one with something in it');
});

test('an image whose etc leads elsewhere gets no files there', async () => {
  const { snapshots, root } = storage;
  mkdirSync(join(root, 'elsewhere'));
  const top = await layer(undefined, { name: 'etc', type: 'symlink', linkName: join(root, 'elsewhere') });
  await snapshots.prepare('box', top);
  await eventually('a layer of mount points', async () => readdirSync(join(root, 'overlay2/points'))[0]);
  assert.deepEqual(readdirSync(join(root, 'elsewhere')), []);
  const { path } = await snapshots.mount('box', { volatile: true });
  assert.deepEqual(readdirSync(path).sort(), ['.dockerenv', 'dev', 'etc', 'proc', 'sys']);
});

test('directories nested deeper than a path may be long are deleted too', async () => {
  const { trash, root } = storage;
  const tree = join(root, 'tree');
  mkdirSync(tree);
  const script = 'cd "$1"; for i in $(seq 60); do mkdir "$2"; cd "$2"; echo x > file; done';
  execFileSync('bash', ['-c', script, 'bash', tree, 'n'.repeat(200)]);
  const { size } = await storage.workers.run(ctx, 'usage', { directory: tree });
  assert.ok(size > 0);
  await trash.discard(tree);
  await trash.idle();
  assert.deepEqual(readdirSync(join(root, 'trash')), []);
});

test('prepare and mount stay quick while a big tree is deleted', async () => {
  const { snapshots, trash, root } = storage;
  const tree = join(root, 'tree');
  mkdirSync(tree);
  for (let i = 0; i < 5000; i++) writeFileSync(join(tree, `f${i}`), 'x');
  const base = await layer(undefined, { name: 'f', text: 'x' });
  const median = async (): Promise<number> => {
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const start = performance.now();
      await snapshots.prepare(`box${i}`, base);
      await snapshots.mount(`box${i}`, { volatile: true });
      await snapshots.removeSnapshot(`box${i}`);
      times.push(performance.now() - start);
    }
    return times.toSorted((a, b) => a - b)[10] ?? 0;
  };
  const quiet = await median();
  await trash.discard(tree);
  const beside = await median();
  assert.ok(beside < Math.max(100, quiet * 10), `median ${beside} ms, without it ${quiet} ms`);
  await trash.idle();
  assert.deepEqual(readdirSync(join(root, 'trash')), []);
});
