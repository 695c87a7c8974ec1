/** Entries of a tar stream: ustar with pax and GNU long names, as engines send. */

export interface TarEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  readonly linkName: string;
}

export interface TarItem {
  readonly entry: TarEntry;
  /** The file's bytes; must be read to its end before the next item. */
  readonly content: AsyncIterable<Uint8Array>;
}

const BLOCK = 512;

/** Gives exactly as many bytes as asked for from pieces of any size. */
class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (done === true) return false;
    this.#rest = this.#rest.length === 0 ? Buffer.from(value) : Buffer.concat([this.#rest, value]);
    return true;
  }

  /** `size` bytes, or undefined when the stream ends before the first. */
  async exactly(size: number): Promise<Buffer | undefined> {
    while (this.#rest.length < size) {
      if (await this.#more()) continue;
      if (this.#rest.length === 0) return undefined;
      throw new Error('unexpected EOF in tar stream');
    }
    const out = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return out;
  }

  async *upTo(size: number): AsyncGenerator<Uint8Array, void, undefined> {
    let left = size;
    while (left > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) throw new Error('unexpected EOF in tar stream');
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** Reads to the end, so that the connection can be used again. */
  async drain(): Promise<void> {
    this.#rest = Buffer.alloc(0);
    while (await this.#more()) this.#rest = Buffer.alloc(0);
  }
}

const field = (block: Buffer, at: number, length: number): string => {
  const text = block.toString('utf8', at, at + length);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
};

/** Octal, or GNU's base 256 when the first bit is set. */
function number(block: Buffer, at: number, length: number): number {
  if (((block[at] ?? 0) & 0x80) !== 0) {
    let value = BigInt((block[at] ?? 0) & 0x7f);
    for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[at + i] ?? 0);
    return Number(value);
  }
  return Number.parseInt(field(block, at, length).trim() || '0', 8);
}

function parsePax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const blank = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, blank));
    if (blank < 0 || !Number.isInteger(length) || length <= 0) break;
    const record = bytes.toString('utf8', blank + 1, at + length - 1);
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

const TYPES: Readonly<Record<string, TarEntry['type']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '5': 'directory',
  '2': 'symlink',
  '1': 'hardlink',
};

function toEntry(block: Buffer, pax: ReadonlyMap<string, string>): TarEntry {
  const prefix = field(block, 257, 5) === 'ustar' ? field(block, 345, 155) : '';
  const short = field(block, 0, 100);
  return {
    name: pax.get('path') ?? (prefix === '' ? short : `${prefix}/${short}`),
    type: TYPES[String.fromCharCode(block[156] ?? 0)] ?? 'other',
    mode: number(block, 100, 8) & 0o7777,
    uid: Number(pax.get('uid') ?? number(block, 108, 8)),
    gid: Number(pax.get('gid') ?? number(block, 116, 8)),
    size: Number(pax.get('size') ?? number(block, 124, 12)),
    mtime: Number(pax.get('mtime') ?? number(block, 136, 12)),
    linkName: pax.get('linkpath') ?? field(block, 157, 100),
  };
}

/** The items in order. Throws on a stream that is cut short. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarItem, void, undefined> {
  const reader = new ByteReader(source);
  let pax = new Map<string, string>();
  for (;;) {
    const block = await reader.exactly(BLOCK);
    if (block === undefined || block.every((byte) => byte === 0)) break;
    const kind = String.fromCharCode(block[156] ?? 0);
    const entry = toEntry(block, pax);
    const size = entry.type === 'file' || entry.type === 'other' ? entry.size : 0;
    const padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if ('xLKg'.includes(kind)) {
      const length = number(block, 124, 12);
      const bytes =
        (await reader.exactly(length + ((BLOCK - (length % BLOCK)) % BLOCK)))?.subarray(0, length) ??
        Buffer.alloc(0);
      if (kind === 'x') pax = new Map([...pax, ...parsePax(bytes)]);
      if (kind === 'L') pax.set('path', field(bytes, 0, bytes.length));
      if (kind === 'K') pax.set('linkpath', field(bytes, 0, bytes.length));
      continue;
    }
    pax = new Map();
    let read = 0;
    const content = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const part of reader.upTo(size - read)) {
        read += part.length;
        yield part;
      }
    };
    yield { entry, content: content() };
    for await (const part of reader.upTo(size - read)) read += part.length;
    if (padding > 0) await reader.exactly(padding);
  }
  await reader.drain();
}
