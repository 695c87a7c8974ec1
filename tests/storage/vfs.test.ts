/** The vfs driver beside overlay2: the same layers give the same tree, and the same work in it the same changes and archives. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { silentLogger } from '../../src/core/log.ts';
import { chainIdOf } from '../../src/core/model/image.ts';
import { createHost } from '../../src/host/index.ts';
import { chooseDriver, openOverlay2, openVfs } from '../../src/storage/index.ts';
import { ctx, openStorage, tarOf, type File, type Storage } from '../images/engine.ts';

const directory = (name: string, rest: Partial<File> = {}): File => ({
  name,
  type: 'directory',
  mode: 0o755,
  ...rest,
});
const layers = [
  tarOf([
    directory('etc/', { mode: 0o750, uid: 3, gid: 4 }),
    { name: 'etc/kept', text: 'kept', mode: 0o640, uid: 1, gid: 2, mtime: 1_600_000_000.25 },
    { name: 'etc/gone', text: 'gone' },
    { name: 'etc/twin', text: 'twin' },
    { name: 'etc/other-twin', type: 'hardlink', linkName: 'etc/twin' },
    { name: 'etc/link', type: 'symlink', linkName: '/nowhere' },
    directory('opaque/'),
    { name: 'opaque/old', text: 'old' },
    directory('was-directory/'),
    { name: 'was-directory/inside', text: 'x' },
    { name: 'was-file', text: 'file' },
    directory('was-link-target/'),
    { name: 'was-link', type: 'symlink', linkName: 'was-link-target' },
    { name: 'null', type: 'char', deviceMajor: 1, deviceMinor: 3, mode: 0o666 },
    { name: 'pipe', type: 'fifo', mode: 0o600 },
    { name: 'suid', text: 's', mode: 0o4755, xattrs: new Map([['user.note', Buffer.from('hi')]]) },
    { name: 'na\xc3\xafve', text: 'utf8' },
    { name: 'raw\xff', text: 'bytes' },
  ]),
  tarOf([
    { name: 'etc/.wh.gone' },
    directory('opaque/'),
    { name: 'opaque/.wh..wh..opq' },
    { name: 'opaque/new', text: 'new' },
    { name: 'was-directory', text: 'now a file' },
    directory('was-file/'),
    { name: 'was-file/inside', text: 'y' },
    directory('was-link/'),
    { name: 'was-link/inside', text: 'z' },
  ]),
  tarOf([{ name: '.wh.was-directory' }, { name: 'etc/gone', text: 'again' }]),
];

async function unpackAll({ snapshots }: Storage): Promise<string> {
  let parent: string | undefined;
  for (const layer of layers) {
    const diffId = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
    const chainId = chainIdOf(parent, diffId);
    await snapshots.unpack(ctx, chainId, parent, Readable.from([layer], { objectMode: false }));
    parent = chainId;
  }
  return parent ?? '';
}

/** Takes all room of the file's disk but so many bytes: by running into its end, for what is free now may be taken a moment later. */
async function fillBut(room: number, path: string): Promise<void> {
  const filler = await open(path, 'w');
  try {
    const block = Buffer.alloc(64 << 10);
    await assert.rejects(
      async () => {
        for (;;) await filler.write(block);
      },
      { code: 'ENOSPC' },
    );
    await filler.truncate((await filler.stat()).size - room);
  } finally {
    await filler.close();
  }
}

/** Everything that shows, with what is inside. */
function look(path: string): string {
  const script = `cd "$1" && find . -printf '%P %y %m %U %G %T@ %l\\n' | sed 's/\\(\\.[0-9]\\{3\\}\\)[0-9]* /\\1 /' | grep -av '^ ' | LC_ALL=C sort
    find . -type f -links +1 -printf '%P %n\\n' | LC_ALL=C sort; find . -type f -exec md5sum {} + | LC_ALL=C sort -k2
    stat -c '%n %t %T' null; true`;
  return execFileSync('sh', ['-c', script, 'sh', path]).toString('latin1');
}

/** As a container would. */
const work = `set -e
echo more >> etc/kept; rm etc/link; chmod 700 was-file; mkdir made; echo x > made/x; ln made/x made/y
rm -r opaque; mkdir opaque; echo z > opaque/z; mv suid moved; rm raw*; mknod made/pipe p; ln -s a sym; rm -r was-link; echo f > was-link`;

