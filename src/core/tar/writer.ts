/** Tar headers for writing: ustar where it fits, a pax header in front where it does not. Byte strings as in header.ts. */

import { blockSize, type TarHeader, type TarType } from './header.ts';

const flags: Readonly<Record<Exclude<TarType, 'other'>, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

const maxOctal = (length: number): number => 8 ** (length - 1) - 1;

function octal(block: Buffer, from: number, length: number, value: number): void {
  block.write(
    Math.trunc(value)
      .toString(8)
      .padStart(length - 1, '0'),
    from,
    length - 1,
    'latin1',
  );
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = 1 + Buffer.byteLength(key, 'latin1') + 1 + value.length + 1;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`, 'latin1'), value, Buffer.from('\n')]);
}

function block(name: string, flag: string, size: number, header: TarHeader | undefined): Buffer {
  const out = Buffer.alloc(blockSize);
  out.write(name.slice(0, 100), 0, 'latin1');
  const fit = (value: number, length: number): number =>
    value >= 0 && value <= maxOctal(length) ? value : 0;
  octal(out, 100, 8, header?.mode ?? 0o644);
  octal(out, 108, 8, fit(header?.uid ?? 0, 8));
  octal(out, 116, 8, fit(header?.gid ?? 0, 8));
  octal(out, 124, 12, fit(size, 12));
  octal(out, 136, 12, fit(Math.floor(header?.mtime ?? 0), 12));
  out.write(flag, 156, 'latin1');
  if (header !== undefined) out.write(header.linkName.slice(0, 100), 157, 'latin1');
  out.write('ustar\x0000', 257, 'latin1');
  octal(out, 329, 8, header?.deviceMajor ?? 0);
  octal(out, 337, 8, header?.deviceMinor ?? 0);
  out.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of out) sum += byte;
  out.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return out;
}

/** Pax text is UTF-8; a name that is not stays as its bytes, which readers take as they are. */
const bytes = (value: string): Buffer => Buffer.from(value, 'latin1');
const isAscii = (value: string): boolean => !/[^\0-\x7f]/.test(value);

function paxOf(header: TarHeader): Buffer {
  const records: Buffer[] = [];
  const add = (key: string, value: Buffer): void => void records.push(paxRecord(key, value));
  if (header.name.length > 100 || !isAscii(header.name)) add('path', bytes(header.name));
  if (header.linkName.length > 100 || !isAscii(header.linkName)) add('linkpath', bytes(header.linkName));
  if (header.size > maxOctal(12)) add('size', bytes(String(header.size)));
  if (header.uid > maxOctal(8)) add('uid', bytes(String(header.uid)));
  if (header.gid > maxOctal(8)) add('gid', bytes(String(header.gid)));
  if (!Number.isInteger(header.mtime) || header.mtime < 0 || header.mtime > maxOctal(12))
    add('mtime', bytes(header.mtime.toFixed(9).replace(/\.?0+$/, '')));
  for (const [key, value] of header.xattrs) add(`SCHILY.xattr.${key}`, value);
  return Buffer.concat(records);
}

/** Zeros that fill the last block after `size` bytes of data. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize);
}

/** The blocks in front of an entry's data. The data follows, then `tarPadding(size)`. */
export function encodeHeader(header: TarHeader): Buffer {
  const flag = header.type === 'other' ? '0' : flags[header.type];
  const pax = paxOf(header);
  const main = block(header.name, flag, header.type === 'file' ? header.size : 0, header);
  if (pax.length === 0) return main;
  const name = `PaxHeaders.0/${header.name.slice(-80)}`;
  return Buffer.concat([block(name, 'x', pax.length, undefined), pax, tarPadding(pax.length), main]);
}

/** What ends an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * blockSize);

/** A header for a plain file or directory of root's; the rest as given. */
export function simpleHeader(name: string, given: Partial<TarHeader> = {}): TarHeader {
  const type = given.type ?? 'file';
  return {
    name,
    type,
    mode: type === 'directory' ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0,
    linkName: '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: new Map(),
    ...given,
  };
}
