/** What every storage driver must do. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { isFull } from '../../src/core/errors.ts';
import { Growth } from '../../src/core/growth.ts';
import { chainIdOf } from '../../src/core/model/image.ts';
import type { SnapshotDriver } from '../../src/core/ports/snapshot-driver.ts';
import { encodeHeader, simpleHeader, tarEnd, tarEntries, tarPadding } from '../../src/core/tar/index.ts';

const ctx = backgroundCtx();

export interface SnapshotHarness {
  readonly driver: SnapshotDriver;
  /** Changes a mounted snapshot as a process in the container would. */
  readonly write: (key: string, path: string, text: string) => Promise<void>;
  readonly remove: (key: string, path: string) => Promise<void>;
  /** Undefined when there is no such file. */
  readonly read: (key: string, path: string) => Promise<string | undefined>;
  /** Puts an archive into a file that `unpackFile` can read. */
  readonly file: (data: Buffer) => Promise<string>;
  readonly close: () => Promise<void>;
}

export function archiveOf(files: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat([
    ...Object.entries(files).flatMap(([name, text]) => {
      const data = Buffer.from(text);
      const type = name.endsWith('/') ? 'directory' : 'file';
      return [encodeHeader(simpleHeader(name, { type, size: data.length })), data, tarPadding(data.length)];
    }),
    tarEnd,
  ]);
}

const diffIdOf = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
const stream = (data: Buffer): Readable => Readable.from([data], { objectMode: false });

async function names(archive: Readable): Promise<string[]> {
  const found: string[] = [];
  for await (const { header } of tarEntries(archive)) found.push(header.name);
  return found.sort();
}

const base = archiveOf({ 'etc/': '', 'etc/a': 'one', 'etc/b': 'two' });
const top = archiveOf({ 'etc/a': 'changed', 'etc/.wh.b': '' });

async function unpackTwo(driver: SnapshotDriver): Promise<{ low: string; high: string }> {
  const low = diffIdOf(base);
  const high = chainIdOf(low, diffIdOf(top));
  await driver.unpack(ctx, low, undefined, stream(base));
  await driver.unpack(ctx, high, low, stream(top));
  return { low, high };
}