test('the same layers, the same work: the same tree, changes and archive as with overlay2', async () => {
  const seen: Record<string, unknown>[] = [];
  for (const open of [openOverlay2, openVfs]) {
    const storage = await openStorage(undefined, open);
    try {
      const top = await unpackAll(storage);
      const { snapshots: driver } = storage;
      await driver.prepare('one', top);
      const { path } = await driver.mount('one', { volatile: false });
      const before = look(path);
      assert.deepEqual(await driver.changes(ctx, 'one'), []);
      execFileSync('sh', ['-c', work], { cwd: path });
      const changes = [...(await driver.changes(ctx, 'one'))]
        .map(({ path: at, kind }) => `${kind} ${at}`)
        .sort();
      const archive = await buffer(await driver.diff(ctx, 'one'));
      const chainId = chainIdOf(top, `sha256:${createHash('sha256').update(archive).digest('hex')}`);
      await driver.unpack(ctx, chainId, top, Readable.from([archive], { objectMode: false }));
      await driver.prepare('two', chainId);
      const committed = look((await driver.mount('two', { volatile: false })).path);
      // Times of directories in which something was removed are those of the test.
      const timeless = (text: string): string => text.replace(/ \d{10}\.\d{3} /g, ' ');
      assert.equal(timeless(committed), timeless(look(path)), driver.name);
      seen.push({ before, changes, committed: timeless(committed) });
    } finally {
      await storage.close();
    }
  }
  const [overlay, vfs] = seen;
  assert.equal(vfs?.['before'], overlay?.['before']);
  assert.equal(vfs?.['committed'], overlay?.['committed']);
  const only = (of: unknown, other: unknown): string[] =>
    (of as string[]).filter((line) => !(other as string[]).includes(line));
  // An overlay tells of a directory that replaced another one, and not of what was in that.
  assert.deepEqual(only(overlay?.['changes'], vfs?.['changes']), []);
  assert.deepEqual(only(vfs?.['changes'], overlay?.['changes']), ['deleted /opaque/new']);
});

test('a tree that cannot be made leaves nothing, nor does one that a crash cut off', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slip-vfs-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', folder]);
  let storage = await openStorage(folder, openVfs);
  try {
    const big = tarOf([{ name: 'big', text: 'x'.repeat(1_700_000) }]);
    const { diffId } = await storage.snapshots
      .stage(ctx, Readable.from([big], { objectMode: false }))
      .then(async (staged) => {
        await storage.snapshots.publish(staged, undefined);
        return staged;
      });
    await storage.trash.idle();
    await fillBut(850_000, join(folder, 'filler'));
    await assert.rejects(storage.snapshots.prepare('one', diffId), { message: /no space left on device/ });
    await rm(join(folder, 'filler'));
    await storage.trash.idle();
    assert.deepEqual((await storage.snapshots.list()).snapshots, []);
    assert.deepEqual(await readdir(join(folder, 'vfs/staging')), []);
    await storage.close();
    await mkdir(join(folder, 'vfs/staging/half/root'), { recursive: true });
    storage = await openStorage(folder, openVfs);
    assert.deepEqual(await readdir(join(folder, 'vfs/staging')), []);
  } finally {
    await storage.close();
    execFileSync('umount', [folder]);
    await rm(folder, { recursive: true });
  }
});

test('the driver is the one asked for, else the one of before, else what works; never one that hides what another has', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slip-choose-'));
  const host = createHost();
  const deps = { host, log: silentLogger };
  const cannot = {
    ...deps,
    host: {
      mount: () => Promise.reject(new Error('no overlay here')),
      unmount: (target: string) => host.unmount(target),
    },
  };
  try {
    assert.equal(await chooseDriver(deps, folder, undefined), 'overlay2');
    assert.deepEqual(await readdir(folder), []);
    assert.equal(await chooseDriver(cannot, folder, undefined), 'vfs');
    assert.equal(await chooseDriver(deps, folder, 'vfs'), 'vfs');
    await mkdir(join(folder, 'vfs/layers/x'), { recursive: true });
    await writeFile(join(folder, 'vfs/layers/x/layer.json'), '{}');
    assert.equal(await chooseDriver(deps, folder, undefined), 'vfs');
    await assert.rejects(chooseDriver(deps, folder, 'overlay2'), {
      kind: 'invalid',
      message:
        /^storage driver overlay2: the images and containers in .* were made with vfs and would not be there/,
    });
  } finally {
    await host.close();
    await rm(folder, { recursive: true });
  }
});
