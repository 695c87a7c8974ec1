/** What an archive may try against the one who unpacks it, on the real kernel. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { computedMs } from '../helpers/processor-time.ts';
import { encodeHeader, simpleHeader, tarEnd, tarPadding, type TarHeader } from '../../src/core/tar/index.ts';
import { createFileAttributes } from '../../src/host/file-attributes.ts';
import { StorageWorkers } from '../../src/storage/index.ts';
import { attributesUrl, ctx, tarOf, type File } from '../images/engine.ts';

const root = mkdtempSync(join(tmpdir(), 'slip-extract-'));
const workers = new StorageWorkers({ attributesUrl });
const attributes = createFileAttributes();
let count = 0;
before(() => {
  mkdirSync(join(root, 'outside'));
  writeFileSync(join(root, 'outside/secret'), 'untouched');
});
after(async () => {
  await workers.close();
  // Not rmSync: it gives up where a path grows longer than the kernel takes.
  execFileSync('rm', ['-rf', root]);
});

interface Unpacked {
  readonly size: number;
  readonly implicit: readonly string[];
  readonly at: string;
  stat(path: string): Stats | undefined;
  text(path: string): string;
}

async function unpack(archive: Buffer): Promise<Unpacked> {
  const at = join(root, `t${++count}`);
  mkdirSync(at);
  const source = Readable.from([archive], { objectMode: false });
  const { size, implicit } = await workers.run(
    ctx,
    'unpack',
    { file: undefined, compression: 'none', target: at },
    source,
  );
  return {
    size,
    implicit,
    at,
    stat: (path) => lstatSync(join(at, path), { throwIfNoEntry: false }),
    text: (path) => readFileSync(join(at, path), 'utf8'),
  };
}
const files = (...list: readonly File[]): Promise<Unpacked> => unpack(tarOf(list));
const dir = (name: string, more: Partial<File> = {}): File => ({ name, type: 'directory', ...more });
const link = (name: string, linkName: string): File => ({ name, type: 'symlink', linkName });
const hard = (name: string, linkName: string): File => ({ name, type: 'hardlink', linkName });

function assertOutsideUntouched(): void {
  assert.deepEqual(readdirSync(join(root, 'outside')), ['secret']);
  assert.equal(readFileSync(join(root, 'outside/secret'), 'utf8'), 'untouched');
  const stats = lstatSync(join(root, 'outside/secret'));
  assert.equal(stats.nlink, 1);
}

/** The archive's fault, told without the places where the engine keeps things. */
function isRefusal(error: Error & { kind?: string }): boolean {
  assert.equal(error.kind, 'invalid', error.message);
  assert.ok(!error.message.includes(root), error.message);
  return true;
}

const refused: Record<string, readonly File[]> = {
  'a name that climbs': [{ name: '../outside/evil', text: 'x' }],
  'a name that climbs in the middle': [{ name: 'a/../../outside/evil', text: 'x' }],
  'a directory that climbs': [dir('a/../../outside/evil')],
  'a whiteout that climbs': [{ name: '../outside/.wh.secret' }],
  'a whiteout of ..': [dir('a'), { name: 'a/.wh...' }],
  'a whiteout of .': [dir('a'), { name: 'a/.wh..' }],
  'a whiteout of nothing': [{ name: '.wh.' }],
  'a hard link that climbs': [hard('a', '../outside/secret')],
  'a hard link to what is not there': [hard('a', 'b')],
  'a hard link to a directory': [dir('d'), hard('a', 'd')],
  'a link that leads round and round': [link('a', 'b'), link('b', 'a'), { name: 'a/c', text: 'x' }],
  'a file for a parent': [
    { name: 'a', text: 'x' },
    { name: 'a/b', text: 'y' },
  ],
  'a root that is a file': [{ name: './', text: '', type: 'symlink', linkName: '/' }],
  'a name that is too long': [{ name: 'n'.repeat(300), text: 'x' }],
  'a path that is too long': [{ name: `${'p/'.repeat(3000)}x`, text: 'x' }],
};
for (const [what, list] of Object.entries(refused))
  test(`refused: ${what}`, async () => {
    await assert.rejects(files(...list), isRefusal);
    assertOutsideUntouched();
  });

