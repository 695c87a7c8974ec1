import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync, linkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import {
  encodeHeader,
  simpleHeader,
  tarEnd,
  tarEntries,
  tarPadding,
  TarParser,
  type TarHeader,
} from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'slip-tar-'));
after(() => rmSync(root, { recursive: true, force: true }));

interface Read {
  readonly header: TarHeader;
  readonly data: Buffer;
}

function parse(archive: Buffer, step = 65536): Read[] {
  const out: Read[] = [];
  let header: TarHeader | undefined;
  let data: Buffer[] = [];
  const parser = new TarParser({
    entry: (next) => {
      header = next;
      data = [];
    },
    data: (chunk) => void data.push(Buffer.from(chunk)),
    end: () => {
      if (header !== undefined) out.push({ header, data: Buffer.concat(data) });
    },
  });
  for (let at = 0; at < archive.length; at += step) parser.push(archive.subarray(at, at + step));
  parser.finish();
  return out;
}

function write(entries: readonly { header: TarHeader; data?: Buffer }[]): Buffer {
  return Buffer.concat([
    ...entries.flatMap(({ header, data = Buffer.alloc(0) }) => [
      encodeHeader(header),
      data,
      tarPadding(data.length),
    ]),
    tarEnd,
  ]);
}

const expand = ({ header, data }: Read): Buffer => {
  if (header.sparse === undefined) return data;
  const out = Buffer.alloc(header.size);
  let at = 0;
  for (const { offset, length } of header.sparse) {
    data.copy(out, offset, at, at + length);
    at += length;
  }
  return out;
};

test('what the writer writes the parser reads, at any chunk size', () => {
  const long = `${'d'.repeat(120)}/${'f'.repeat(140)}`;
  const headers = [
    simpleHeader('plain', { size: 700, mtime: 1_700_000_000.25, mode: 0o4755, uid: 12, gid: 3_000_000 }),
    simpleHeader('dir/', { type: 'directory' }),
    simpleHeader(long, { size: 3 }),
    simpleHeader('link', { type: 'symlink', linkName: `../${long}` }),
    simpleHeader('hard', { type: 'hardlink', linkName: 'plain' }),
    simpleHeader('dev', { type: 'char', deviceMajor: 5, deviceMinor: 300 }),
    simpleHeader('caf\u00c3\u00a9\u00ff', {
      xattrs: new Map([['security.capability', Buffer.from([1, 0, 10, 255])]]),
    }),
  ];
  const archive = write(headers.map((header) => ({ header, data: Buffer.alloc(header.size, 7) })));
  for (const step of [1, 100, 512, 513, 65536]) {
    const read = parse(archive, step);
    assert.deepEqual(
      read.map((each) => each.header),
      headers,
    );
    assert.deepEqual(
      read.map((each) => each.data.length),
      [700, 0, 3, 0, 0, 0, 0],
    );
  }
});

test('reads what GNU tar and bsdtar write: long names, links, sparse files in every format', () => {
  const tree = join(root, 'tree');
  const deep = 'n'.repeat(90);
  mkdirSync(join(tree, deep, deep), { recursive: true });
  writeFileSync(join(tree, deep, deep, 'file'), 'hello');
  linkSync(join(tree, deep, deep, 'file'), join(tree, 'hard'));
  symlinkSync(`${deep}/${deep}/file`, join(tree, 'soft'));
  const holes = join(tree, 'holes');
  writeFileSync(holes, 'start');
  truncateSync(holes, 3 << 20);
  // 40 islands need more ranges than the first header and one extension hold.
  const island = 'execSync';
  for (let i = 1; i <= 40; i++)
    execFileSync('dd', [`of=${holes}`, 'conv=notrunc', 'bs=65536', `seek=${i}`, 'count=1', 'status=none'], {
      input: island,
    });
  const expected = execFileSync('cat', [holes], { maxBuffer: 8 << 20 });
  const formats = [
    ['--format=gnu', '-S'],
    ['--format=posix', '-S', '--sparse-version=0.0'],
    ['--format=posix', '-S', '--sparse-version=0.1'],
    ['--format=posix', '-S', '--sparse-version=1.0'],
    ['--format=posix'],
  ];
  for (const format of formats) {
    const archive = execFileSync('tar', [...format, '-C', tree, '-cf', '-', '.'], { maxBuffer: 64 << 20 });
    const read = new Map(parse(archive).map((each) => [each.header.name, each]));
    const file = read.get('./holes');
    assert.ok(file, `${format.join(' ')}: ${[...read.keys()].join(' ').slice(0, 300)}`);
    assert.ok(expand(file).equals(expected), format.join(' '));
    assert.equal(read.get('./soft')?.header.linkName, `${deep}/${deep}/file`);
    const hard = [...read.values()].find((each) => each.header.type === 'hardlink');
    assert.ok(hard);
    assert.equal(read.get(hard.header.linkName)?.data.toString(), 'hello');
  }
});

