/** As much of ASN.1's DER as certificates need: definite lengths, tags of one byte. Everything read comes from strangers. */

import { invalid } from '../../../core/errors.ts';

export interface DerValue {
  /** With class and constructed bit: 0x30 is a SEQUENCE. */
  readonly tag: number;
  /** Header and content. */
  readonly raw: Buffer;
  readonly content: Buffer;
}

const broken = (): Error => invalid('malformed DER');

function lengthAt(data: Buffer, at: number): { readonly length: number; readonly next: number } {
  const first = data[at];
  if (first === undefined) throw broken();
  if (first < 0x80) return { length: first, next: at + 1 };
  const bytes = first & 0x7f;
  if (bytes === 0 || bytes > 4 || at + 1 + bytes > data.length) throw broken();
  const length = data.readUIntBE(at + 1, bytes);
  return { length, next: at + 1 + bytes };
}

/** The values that a content holds, one after the other, to its last byte. */
export function readDer(data: Buffer): readonly DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < data.length;) {
    const tag = data[at] ?? 0;
    if ((tag & 0x1f) === 0x1f) throw broken();
    const { length, next } = lengthAt(data, at + 1);
    const end = next + length;
    if (end > data.length) throw broken();
    values.push({ tag, raw: data.subarray(at, end), content: data.subarray(next, end) });
    at = end;
  }
  return values;
}

/** The one value that the data is. */
export function readOneDer(data: Buffer, tag: number): DerValue {
  const [value, ...more] = readDer(data);
  if (value?.tag !== tag || more.length > 0) throw broken();
  return value;
}

export function encodeDer(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  if (size < 0x80) return Buffer.concat([Buffer.of(tag, size), content]);
  const bytes = size < 0x100 ? 1 : size < 0x10000 ? 2 : size < 0x1000000 ? 3 : 4;
  const head = Buffer.alloc(2 + bytes);
  head[0] = tag;
  head[1] = 0x80 | bytes;
  head.writeUIntBE(size, 2, bytes);
  return Buffer.concat([head, content]);
}

/** `1.3.6.1` as the content of an OBJECT IDENTIFIER, in hex: what identifiers are compared by. */
export function oidHex(dotted: string): string {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((part) => {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return Buffer.from(bytes).toString('hex');
}
