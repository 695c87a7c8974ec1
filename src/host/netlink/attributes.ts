/**
 * The bytes of netlink: attributes (4 bytes of head, padded to 4) and messages (16 bytes of head). Pure. Numbers are
 * little-endian because that is what the supported machines (x86-64, arm64) are; `be` marks fields in network order.
 */

const NESTED = 0x8000;

/** Flags of a message's head. */
export const flag = {
  request: 0x1,
  multi: 0x2,
  ack: 0x4,
  dumpInterrupted: 0x10,
  root: 0x100,
  match: 0x200,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const;

export const align4 = (length: number): number => (length + 3) & ~3;

export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

export function be16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function be32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export function be64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** A string with its closing zero byte, as the kernel's NLA_NUL_STRING wants it. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`, 'utf8');
}

/** One attribute; its length field does not count the padding. */
export function attribute(type: number, payload: Uint8Array): Buffer {
  const length = 4 + payload.length;
  if (length > 0xffff)
    throw new RangeError(`netlink attribute ${type} of ${payload.length} bytes is too long`);
  const bytes = Buffer.alloc(align4(length));
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(payload, 4);
  return bytes;
}

/** An attribute that holds attributes. */
export function nested(type: number, ...children: readonly Uint8Array[]): Buffer {
  return attribute(type | NESTED, Buffer.concat(children));
}

/** As `nested` without the flag: rtnetlink's older attributes were defined before it. */
export function container(type: number, ...children: readonly Uint8Array[]): Buffer {
  return attribute(type, Buffer.concat(children));
}

/** One message; sequence and port are left zero for the sender to fill in. */
export function message(type: number, flags: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const bytes = Buffer.alloc(align4(16 + body.length));
  bytes.writeUInt32LE(16 + body.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.set(body, 16);
  return bytes;
}
