/** MessagePack, as far as the forward protocol needs it. */

/** A time with nanoseconds: extension 0 of the forward protocol. */
export interface EventTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export type Packable =
  | string
  | number
  | Buffer
  | EventTime
  | readonly Packable[]
  | { readonly map: Readonly<Record<string, Packable>> };

function head(
  small: number,
  limit: number,
  sizes: readonly [number, number, number],
  length: number,
): Buffer {
  if (length < limit) return Buffer.from([small | length]);
  const [one, two, four] = sizes;
  if (one !== 0 && length < 0x100) return Buffer.from([one, length]);
  const bytes = Buffer.alloc(length < 0x10000 ? 3 : 5);
  bytes[0] = length < 0x10000 ? two : four;
  if (length < 0x10000) bytes.writeUInt16BE(length, 1);
  else bytes.writeUInt32BE(length, 1);
  return bytes;
}

function packNumber(value: number): Buffer {
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`not packed: ${value}`);
  if (value < 0x80) return Buffer.from([value]);
  const bytes = Buffer.alloc(value < 0x1_0000_0000 ? 5 : 9);
  bytes[0] = bytes.length === 5 ? 0xce : 0xcf;
  if (bytes.length === 5) bytes.writeUInt32BE(value, 1);
  else bytes.writeBigUInt64BE(BigInt(value), 1);
  return bytes;
}

/** Bytes that may be no UTF-8 go as text all the same, as Docker's driver sends them: receivers expect a string there. */
function packText(bytes: Buffer): Buffer[] {
  return [head(0xa0, 32, [0xd9, 0xda, 0xdb], bytes.length), bytes];
}

function packInto(out: Buffer[], value: Packable): void {
  if (typeof value === 'string') out.push(...packText(Buffer.from(value)));
  else if (typeof value === 'number') out.push(packNumber(value));
  else if (Buffer.isBuffer(value)) out.push(...packText(value));
  else if (Array.isArray(value)) {
    out.push(head(0x90, 16, [0, 0xdc, 0xdd], value.length));
    for (const item of value as readonly Packable[]) packInto(out, item);
  } else if ('map' in value) {
    const entries = Object.entries(value.map);
    out.push(head(0x80, 16, [0, 0xde, 0xdf], entries.length));
    for (const [name, item] of entries) {
      packInto(out, name);
      packInto(out, item);
    }
  } else {
    const { seconds, nanoseconds } = value;
    const bytes = Buffer.alloc(10);
    bytes[0] = 0xd7;
    bytes.writeUInt32BE(seconds, 2);
    bytes.writeUInt32BE(nanoseconds, 6);
    out.push(bytes);
  }
}

export function pack(value: Packable): Buffer {
  const out: Buffer[] = [];
  packInto(out, value);
  return Buffer.concat(out);
}

/** The text of a map's entry in an answer like `{"ack": "..."}`; undefined while it is not complete. Throws for anything else. */
export function unpackAck(bytes: Buffer): { readonly ack: string; readonly size: number } | undefined {
  const prefix = Buffer.from([0x81, 0xa3, 0x61, 0x63, 0x6b]);
  if (!bytes.subarray(0, 5).equals(prefix.subarray(0, bytes.length)))
    throw new Error('not an acknowledgement');
  const kind = bytes[5];
  if (kind === undefined) return undefined;
  const isFixed = (kind & 0xe0) === 0xa0;
  if (!isFixed && kind !== 0xd9) throw new Error('not an acknowledgement');
  const start = isFixed ? 6 : 7;
  const length = isFixed ? kind & 0x1f : bytes[6];
  if (length === undefined || bytes.length < start + length) return undefined;
  return { ack: bytes.toString('utf8', start, start + length), size: start + length };
}
