/** A tar stream of local files: ustar, with pax records where names or numbers do not fit. */
import fs from 'node:fs';
import path from 'node:path';
import { readFileFrom } from '../output-file.ts';

const BLOCK = 512;
const MAX_OCTAL_SIZE = 0o77777777777;

interface Header {
  readonly name: string;
  readonly type: '0' | '2' | '5' | 'x';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly linkName: string;
}

const octal = (value: number, length: number): string =>
  `${Math.trunc(value)
    .toString(8)
    .padStart(length - 1, '0')}\0`;

function headerBlock(header: Header): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(header.name, 0, 100);
  block.write(octal(header.mode & 0o7777, 8), 100);
  block.write(octal(Math.min(header.uid, 0o7777777), 8), 108);
  block.write(octal(Math.min(header.gid, 0o7777777), 8), 116);
  block.write(octal(Math.min(header.size, MAX_OCTAL_SIZE), 12), 124);
  block.write(octal(Math.max(0, header.mtime), 12), 136);
  block.write('        ', 148);
  block.write(header.type, 156);
  block.write(header.linkName, 157, 100);
  block.write('ustar\u000000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

const padded = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);

/** `length key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const body = ` ${key}=${value}\n`;
  const size = Buffer.byteLength(body);
  let length = size + String(size).length;
  if (size + String(length).length !== length) length = size + String(length).length;
  return `${length}${body}`;
}

/** The header, with a pax header in front when it needs one. */
export function encodeHeader(header: Header): Buffer {
  const records: string[] = [];
  if (Buffer.byteLength(header.name) > 100) records.push(paxRecord('path', header.name));
  if (Buffer.byteLength(header.linkName) > 100) records.push(paxRecord('linkpath', header.linkName));
  if (header.size > MAX_OCTAL_SIZE) records.push(paxRecord('size', String(header.size)));
  if (header.uid > 0o7777777) records.push(paxRecord('uid', String(header.uid)));
  if (header.gid > 0o7777777) records.push(paxRecord('gid', String(header.gid)));
  const main = headerBlock(header);
  if (records.length === 0) return main;
  const bytes = Buffer.from(records.join(''));
  const pax = headerBlock({
    ...header,
    name: 'PaxHeaders/entry',
    type: 'x',
    size: bytes.length,
    linkName: '',
  });
  return Buffer.concat([pax, padded(bytes), main]);
}

async function* fileBytes(file: string, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  let left = size;
  for await (const chunk of readFileFrom(file)) {
    // A file that grows while it is read must not break the archive.
    const part = chunk.subarray(0, left);
    left -= part.length;
    if (part.length > 0) yield part;
    if (left === 0) break;
  }
  if (left > 0) throw new Error(`${file}: file shrank while it was read`);
  const padding = (BLOCK - (size % BLOCK)) % BLOCK;
  if (padding > 0) yield Buffer.alloc(padding);
}

async function* packEntry(
  file: string,
  name: string,
  follow: boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stat = follow ? await fs.promises.stat(file) : await fs.promises.lstat(file);
  const common = { mode: stat.mode, uid: stat.uid, gid: stat.gid, mtime: stat.mtimeMs / 1000 };
  if (stat.isSymbolicLink()) {
    yield encodeHeader({ ...common, name, type: '2', size: 0, linkName: await fs.promises.readlink(file) });
  } else if (stat.isDirectory()) {
    yield encodeHeader({ ...common, name: `${name}/`, type: '5', size: 0, linkName: '' });
    for (const child of (await fs.promises.readdir(file)).sort())
      yield* packEntry(path.join(file, child), `${name}/${child}`, false);
  } else if (stat.isFile()) {
    yield encodeHeader({ ...common, name, type: '0', size: stat.size, linkName: '' });
    yield* fileBytes(file, stat.size);
  }
}

/** `file` and all below it, under `name`. Sockets, pipes and devices are left out. */
export async function* packTar(
  file: string,
  name: string,
  follow: boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* packEntry(file, name, follow);
  yield Buffer.alloc(2 * BLOCK);
}
