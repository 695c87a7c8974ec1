/** What the layers of an image may try against each other and against the host, on real overlayfs; and what must still work. */

import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createGzip } from 'node:zlib';
import { encodeHeader, simpleHeader, tarEnd } from '../../src/core/tar/index.ts';
import { ctx, openEngine, tarOf, type Engine, type File } from './engine.ts';

const none = (): void => {};
const outside = mkdtempSync(join(tmpdir(), 'slip-outside-'));
let engine: Engine;
before(() => writeFileSync(join(outside, 'secret'), 'untouched'));
after(() => rmSync(outside, { recursive: true, force: true }));
beforeEach(async () => {
  engine = await openEngine();
});
afterEach(async () => {
  await engine.close();
  assert.deepEqual(readdirSync(outside), ['secret']);
  assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'untouched');
});

/** Commits one layer on top of the other, and mounts the result: its root. */
async function mounted(...layers: readonly (readonly File[])[]): Promise<string> {
  let base: string | undefined;
  for (const files of layers) {
    const layer = Readable.from([tarOf(files)], { objectMode: false });
    const { record } = await engine.images.commit(ctx, {
      layer,
      baseImageId: base,
      config: {},
      createdBy: 'test',
    });
    base = record.id;
  }
  const top = engine.images.topLayer(engine.images.resolve(base ?? ''));
  await engine.snapshots.prepare('box', top);
  return (await engine.snapshots.mount('box', { volatile: false })).path;
}

const dir = (name: string, more: Partial<File> = {}): File => ({ name, type: 'directory', ...more });
const link = (name: string, linkName: string): File => ({ name, type: 'symlink', linkName });

test('a whiteout of a link hides the link, never what it points to', async () => {
  const root = await mounted(
    [link('l', outside), dir('real'), { name: 'real/kept', text: '1' }, link('alias', 'real')],
    [{ name: '.wh.l' }, { name: '.wh.alias' }],
  );
  assert.deepEqual(readdirSync(root), ['real']);
  assert.equal(readFileSync(join(root, 'real/kept'), 'utf8'), '1');
});

test('a whiteout below a link of a lower layer stays in its own layer', async () => {
  // The layer has no such link itself: for it `l` is a directory, and the link below is replaced by it.
  const root = await mounted([link('l', outside)], [{ name: 'l/.wh.secret' }, { name: 'l/new', text: '1' }]);
  assert.equal(lstatSync(join(root, 'l')).isDirectory(), true);
  assert.equal(readFileSync(join(root, 'l/new'), 'utf8'), '1');
  assert.throws(() => readFileSync(join(root, 'l/secret')), { code: 'ENOENT' });
});

test('an opaque marker through a link to the host changes nothing there', async () => {
  const root = await mounted([link('l', outside), { name: 'l/.wh..wh..opq' }, { name: 'l/in', text: '1' }]);
  assert.equal(readlinkSync(join(root, 'l')), outside);
  assert.equal(readFileSync(join(root, outside, 'in'), 'utf8'), '1');
});

test('a hard link through a link of a lower layer finds nothing of the host', async () => {
  const attempt = mounted([link('l', outside)], [{ name: 'stolen', type: 'hardlink', linkName: 'l/secret' }]);
  await assert.rejects(attempt, { kind: 'invalid' });
  assert.equal(lstatSync(join(outside, 'secret')).nlink, 1);
});

test('device nodes are made as the layer says, and are no whiteouts unless 0/0', async () => {
  const device = (name: string, deviceMajor: number, deviceMinor: number): File => ({
    name,
    type: 'char',
    deviceMajor,
    deviceMinor,
  });
  const root = await mounted([device('null', 1, 3), { name: 'f', text: '1' }], [device('f', 1, 3)]);
  for (const name of ['null', 'f']) {
    const stats = lstatSync(join(root, name));
    assert.deepEqual([stats.isCharacterDevice(), stats.rdev], [true, 0x103], name);
  }
});

test('layers that hold no directories look as below, and /var/run still leads to /run', async () => {
  const root = await mounted(
    [dir('run'), dir('var', { mode: 0o750 }), link('var/run', '/run'), dir('srv', { mode: 0o1777, uid: 5 })],
    [
      { name: 'var/lib/x', text: '1' },
      { name: 'srv/y', text: '2' },
    ],
    [{ name: 'run/app.pid', text: '3' }],
  );
  assert.equal(readlinkSync(join(root, 'var/run')), '/run');
  assert.equal(readFileSync(join(root, 'run/app.pid'), 'utf8'), '3');
  assert.deepEqual(
    [lstatSync(join(root, 'var')).mode & 0o7777, lstatSync(join(root, 'srv')).mode & 0o7777],
    [0o750, 0o1777],
  );
  assert.equal(lstatSync(join(root, 'srv')).uid, 5);
});

test('a file in place of a directory of lower layers, and the other way round', async () => {
  const root = await mounted(
    [dir('d'), { name: 'd/x', text: '1' }, { name: 'f', text: '2' }],
    [{ name: 'd', text: 'file' }, dir('f'), { name: 'f/y', text: '3' }],
  );
  assert.equal(readFileSync(join(root, 'd'), 'utf8'), 'file');
  assert.deepEqual(readdirSync(join(root, 'f')), ['y']);
});

test('a million entries in a small archive: unpacked by a thread, memory stays bounded', async () => {
  // One directory, said a million times: 512 MB of headers in a few megabytes.
  const header = encodeHeader(simpleHeader('d/', { type: 'directory' }));
  const block = Buffer.concat(Array.from({ length: 1000 }, () => header));
  const blocks = function* (): Generator<Buffer> {
    for (let i = 0; i < 1000; i++) yield block;
    yield tarEnd;
  };
  const source = Readable.from(blocks(), { objectMode: false }).pipe(createGzip({ level: 1 }));
  const before = process.memoryUsage().rss;
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss - before)), 50);
  const record = await engine.images.import(ctx, { source, repository: 'many' }, none);
  clearInterval(watch);
  assert.equal(record.layers[0]?.size, 0);
  assert.ok(most < 300 << 20, `${most >> 20} MB`);
});

/** A header whose type says that what follows is pax fields. */
function paxHeader(size: number): Buffer {
  const header = encodeHeader(simpleHeader('pax', { size }));
  header.write('x', 156, 'latin1');
  return withChecksum(header);
}

function withChecksum(header: Buffer): Buffer {
  header.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

const lies: Record<string, () => Buffer> = {
  'a size in a pax header that the data does not have': () => {
    const text = '30 size=999999999999999999999\n';
    return Buffer.concat([
      paxHeader(text.length),
      Buffer.from(text.padEnd(512, '\0')),
      encodeHeader(simpleHeader('f', { size: 1 })),
      tarEnd,
    ]);
  },
  'a negative size in base-256': () => {
    const header = encodeHeader(simpleHeader('f', { size: 1 }));
    header.fill(0xff, 124, 136);
    return Buffer.concat([withChecksum(header), tarEnd]);
  },
  'a name that climbs': () => tarOf([{ name: '../../../../etc/evil', text: 'x' }]),
};
for (const [what, make] of Object.entries(lies)) {
  test(`an import is refused and leaves nothing: ${what}`, async () => {
    const source = Readable.from([make()], { objectMode: false });
    await assert.rejects(engine.images.import(ctx, { source, repository: 'x' }, none), { kind: 'invalid' });
    assert.deepEqual(await engine.images.list({ all: true }), []);
    assert.deepEqual(await engine.images.orphans(), { layers: [], blobs: [] });
    mkdirSync(join(engine.root, 'still-works'));
  });
}
