/**
 * Tar headers: POSIX ustar and pax, GNU extensions. Names are byte strings (one char a byte, latin1): an archive may
 * hold names that are not UTF-8, and they must come out as they went in.
 */

import { invalid } from '../errors.ts';

export type TarType =
  | 'file'
  | 'hardlink'
  | 'symlink'
  | 'char'
  | 'block'
  | 'directory'
  | 'fifo'
  /** Types that no filesystem entry stands behind; readers skip them. */
  | 'other';

export interface TarHeader {
  /** Byte string, as written in the archive. */
  readonly name: string;
  readonly type: TarType;
  /** Permission bits with setuid, setgid, sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file's content (for a sparse file with its holes). */
  readonly size: number;
  /** Seconds since the epoch, with a fraction. */
  readonly mtime: number;
  /** Byte string; target of hard and symbolic links. */
  readonly linkName: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Extended attributes by name. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** Where the data of a sparse file lies, in order; undefined for a plain file. */
  readonly sparse?: readonly SparseRange[];
}

export interface SparseRange {
  readonly offset: number;
  readonly length: number;
}

export const blockSize = 512;

/** Fields as one 512-byte block holds them; `storedSize` is what follows it in the archive. */
export interface RawHeader {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly storedSize: number;
  readonly mtime: number;
  readonly typeFlag: string;
  readonly linkName: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly gnuSparse?: {
    readonly ranges: readonly SparseRange[];
    readonly more: boolean;
    readonly realSize: number;
  };
}

const bad = (why: string): Error => invalid(`archive/tar: invalid tar header: ${why}`);

function text(block: Buffer, from: number, length: number): string {
  const end = block.indexOf(0, from);
  return block.toString('latin1', from, end < 0 || end > from + length ? from + length : end);
}

/** Octal text, or GNU's base-256 for what octal cannot hold. */
export function readNumber(block: Buffer, from: number, length: number, field: string): number {
  const first = block[from] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = BigInt(first & 0x7f);
    for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[from + i] ?? 0);
    if ((first & 0x40) !== 0) value -= 1n << BigInt(length * 8 - 1);
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER))
      throw bad(`${field} too large`);
    return Number(value);
  }
  const digits = text(block, from, length).trim();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw bad(`${field} is not a number`);
  return Number.parseInt(digits, 8);
}

function checksumHolds(block: Buffer): boolean {
  let unsigned = 0;
  for (let i = 0; i < blockSize; i++) unsigned += i >= 148 && i < 156 ? 32 : (block[i] ?? 0);
  const stored = readNumber(block, 148, 8, 'checksum');
  if (stored === unsigned) return true;
  // Some old programs summed signed chars.
  let signed = 0;
  for (let i = 0; i < blockSize; i++) signed += i >= 148 && i < 156 ? 32 : block.readInt8(i);
  return stored === signed;
}

/** `count` ranges of GNU's old sparse format (two 12-byte numbers each) from `from`; an empty one ends the list. */
export function readSparseRanges(block: Buffer, from: number, count: number): SparseRange[] {
  const ranges: SparseRange[] = [];
  for (let i = 0; i < count; i++) {
    const at = from + i * 24;
    if (block[at] === 0) break;
    const offset = readNumber(block, at, 12, 'sparse offset');
    ranges.push({ offset, length: readNumber(block, at + 12, 12, 'sparse length') });
  }
  return ranges;
}

export function isZeroBlock(block: Buffer): boolean {
  for (let i = 0; i < blockSize; i += 4) if (block.readUInt32LE(i) !== 0) return false;
  return true;
}

/** One header block. `invalid` when it is none. */
export function parseHeader(block: Buffer): RawHeader {
  if (!checksumHolds(block)) throw bad('checksum');
  const magic = block.toString('latin1', 257, 265);
  const isGnu = magic === 'ustar  \0';
  const isPosix = magic.startsWith('ustar\0');
  const prefix = isPosix ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  const storedSize = readNumber(block, 124, 12, 'size');
  if (storedSize < 0) throw bad('negative size');
  const typeFlag = String.fromCharCode(block[156] ?? 0);
  const hasDevice = isGnu || isPosix;
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: readNumber(block, 100, 8, 'mode') & 0o7777,
    uid: readNumber(block, 108, 8, 'uid'),
    gid: readNumber(block, 116, 8, 'gid'),
    storedSize,
    mtime: readNumber(block, 136, 12, 'mtime'),
    typeFlag,
    linkName: text(block, 157, 100),
    deviceMajor: hasDevice ? readNumber(block, 329, 8, 'devmajor') : 0,
    deviceMinor: hasDevice ? readNumber(block, 337, 8, 'devminor') : 0,
    ...(typeFlag === 'S' && {
      gnuSparse: {
        ranges: readSparseRanges(block, 386, 4),
        more: block[482] === 1,
        realSize: readNumber(block, 483, 12, 'real size'),
      },
    }),
  };
}

const types: Readonly<Record<string, TarType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** What a header's type flag means; pre-POSIX archives write a directory as a file whose name ends in a slash. */
export function tarType(flag: string, name: string): TarType {
  const type = types[flag] ?? 'other';
  return type === 'file' && name.endsWith('/') ? 'directory' : type;
}
