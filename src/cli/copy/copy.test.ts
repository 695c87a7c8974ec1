import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { extract } from './extract.ts';
import { parseArgument, placeCopy } from './paths.ts';
import { readTar } from './tar-read.ts';
import { encodeHeader, packTar } from './tar-write.ts';

let root: string;
before(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'slip-copy-'));
});
after(() => fs.rmSync(root, { recursive: true, force: true }));

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function makeTree(name: string): string {
  const tree = path.join(root, name);
  fs.mkdirSync(path.join(tree, 'sub'), { recursive: true });
  fs.writeFileSync(path.join(tree, 'a.txt'), 'hello');
  fs.writeFileSync(path.join(tree, 'sub', `${'long'.repeat(40)}.bin`), Buffer.alloc(70_000, 7), {
    mode: 0o750,
  });
  fs.symlinkSync('../a.txt', path.join(tree, 'sub', 'link'));
  return tree;
}

test('what we pack tar(1) reads, and what tar(1) packs we unpack', async () => {
  const tree = makeTree('tree');
  const bytes = await collect(packTar(tree, 'tree', false));
  const listed = execFileSync('tar', ['-tf', '-'], { input: bytes, encoding: 'utf8' }).trim().split('\n');
  assert.deepEqual(
    listed.sort(),
    ['tree/', 'tree/a.txt', 'tree/sub/', 'tree/sub/link', `tree/sub/${'long'.repeat(40)}.bin`].sort(),
  );
  for (const format of ['pax', 'gnu']) {
    const packed = execFileSync('tar', ['-C', root, `--format=${format}`, '-cf', '-', 'tree'], {
      maxBuffer: 1e7,
    });
    const directory = path.join(root, `out-${format}`);
    fs.mkdirSync(directory);
    await extract({ tar: pieces(packed, 777), from: 'tree', directory, name: 'copy', keepOwner: false });
    assert.equal(fs.readFileSync(path.join(directory, 'copy/a.txt'), 'utf8'), 'hello');
    const big = path.join(directory, 'copy/sub', `${'long'.repeat(40)}.bin`);
    assert.deepEqual([fs.statSync(big).size, fs.statSync(big).mode & 0o777], [70_000, 0o750]);
    assert.equal(fs.readlinkSync(path.join(directory, 'copy/sub/link')), '../a.txt');
  }
});

/** A stream of these entries: names, types `0` file, `2` symlink, `5` directory. */
function evil(
  entries: readonly { name: string; type: '0' | '2' | '5'; link?: string; text?: string }[],
): AsyncGenerator<Uint8Array> {
  const blocks = entries.flatMap(({ name, type, link, text = '' }) => {
    const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
    body.write(text);
    return [
      encodeHeader({
        name,
        type,
        mode: 0o644,
        uid: 0,
        gid: 0,
        size: text.length,
        mtime: 0,
        linkName: link ?? '',
      }),
      body,
    ];
  });
  return pieces(Buffer.concat([...blocks, Buffer.alloc(1024)]), 512);
}

test('nothing is written outside the target', async () => {
  const outside = path.join(root, 'outside');
  fs.mkdirSync(outside);
  const directory = path.join(root, 'inside');
  fs.mkdirSync(directory);
  const into = (tar: AsyncIterable<Uint8Array>) =>
    extract({ tar, from: 'x', directory, name: 'x', keepOwner: false });
  await assert.rejects(
    into(evil([{ name: 'x/../../outside/a', type: '0', text: 'bad' }])),
    /invalid path in archive/,
  );
  const throughLink = evil([
    { name: 'x/', type: '5' },
    { name: 'x/link', type: '2', link: outside },
    { name: 'x/link/a', type: '0', text: 'bad' },
  ]);
  await assert.rejects(into(throughLink), /symbolic link/);
  const overLink = evil([
    { name: 'x/', type: '5' },
    { name: 'x/file', type: '2', link: path.join(outside, 'b') },
    { name: 'x/file', type: '0', text: 'mine' },
  ]);
  await into(overLink);
  assert.equal(fs.readFileSync(path.join(directory, 'x/file'), 'utf8'), 'mine');
  assert.deepEqual(fs.readdirSync(outside), []);
});

test('a stream cut short is an error', async () => {
  const bytes = await collect(packTar(makeTree('cut'), 't', false));
  await assert.rejects(async () => {
    for await (const item of readTar(pieces(bytes.subarray(0, 2000), 300)))
      for await (const _ of item.content);
  }, /unexpected EOF/);
});

test('where a copy goes', () => {
  const directory = { exists: true, isDirectory: true };
  const file = { exists: true, isDirectory: false };
  const missing = { exists: false, isDirectory: false };
  const place = (source: string, sourceIsDirectory: boolean, target: string, found: typeof file) =>
    placeCopy({ source, sourceIsDirectory, target, found });
  assert.deepEqual(place('/a/f', false, '/t', directory), { directory: '/t', name: 'f' });
  assert.deepEqual(place('/a/f', false, '/t/g', missing), { directory: '/t', name: 'g' });
  assert.deepEqual(place('/a/d', true, '/t', directory), { directory: '/t', name: 'd' });
  assert.deepEqual(place('/a/d/.', true, '/t', directory), { directory: '/t', name: '' });
  assert.deepEqual(place('/a/d/.', true, '/t/new', missing), { directory: '/t', name: 'new' });
  assert.throws(() => place('/a/d', true, '/t', file), /cannot copy directory/);
  assert.throws(() => place('/a/f', false, '/t/new/', missing), /no such directory/);
  assert.deepEqual(parseArgument('web:/etc'), { container: 'web', path: '/etc' });
  assert.deepEqual(parseArgument('./a:b'), { container: undefined, path: './a:b' });
});
