/** Pax extended headers: records of `LENGTH KEY=VALUE\n` that override or add to the fields of the next entry. */

import { invalid } from '../errors.ts';
import type { SparseRange } from './header.ts';

export interface Pax {
  readonly fields: ReadonlyMap<string, string>;
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** `GNU.sparse.offset` and `numbytes` repeat, so they are gathered while reading (format 0.0). */
  readonly sparse00: readonly SparseRange[];
}

const bad = (): Error => invalid('archive/tar: invalid tar header: pax record');
const xattrPrefix = 'SCHILY.xattr.';

/** Reads the records; values are byte strings. */
export function parsePax(data: Buffer): Pax {
  const fields = new Map<string, string>();
  const xattrs = new Map<string, Buffer>();
  const sparse00: SparseRange[] = [];
  let pendingOffset = 0;
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    if (space < 0 || space - at > 10) throw bad();
    const digits = data.toString('latin1', at, space);
    const end = at + Number(digits);
    if (!/^\d+$/.test(digits) || end > data.length || end <= space + 1 || data[end - 1] !== 0x0a) throw bad();
    const equals = data.indexOf(0x3d, space);
    if (equals < 0 || equals >= end) throw bad();
    const key = data.toString('latin1', space + 1, equals);
    const value = data.toString('latin1', equals + 1, end - 1);
    if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), Buffer.from(value, 'latin1'));
    else if (key === 'GNU.sparse.offset') pendingOffset = paxNumber(value);
    else if (key === 'GNU.sparse.numbytes')
      sparse00.push({ offset: pendingOffset, length: paxNumber(value) });
    else fields.set(key, value);
    at = end;
  }
  return { fields, xattrs, sparse00 };
}

/** A decimal number of a pax record, with an optional fraction. */
export function paxNumber(value: string): number {
  if (!/^-?\d+(\.\d*)?$/.test(value)) throw bad();
  const number = Number(value);
  if (!Number.isFinite(number) || Math.abs(number) > Number.MAX_SAFE_INTEGER) throw bad();
  return number;
}

/** `offset,length,offset,length...` of sparse format 0.1, or the list of numbers of format 1.0. */
export function sparsePairs(numbers: readonly string[]): SparseRange[] {
  if (numbers.length % 2 !== 0) throw bad();
  const ranges: SparseRange[] = [];
  for (let i = 0; i < numbers.length; i += 2)
    ranges.push({ offset: paxNumber(numbers[i] ?? ''), length: paxNumber(numbers[i + 1] ?? '') });
  return ranges;
}

/** Refuses a map whose ranges overlap, run backwards, or do not hold exactly `dataSize` bytes within `realSize`. */
export function checkSparse(ranges: readonly SparseRange[], realSize: number, dataSize: number): void {
  let end = 0;
  let total = 0;
  for (const { offset, length } of ranges) {
    if (offset < end || length < 0 || !Number.isInteger(offset) || !Number.isInteger(length)) throw bad();
    end = offset + length;
    total += length;
  }
  if (end > realSize || total !== dataSize) throw invalid('archive/tar: invalid tar header: sparse map');
}