export function snapshotDriverContract(name: string, open: () => Promise<SnapshotHarness>): void {
  const it = (what: string, body: (harness: SnapshotHarness) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const harness = await open();
      try {
        await body(harness);
      } finally {
        await harness.close();
      }
    });
  };

  it('unpacks layers and lists them; again is a no-op that drains the stream', async ({ driver }) => {
    const { low, high } = await unpackTwo(driver);
    assert.deepEqual([...(await driver.list()).layers].sort(), [low, high].sort());
    assert.equal((await driver.layer(low))?.parent, undefined);
    assert.equal((await driver.layer(low))?.size, 6);
    assert.equal((await driver.layer(high))?.parent, low);
    assert.equal((await driver.layer(high))?.size, 7);
    const again = stream(base);
    assert.deepEqual(await driver.unpack(ctx, low, undefined, again), { size: 6 });
    assert.equal(again.readableEnded, true);
    assert.equal(await driver.hasLayer(`sha256:${'0'.repeat(64)}`), false);
    assert.equal(await driver.layer(`sha256:${'0'.repeat(64)}`), undefined);
  });

  it('unpacks from a file, several at once, the parent in whatever order', async ({ driver, file }) => {
    const [low, high] = [await file(base), await file(top)];
    const done = await Promise.all([
      driver.unpackFile(ctx, {
        file: high,
        compression: 'none',
        parent: diffIdOf(base),
        diffId: diffIdOf(top),
      }),
      driver.unpackFile(ctx, { file: low, compression: 'none', parent: undefined, diffId: diffIdOf(base) }),
      driver.unpackFile(ctx, { file: low, compression: 'none', parent: undefined, diffId: diffIdOf(base) }),
    ]);
    assert.equal(done[0].chainId, chainIdOf(diffIdOf(base), diffIdOf(top)));
    assert.deepEqual(done[1], { chainId: diffIdOf(base), diffId: diffIdOf(base), size: 6 });
    assert.deepEqual(done[2], done[1]);
    const read = new Growth();
    const unnamed = await driver.unpackFile(ctx, {
      file: low,
      compression: 'none',
      read: read.shared,
      parent: undefined,
    });
    assert.equal(unnamed.diffId, diffIdOf(base));
    assert.equal(read.bytes, base.length);
  });

  it('refuses content that is not what the id says, and archives that break, and keeps nothing', async ({
    driver,
    file,
  }) => {
    const wrong = diffIdOf(Buffer.from('other'));
    await assert.rejects(driver.unpack(ctx, wrong, undefined, stream(base)), { kind: 'invalid' });
    const path = await file(base);
    const input = { file: path, compression: 'none', parent: undefined, diffId: wrong } as const;
    await assert.rejects(driver.unpackFile(ctx, input), { kind: 'invalid' });
    const cut = base.subarray(0, 700);
    await assert.rejects(driver.unpack(ctx, diffIdOf(cut), undefined, stream(cut)), { kind: 'invalid' });
    const climbing = archiveOf({ '../x': 'y' });
    await assert.rejects(driver.unpack(ctx, diffIdOf(climbing), undefined, stream(climbing)), {
      kind: 'invalid',
    });
    assert.deepEqual(await driver.list(), { layers: [], snapshots: [] });
  });

  it('a snapshot shows the layers below; its changes are its own', async ({
    driver,
    write,
    read,
    remove,
  }) => {
    const { high } = await unpackTwo(driver);
    await driver.prepare('one', high);
    await driver.prepare('two', high);
    assert.equal(await driver.snapshotParent('one'), high);
    assert.equal(await driver.snapshotParent('none'), undefined);
    const { path } = await driver.mount('one', { volatile: false });
    assert.equal(path, driver.mountPath('one'));
    assert.equal((await driver.mount('one', { volatile: false })).path, path);
    await driver.mount('two', { volatile: true });
    assert.equal(await read('one', 'etc/a'), 'changed');
    assert.equal(await read('one', 'etc/b'), undefined);
    await write('one', 'etc/a', 'mine');
    await write('one', 'new', '12345');
    await remove('two', 'etc/a');
    assert.equal(await read('two', 'etc/a'), undefined);
    assert.equal(await read('two', 'new'), undefined);
    assert.deepEqual(await driver.changes(ctx, 'one'), [
      { path: '/etc', kind: 'modified' },
      { path: '/etc/a', kind: 'modified' },
      { path: '/new', kind: 'added' },
    ]);
    assert.deepEqual(await driver.changes(ctx, 'two'), [
      { path: '/etc', kind: 'modified' },
      { path: '/etc/a', kind: 'deleted' },
    ]);
    assert.deepEqual(await names(await driver.diff(ctx, 'one')), ['etc/', 'etc/a', 'new']);
    assert.deepEqual(await names(await driver.diff(ctx, 'two')), ['etc/', 'etc/.wh.a']);
    const without = await driver.diff(ctx, 'one', { omit: ['/etc/a'] });
    assert.ok(!(await names(without)).includes('etc/a'), 'left out');
    assert.deepEqual(await names(await driver.diff(ctx, 'one', { omit: ['/etc'] })), ['new']);
    assert.equal(await driver.usage('one'), 9);
    await driver.unmount('one');
    await driver.unmount('one');
    await driver.mount('one', { volatile: false });
    assert.equal(await read('one', 'etc/a'), 'mine');
  });

  it('a diff unpacked as a layer gives the same files', async ({ driver, write, read, remove }) => {
    const { low } = await unpackTwo(driver);
    await driver.prepare('one', low);
    await driver.mount('one', { volatile: false });
    await write('one', 'etc/a', 'committed');
    await remove('one', 'etc/b');
    const chunks: Buffer[] = [];
    for await (const chunk of await driver.diff(ctx, 'one')) chunks.push(chunk as Buffer);
    const layer = Buffer.concat(chunks);
    const chainId = chainIdOf(low, diffIdOf(layer));
    await driver.unpack(ctx, chainId, low, stream(layer));
    await driver.prepare('two', chainId);
    await driver.mount('two', { volatile: false });
    assert.equal(await read('two', 'etc/a'), 'committed');
    assert.equal(await read('two', 'etc/b'), undefined);
  });

  it('a layer can be written out again', async ({ driver }) => {
    const { high } = await unpackTwo(driver);
    assert.deepEqual(await names(await driver.diffLayer(ctx, high)), ['etc/', 'etc/.wh.b', 'etc/a']);
    assert.ok(Object.keys(await driver.describe({ layer: high })).length > 0);
  });

  it('stages a layer before anybody knows its place, and makes its archive again byte for byte', async ({
    driver,
    read,
  }) => {
    // Files large and small, a name that comes twice, something behind the end of the archive.
    const large = 'large '.repeat(20_000);
    const archive = Buffer.concat([
      archiveOf({ 'etc/': '', 'etc/a': 'one', 'etc/large': large, 'etc/again': large }).subarray(0, -1024),
      archiveOf({ 'etc/again': 'short', 'etc/b': large }),
      Buffer.alloc(3000, 'x'),
    ]);
    const low = await driver.stage(ctx, stream(archive));
    assert.equal(low.diffId, diffIdOf(archive));
    assert.equal(low.archiveSize, archive.length);
    assert.deepEqual((await driver.list()).layers, []);
    const high = await driver.stage(ctx, stream(top));
    const chain = [await driver.publish(low, undefined)];
    chain.push(await driver.publish(high, chain[0]));
    assert.deepEqual(chain, [low.diffId, chainIdOf(low.diffId, high.diffId)]);
    assert.equal((await driver.layer(chain[0] ?? ''))?.archiveSize, archive.length);
    assert.deepEqual(await buffer(await driver.diffLayer(ctx, chain[0] ?? '')), archive);
    assert.deepEqual(await buffer(await driver.diffLayer(ctx, chain[1] ?? '')), top);
    await driver.prepare('one', chain[1]);
    await driver.mount('one', { volatile: false });
    assert.equal(await read('one', 'etc/again'), 'short');
    assert.equal(await read('one', 'etc/large'), large);
    // The same layer again is no second one, and neither is one that was thrown away.
    assert.equal(await driver.publish(await driver.stage(ctx, stream(top)), chain[0]), chain[1]);
    const gone = await driver.stage(ctx, stream(base));
    await driver.discard(gone);
    await driver.discard(gone);
    assert.equal((await driver.list()).layers.length, 2);
    const cut = Buffer.concat([archiveOf({ a: large }).subarray(0, 9000)]);
    await assert.rejects(driver.stage(ctx, stream(cut)), { kind: 'invalid' });
  });

  it('remembers how a layer came, so that its file need not be kept', async ({ driver, file }) => {
    const { low } = await unpackTwo(driver);
    assert.equal((await driver.layer(low))?.archiveSize, undefined);
    const archive = { file: await file(base), compression: 'none', diffId: low } as const;
    const other = { ...archive, file: await file(top) };
    assert.equal(await driver.remember(ctx, low, other), false);
    assert.equal((await driver.layer(low))?.archiveSize, undefined);
    assert.equal(await driver.remember(ctx, low, archive), true);
    assert.equal(await driver.remember(ctx, low, archive), true);
    assert.equal((await driver.layer(low))?.archiveSize, base.length);
    assert.deepEqual(await buffer(await driver.diffLayer(ctx, low)), base);
  });

  it('places for mounts are no changes before they are claimed, and nothing else is then', async ({
    driver,
  }) => {
    const { high } = await unpackTwo(driver);
    await driver.prepare('one', high, { places: [{ path: '/place/below', kind: 'directory' }] });
    await driver.mount('one', { volatile: false });
    assert.deepEqual(await driver.changes(ctx, 'one'), []);
    await driver.ownPlaces('one');
    const claimed = (await driver.changes(ctx, 'one')).map(({ path }) => path);
    assert.deepEqual(
      claimed.filter((path) => path !== '/place' && path !== '/place/below'),
      [],
    );
  });

  it('a size holds for one snapshot alone, or is refused in words', async ({ driver, write }) => {
    const { high } = await unpackTwo(driver);
    const size = 8 << 20;
    if (driver.unlimited !== undefined) {
      assert.match(driver.unlimited, /^--storage-opt is supported only/);
      await assert.rejects(driver.prepare('small', high, { size }), {
        kind: 'invalid',
        message: driver.unlimited,
      });
      assert.deepEqual((await driver.list()).snapshots, []);
      return;
    }
    await driver.prepare('small', high, { size });
    await driver.prepare('other', high);
    for (const key of ['small', 'other']) await driver.mount(key, { volatile: false });
    await write('small', '/part', 'x'.repeat(size / 4));
    await driver.sync();
    await write('other', '/much', 'x'.repeat(2 * size));
    const over = async (): Promise<void> => {
      await write('small', '/much', 'y'.repeat(2 * size));
      await driver.sync();
      await write('small', '/more', 'y'.repeat(size));
    };
    await assert.rejects(over(), (error) => isFull(error));
    await driver.removeSnapshot('small');
    await driver.prepare('small', high);
    await driver.mount('small', { volatile: false });
    await write('small', '/much', 'x'.repeat(2 * size));
  });

  it('tells what each layer adds, changes and removes, and what it hides', async ({ driver }) => {
    const { low, high } = await unpackTwo(driver);
    const lines = async (files: boolean): Promise<Record<string, unknown>[]> => {
      const text = (await buffer(await driver.explore(ctx, [low, high], { files }))).toString();
      return text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    };
    const all = await lines(true);
    // A driver may tell of directories too.
    const files = all.filter((line) => line['type'] === 'file');
    assert.deepEqual(
      files.map(({ layer, path, kind, size, hidden }) => [layer, path, kind, size, hidden]),
      [
        [1, '/etc/a', 'added', 3, 0],
        [1, '/etc/b', 'added', 3, 0],
        [2, '/etc/a', 'changed', 7, 3],
        [2, '/etc/b', 'removed', 0, 3],
      ],
    );
    const sums = await lines(false);
    assert.deepEqual(
      sums.map(({ layer, size, hidden, removed }) => [layer, size, hidden, removed]),
      [
        [1, 6, 0, { entries: 0, bytes: 0 }],
        [2, 7, 6, { entries: 1, bytes: 3 }],
      ],
    );
    assert.equal(all.length - files.length - all.filter((line) => line['type'] === 'directory').length, 2);
    await assert.rejects(driver.explore(ctx, [`sha256:${'0'.repeat(64)}`], { files: false }), {
      kind: 'notFound',
    });
  });

  it('a snapshot without layers is empty', async ({ driver, write, read }) => {
    await driver.prepare('bare', undefined);
    await driver.mount('bare', { volatile: true });
    await write('bare', 'x', '1');
    assert.equal(await read('bare', 'x'), '1');
    assert.deepEqual(await driver.changes(ctx, 'bare'), [{ path: '/x', kind: 'added' }]);
  });

  it('refuses a key twice, a parent that is not there, and keys that are paths', async ({ driver }) => {
    await driver.prepare('one', undefined);
    await assert.rejects(driver.prepare('one', undefined), { kind: 'conflict' });
    await assert.rejects(driver.prepare('two', `sha256:${'0'.repeat(64)}`), { kind: 'notFound' });
    for (const key of ['', '..', '../x', 'a/b', 'a\0b', 'x'.repeat(200)])
      await assert.rejects(driver.prepare(key, undefined), { kind: 'invalid' }, JSON.stringify(key));
    await assert.rejects(driver.mount('none', { volatile: false }), { kind: 'notFound' });
    assert.deepEqual((await driver.list()).snapshots, ['one']);
  });

  it('removes what is mounted, what is gone, and lists no more of it', async ({ driver }) => {
    const { low, high } = await unpackTwo(driver);
    await driver.prepare('one', high);
    await driver.mount('one', { volatile: false });
    for (let i = 0; i < 2; i++) {
      await driver.removeSnapshot('one');
      await driver.removeLayer(high);
      await driver.removeLayer(low);
    }
    assert.deepEqual(await driver.list(), { layers: [], snapshots: [] });
    await unpackTwo(driver);
    await driver.sync();
  });
}