/** An entry whose fields stand in a pax header, as bytes: what no header block could hold. */
function pax(fields: Readonly<Record<string, string>>, file: Partial<TarHeader> & { name: string }): Buffer {
  const records = Object.entries(fields).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length;
    return `${length}${rest}`;
  });
  const text = Buffer.from(records.join(''), 'latin1');
  const header = encodeHeader(simpleHeader('pax', { size: text.length }));
  header.write('x', 156, 'latin1');
  return Buffer.concat([
    withChecksum(header),
    text,
    tarPadding(text.length),
    encodeHeader(simpleHeader(file.name, file)),
  ]);
}

function withChecksum(header: Buffer): Buffer {
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

const empty = { name: 'f' };
const lies: Record<string, Buffer> = {
  'a path in a pax header that climbs': pax({ path: '../outside/evil' }, empty),
  'a path in a pax header with a zero byte': pax({ path: 'a\0b' }, empty),
  'a target of a hard link in a pax header that climbs': pax(
    { linkpath: '../outside/secret' },
    { name: 'h', type: 'hardlink', linkName: 'x' },
  ),
  'a target of a link with a zero byte': pax(
    { linkpath: 'a\0b' },
    { name: 'l', type: 'symlink', linkName: 'x' },
  ),
  'a link to nothing': tarOf([link('l', '')]),
  'a hard link to the root': tarOf([hard('h', '/')]),
  'a hard link to itself through ..': tarOf([hard('h', 'a/../b')]),
  'an owner beyond 32 bits': pax({ uid: '99999999999' }, empty),
  'an owner that is no number': pax({ gid: 'root' }, empty),
  'a size that is no number': pax({ size: 'much' }, empty),
  'a size below nothing': pax({ size: '-5' }, empty),
  'an attribute with an endless name': pax({ [`SCHILY.xattr.user.${'n'.repeat(500)}`]: 'x' }, empty),
  'an attribute with a value larger than the kernel takes': pax(
    { 'SCHILY.xattr.user.big': 'x'.repeat(100_000) },
    empty,
  ),
  'an attribute of no namespace': pax({ 'SCHILY.xattr.nonsense': 'x' }, empty),
  'a capability that is none': pax({ 'SCHILY.xattr.security.capability': 'x' }, empty),
  'a pax record that is longer than its header': (() => {
    const bytes = pax({ path: 'a' }, empty);
    bytes.write('99', 512, 'latin1');
    return bytes;
  })(),
  'a sparse map that goes backwards': pax(
    {
      'GNU.sparse.major': '0',
      'GNU.sparse.minor': '1',
      'GNU.sparse.map': '10,5,0,5',
      'GNU.sparse.size': '20',
    },
    { name: 'f', size: 10 },
  ),
  'a sparse map beyond the size': pax(
    { 'GNU.sparse.major': '0', 'GNU.sparse.minor': '1', 'GNU.sparse.map': '0,100', 'GNU.sparse.size': '20' },
    { name: 'f', size: 100 },
  ),
  'a number of a device that no kernel has': pax({}, { name: 'c', type: 'char', deviceMajor: 2 ** 20 }),
};
for (const [what, archive] of Object.entries(lies))
  test(`refused: ${what}`, async () => {
    await assert.rejects(unpack(Buffer.concat([archive, Buffer.alloc(1024), tarEnd])), isRefusal);
    assertOutsideUntouched();
  });

const contained: Record<string, { list: readonly File[]; where: string; text?: string }> = {
  'an absolute name': { list: [{ name: '/etc/x', text: '1' }], where: 'etc/x' },
  'an absolute name that climbs': { list: [{ name: '/../../etc/x', text: '1' }], where: 'etc/x' },
  'a file through an absolute link': {
    list: [link('l', '/outside'), { name: 'l/x', text: '1' }],
    where: 'outside/x',
  },
  'a file through a link that climbs': {
    list: [link('l', '../../../../../../outside'), { name: 'l/x', text: '1' }],
    where: 'outside/x',
  },
  'a file through a link to the real outside': {
    list: [link('l', join(root, 'outside')), { name: 'l/secret', text: '1' }],
    where: join(root, 'outside/secret'),
  },
  'a directory through links in turn': {
    list: [link('a', 'b'), link('b', '/c'), dir('a/d'), { name: 'a/d/x', text: '1' }],
    where: 'c/d/x',
  },
  'a hard link through a link': {
    list: [link('l', join(root, 'outside')), { name: 'l/secret', text: '1' }, hard('h', 'l/secret')],
    where: 'h',
  },
  '/var/run that leads to /run': {
    list: [dir('run'), dir('var'), link('var/run', '/run'), { name: 'var/run/x.pid', text: '1' }],
    where: 'run/x.pid',
  },
  'a file that takes the place of a link': {
    list: [link('l', join(root, 'outside/secret')), { name: 'l', text: '1' }],
    where: 'l',
  },
  'a link that takes the place of a directory': {
    list: [
      dir('d'),
      { name: 'd/f', text: '0' },
      link('d', join(root, 'outside')),
      { name: 'd/secret', text: '1' },
    ],
    where: join(root, 'outside/secret'),
  },
};
for (const [what, { list, where }] of Object.entries(contained))
  test(`stays inside: ${what}`, async () => {
    const done = await files(...list);
    assert.equal(done.text(where), '1');
    assert.equal(done.stat(where)?.isFile(), true);
    assertOutsideUntouched();
  });

test('a hard link to a link is a link, and its target stays as it is', async () => {
  const done = await files(link('l', join(root, 'outside/secret')), hard('h', 'l'));
  assert.equal(done.stat('h')?.isSymbolicLink(), true);
  assertOutsideUntouched();
});

test('whiteouts: of names below, never of what the layer brings, whatever the order', async () => {
  const done = await files(
    { name: '.wh.gone' },
    dir('d'),
    { name: 'd/.wh..wh..opq' },
    { name: 'here', text: '1' },
    { name: '.wh.here' },
    { name: '.wh.later' },
    { name: 'later', text: '1' },
    { name: '.wh.tree' },
    { name: 'tree/x', text: '1' },
    link('l', join(root, 'outside')),
    { name: '.wh.l' },
    { name: 'l/.wh.secret' },
    { name: '.wh..wh.plnk/1.2', text: 'x' },
  );
  const gone = done.stat('gone');
  assert.ok(gone?.isCharacterDevice() === true && gone.rdev === 0);
  const opaque = (path: string): string | undefined =>
    attributes.getXattr(Buffer.from(join(done.at, path)), 'trusted.overlay.opaque')?.toString();
  assert.equal(opaque('d'), 'y');
  assert.equal(done.text('here') + done.text('later'), '11');
  assert.equal(opaque('tree'), 'y');
  assert.equal(done.stat('l')?.isSymbolicLink(), true);
  assert.equal(done.stat(join(root, 'outside/secret'))?.isCharacterDevice(), true);
  assertOutsideUntouched();
});

test('owners, modes, times, attributes, nodes and links come out as they went in', async () => {
  const xattrs = new Map([
    ['user.note', Buffer.from('hi')],
    ['security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex')],
    ['trusted.overlay.redirect', Buffer.from('/etc')],
    ['trusted.overlay.opaque', Buffer.from('y')],
  ]);
  const done = await files(
    dir('d', { mode: 0o2750, uid: 5, gid: 6, mtime: 1_600_000_000 }),
    { name: 'd/su', text: 'x', mode: 0o4755, uid: 7, gid: 8, mtime: 1_500_000_000.25, xattrs },
    { name: 'd/open', text: 'x', mode: 0o666, uid: 0, gid: 0 },
    hard('d/su2', 'd/su'),
    { ...link('d/l', 'nowhere'), uid: 9, gid: 10, mtime: 1_400_000_000 },
    { name: 'null', type: 'char', mode: 0o666, deviceMajor: 1, deviceMinor: 3 },
    { name: 'disk', type: 'block', mode: 0o600, deviceMajor: 259, deviceMinor: 70_000 },
    { name: 'pipe', type: 'fifo', mode: 0o644, uid: 3 },
  );
  const show = (path: string): unknown[] => {
    const stats = done.stat(path);
    return [((stats?.mode ?? 0) & 0o7777).toString(8), stats?.uid, stats?.gid, (stats?.mtimeMs ?? 0) / 1000];
  };
  assert.deepEqual(show('d'), ['2750', 5, 6, 1_600_000_000]);
  assert.deepEqual(show('d/su'), ['4755', 7, 8, 1_500_000_000.25]);
  assert.deepEqual(show('d/open'), ['666', 0, 0, 0]);
  assert.deepEqual(show('d/l').slice(1), [9, 10, 1_400_000_000]);
  assert.equal(done.stat('d/su2')?.ino, done.stat('d/su')?.ino);
  assert.equal(readlinkSync(join(done.at, 'd/l')), 'nowhere');
  const su = Buffer.from(join(done.at, 'd/su'));
  assert.deepEqual([...attributes.listXattrs(su)].sort(), ['security.capability', 'user.note']);
  assert.equal(
    execFileSync('stat', ['-c', '%t:%T', join(done.at, 'null'), join(done.at, 'disk')]).toString(),
    '1:3\n103:11170\n',
  );
  assert.equal(done.stat('pipe')?.isFIFO(), true);
});