test('a cut archive is refused wherever it is cut, except between entries', () => {
  const archive = write([
    { header: simpleHeader('a', { size: 600 }), data: Buffer.alloc(600) },
    { header: simpleHeader('b'.repeat(200), { size: 1 }), data: Buffer.alloc(1) },
  ]);
  const boundaries = new Set([0, 512 + 1024]);
  for (let cut = 0; cut < archive.length - 1024; cut += 100) {
    if (boundaries.has(cut)) continue;
    assert.throws(() => parse(archive.subarray(0, cut)), /unexpected EOF/, String(cut));
  }
  assert.equal(parse(archive.subarray(0, 512 + 1024)).length, 1);
});

test('nonsense is refused', () => {
  assert.throws(() => parse(Buffer.alloc(1024, 'x')), /invalid tar header/);
  const archive = write([{ header: simpleHeader('a') }]);
  archive[0] = 0x62;
  assert.throws(() => parse(archive), /checksum/);
  const pax = (record: string): Buffer => {
    const body = Buffer.from(record, 'latin1');
    const header = encodeHeader(simpleHeader('x', { size: body.length }));
    header[156] = 'x'.charCodeAt(0);
    header.fill(0x20, 148, 156);
    let sum = 0;
    for (const byte of header) sum += byte;
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return Buffer.concat([header, body, tarPadding(body.length), write([{ header: simpleHeader('a') }])]);
  };
  for (const record of [
    '5 a=b\n',
    '99 path=x\n',
    'x path=a\n',
    '10 path=a\nb',
    '13 path=a\0bcd\n',
    '9 size=x\n',
  ])
    assert.throws(() => parse(pax(record)), /invalid tar header/, JSON.stringify(record));
  const map = 'GNU.sparse.map=0,5,3,9';
  const many = ['GNU.sparse.numblocks=2', 'GNU.sparse.size=100', map]
    .map((r) => `${r.length + 4} ${r}\n`)
    .join('');
  assert.throws(() => parse(pax(many)), /invalid tar header/);
});

test('entries as a stream: bodies may be read, read in part, or left', async () => {
  const archive = write(
    Array.from({ length: 20 }, (_, i) => ({
      header: simpleHeader(`f${i}`, { size: i * 1000 }),
      data: Buffer.alloc(i * 1000, i),
    })),
  );
  const chunks = Array.from({ length: Math.ceil(archive.length / 777) }, (_, i) =>
    archive.subarray(i * 777, i * 777 + 777),
  );
  const seen: number[] = [];
  for await (const { header, body } of tarEntries(Readable.from(chunks))) {
    const index = seen.length;
    assert.equal(header.name, `f${index}`);
    if (index % 3 === 0) {
      let length = 0;
      for await (const chunk of body) length += (chunk as Buffer).length;
      assert.equal(length, index * 1000);
    } else if (index % 3 === 1) {
      for await (const chunk of body) {
        assert.ok((chunk as Buffer).length > 0);
        break;
      }
    }
    seen.push(index);
  }
  assert.equal(seen.length, 20);
});

test('entries as a stream: a body that flows away while the next entry is asked for takes nothing along', async () => {
  const archive = write(
    Array.from({ length: 20 }, (_, i) => ({
      header: simpleHeader(`f${i}`, { size: 5000 }),
      data: Buffer.alloc(5000, i),
    })),
  );
  const slowly = async function* (data: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < data.length; at += 777) {
      await new Promise(setImmediate);
      yield data.subarray(at, at + 777);
    }
  };
  const names: string[] = [];
  for await (const { header, body } of tarEntries(slowly(archive))) {
    names.push(header.name);
    body.resume();
  }
  assert.deepEqual(
    names,
    Array.from({ length: 20 }, (_, i) => `f${i}`),
  );
  const cut = tarEntries(slowly(archive.subarray(0, 3000)));
  await assert.rejects(async () => {
    for await (const { body } of cut) body.resume();
  }, /unexpected EOF/);
});

test('entries as a stream: a body that nobody reads yet holds the source up', async () => {
  const size = 8 << 20;
  const archive = write([{ header: simpleHeader('big', { size }), data: Buffer.alloc(size, 'x') }]);
  let given = 0;
  const chunks = function* (): Generator<Buffer> {
    for (let at = 0; at < archive.length; at += 64 << 10) {
      const chunk = archive.subarray(at, at + (64 << 10));
      given += chunk.length;
      yield chunk;
    }
  };
  let read = 0;
  for await (const { body } of tarEntries(Readable.from(chunks(), { objectMode: false }))) {
    body.once('readable', () => {});
    for (let turn = 0; turn < 500; turn++) await new Promise(setImmediate);
    assert.ok(given < 2 << 20, `${given} bytes were taken from the source`);
    for await (const chunk of body) read += (chunk as Buffer).length;
  }
  assert.equal(read, size);
});

test('entries as a stream: an archive that was cut before anybody looked fails where it is read', async () => {
  const archive = write([{ header: simpleHeader('f', { size: 5000 }), data: Buffer.alloc(5000) }]);
  const source = Readable.from([archive.subarray(0, 2000)], { objectMode: false });
  await assert.rejects(async () => {
    for await (const { body } of tarEntries(source)) {
      await new Promise(setImmediate);
      for await (const chunk of body) assert.ok((chunk as Buffer).length > 0);
    }
  }, /unexpected EOF/);
});
