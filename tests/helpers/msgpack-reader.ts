/** Reads MessagePack: for receivers in tests. Undefined while a value is not complete. */

export interface Unpacked {
  readonly value: unknown;
  readonly size: number;
}

class Incomplete extends Error {}

class Reader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  #need(size: number): number {
    const at = this.at;
    if (at + size > this.#bytes.length) throw new Incomplete();
    this.at += size;
    return at;
  }

  #uint(size: 1 | 2 | 4): number {
    return this.#bytes.readUIntBE(this.#need(size), size);
  }

  #text(length: number): Buffer {
    const at = this.#need(length);
    return this.#bytes.subarray(at, at + length);
  }

  #list(length: number): unknown[] {
    return Array.from({ length }, () => this.value());
  }

  #map(length: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    for (let index = 0; index < length; index += 1) entries.push([String(this.value()), this.value()]);
    return Object.fromEntries(entries);
  }

  value(): unknown {
    const kind = this.#uint(1);
    if (kind < 0x80) return kind;
    if (kind < 0x90) return this.#map(kind & 15);
    if (kind < 0xa0) return this.#list(kind & 15);
    if (kind < 0xc0) return this.#text(kind & 31);
    switch (kind) {
      case 0xd9:
        return this.#text(this.#uint(1));
      case 0xda:
        return this.#text(this.#uint(2));
      case 0xdb:
        return this.#text(this.#uint(4));
      case 0xdc:
        return this.#list(this.#uint(2));
      case 0xdd:
        return this.#list(this.#uint(4));
      case 0xde:
        return this.#map(this.#uint(2));
      case 0xdf:
        return this.#map(this.#uint(4));
      case 0xce:
        return this.#uint(4);
      case 0xcf:
        return Number(this.#bytes.readBigUInt64BE(this.#need(8)));
      case 0xd7: {
        const type = this.#uint(1);
        return { type, seconds: this.#uint(4), nanoseconds: this.#uint(4) };
      }
      default:
        throw new Error(`not read: 0x${kind.toString(16)}`);
    }
  }
}

export function unpack(bytes: Buffer): Unpacked | undefined {
  const reader = new Reader(bytes);
  try {
    return { value: reader.value(), size: reader.at };
  } catch (error) {
    if (error instanceof Incomplete) return undefined;
    throw error;
  }
}