test('names that are not UTF-8 keep their bytes', async () => {
  const done = await files({ name: 'caf\u00e9', text: '1' }, { name: 'caf\u00c3\u00a9/x', text: '2' });
  const names = readdirSync(done.at, { encoding: 'buffer' }).map((name) => name.toString('hex'));
  assert.deepEqual(names.sort(), ['636166c3a9', '636166e9']);
});

test('a name twice: the later one counts, also of another kind', async () => {
  const done = await files(
    { name: 'a', text: 'one' },
    { name: 'a', text: '2' },
    dir('b', { mode: 0o700 }),
    { name: 'b/kept', text: '1' },
    dir('b', { mode: 0o755 }),
    { name: 'c', text: '1' },
    dir('c'),
    { name: 'c/x', text: '1' },
  );
  assert.equal(done.text('a'), '2');
  assert.equal(done.text('b/kept'), '1');
  assert.equal((done.stat('b')?.mode ?? 0) & 0o777, 0o755);
  assert.equal(done.text('c/x'), '1');
});

test('directories that the archive does not hold are reported', async () => {
  const done = await files({ name: 'usr/lib/x', text: '1' }, dir('usr/share'));
  assert.deepEqual([...done.implicit].sort(), ['', 'usr', 'usr/lib']);
});

test('sparse files of GNU tar: holes stay holes', async () => {
  const tree = join(root, 'sparse');
  mkdirSync(tree);
  execFileSync('bash', [
    '-c',
    `truncate -s 64M ${tree}/f && printf end | dd of=${tree}/f bs=1 seek=40000000 conv=notrunc status=none`,
  ]);
  for (const format of ['--format=gnu', '--format=posix']) {
    const archive = execFileSync('tar', [format, '-S', '-C', tree, '-cf', '-', 'f'], {
      maxBuffer: 128 << 20,
    });
    const done = await unpack(archive);
    const stats = done.stat('f');
    assert.equal(stats?.size, 64 << 20);
    assert.ok((stats?.blocks ?? 0) * 512 < 1 << 20);
    execFileSync('cmp', [join(done.at, 'f'), join(tree, 'f')]);
  }
});

test('a size that lies about a terabyte fails when the data ends, and takes no room', async () => {
  const header = encodeHeader(simpleHeader('big', { size: 2 ** 40 }));
  await assert.rejects(unpack(Buffer.concat([header, Buffer.alloc(1024)])), /unexpected EOF/);
});

test('fifty thousand entries: none is held in memory, and other jobs go on', async () => {
  const entries: Buffer[] = [];
  for (let i = 0; i < 50_000; i++) entries.push(encodeHeader(simpleHeader(`d${i % 100}/f${i}`)));
  const before = process.memoryUsage().rss;
  const done = unpack(Buffer.concat([...entries, tarEnd]));
  let slowest = 0;
  const over = new AbortController();
  const watch = (async () => {
    while (!over.signal.aborted) {
      const start = computedMs();
      await new Promise((resolve) => setTimeout(resolve, 5));
      slowest = Math.max(slowest, computedMs() - start);
    }
  })();
  const { at } = await done;
  over.abort();
  await watch;
  assert.equal(readdirSync(join(at, 'd7')).length, 500);
  assert.ok(slowest < 250, `the main loop computed ${slowest} ms in one go`);
  assert.ok(process.memoryUsage().rss - before < 300 << 20);
  assert.ok(existsSync(join(at, 'd99/f49999')));
});
