/**
 * A recipe says how a layer's archive is made again from its unpacked files, byte for byte: headers, padding and small
 * files as they were, larger files by their place. With it neither the archive nor its compressed form needs to be
 * kept. The file is gzip of frames: `0 length bytes`, or `1 length path size` (numbers little-endian, 32 and 64 bits).
 */

import {
  closeSync,
  constants as C,
  createReadStream,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createGunzip, gzipSync } from 'node:zlib';
import { invalid } from '../../core/errors.ts';

/** Files of a layer's directory, beside its `diff`. */
export const recipeName = 'recipe.gz';
/** What a later entry of the same archive replaced: moved here, since the recipe still needs it. */
export const keptName = 'kept';
/** Number of a reference -> its place in `kept`. */
const movedName = 'kept.json';

/** All that a recipe may consist of. */
export const recipeFiles: readonly string[] = [keptName, movedName, recipeName];

const batchBytes = 1 << 20;
/** Smaller files cost more to open than to store. */
export const smallestReference = 4096;

export class RecipeWriter {
  readonly #directory: string;
  readonly #fd: number;
  #open = true;
  #batch: Buffer[] = [];
  #bytes = 0;
  #count = 0;
  #kept = 0;
  /** Path -> number of the reference to it. */
  readonly #references = new Map<string, number>();
  readonly #moved: Record<number, string> = {};

  /** `directory`: the layer's, in which the files named above are written. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#fd = openSync(`${directory}/${recipeName}`, 'wx', 0o600);
  }

  raw(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const head = Buffer.alloc(5);
    head.writeUInt32LE(bytes.length, 1);
    this.#add(head, Buffer.from(bytes));
  }

  /** The bytes of a regular file below `diff` (a byte string). */
  reference(path: string, size: number): void {
    const name = Buffer.from(path, 'latin1');
    const head = Buffer.alloc(5, 1);
    head.writeUInt32LE(name.length, 1);
    const tail = Buffer.alloc(8);
    tail.writeBigUInt64LE(BigInt(size));
    this.#references.set(path, this.#count++);
    this.#add(head, name, tail);
  }

  /** Where to move a file or directory that is in the way of a later entry; undefined when nothing refers to it. */
  keep(path: string): string | undefined {
    const below = [...this.#references].filter(([each]) => each === path || each.startsWith(`${path}/`));
    if (below.length === 0) return undefined;
    const place = `${keptName}/${++this.#kept}`;
    for (const [each, number] of below) {
      this.#moved[number] = `${place}${each.slice(path.length)}`;
      this.#references.delete(each);
    }
    return `${this.#directory}/${place}`;
  }

  finish(): void {
    this.#flush();
    this.abandon();
    if (this.#kept > 0) writeFileSync(`${this.#directory}/${movedName}`, JSON.stringify(this.#moved));
  }

  /** Also after `finish`, when a later step failed: by then the descriptor's number may be somebody else's. */
  abandon(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#fd);
  }

  #add(...parts: Buffer[]): void {
    for (const part of parts) this.#bytes += part.length;
    this.#batch.push(...parts);
    if (this.#bytes > batchBytes) this.#flush();
  }

  #flush(): void {
    if (this.#bytes === 0) return;
    const packed = gzipSync(Buffer.concat(this.#batch), { level: 1 });
    for (let done = 0; done < packed.length;) done += writeSync(this.#fd, packed, done);
    this.#batch = [];
    this.#bytes = 0;
  }
}

/** Takes exactly as many bytes as asked for from a stream of chunks. */
class Source {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Undefined at the end. */
  async take(length: number): Promise<Buffer | undefined> {
    while (this.#rest.length < length) {
      const { done, value } = await this.#chunks.next();
      if (done === true) {
        if (this.#rest.length === 0) return undefined;
        throw invalid('the recipe of a layer is cut short');
      }
      this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
    }
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async need(length: number): Promise<Buffer> {
    const taken = await this.take(length);
    if (taken === undefined && length > 0) throw invalid('the recipe of a layer is cut short');
    return taken ?? Buffer.alloc(0);
  }
}

const chunkSize = 1 << 20;

function* fileBytes(path: Buffer, size: number): Generator<Buffer> {
  const fd = openSync(path, C.O_RDONLY | C.O_NOFOLLOW);
  try {
    if (!fstatSync(fd).isFile() || fstatSync(fd).size !== size)
      throw invalid(`${JSON.stringify(path.toString())} is no longer what the layer's recipe needs`);
    const buffer = Buffer.allocUnsafe(Math.min(chunkSize, Math.max(size, 1)));
    for (let left = size; left > 0;) {
      const read = readSync(fd, buffer, 0, Math.min(buffer.length, left), null);
      if (read === 0) throw invalid(`${JSON.stringify(path.toString())} is shorter than it was`);
      left -= read;
      yield buffer.subarray(0, read);
    }
  } finally {
    closeSync(fd);
  }
}

function movedOf(directory: string): Readonly<Record<number, string>> {
  const path = `${directory}/${movedName}`;
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<number, string>) : {};
}

/**
 * The archive of a layer in chunks; one is only valid until the next is asked for. `directory`: the layer's; `recipe`: the
 * directory in which its recipe lies.
 */
export async function* remakeArchive(directory: string, recipe = directory): AsyncGenerator<Buffer> {
  const moved = movedOf(recipe);
  const file = createReadStream(`${recipe}/${recipeName}`);
  const content = file.pipe(createGunzip({ chunkSize: 256 << 10 }));
  file.once('error', (error) => content.destroy(error));
  const source = new Source(content);
  let number = 0;
  try {
    for (let head = await source.take(5); head !== undefined; head = await source.take(5)) {
      const length = head.readUInt32LE(1);
      if (head[0] === 0) {
        yield await source.need(length);
        continue;
      }
      const path = (await source.need(length)).toString('latin1');
      const size = Number((await source.need(8)).readBigUInt64LE());
      const place = moved[number++] ?? `diff/${path}`;
      yield* fileBytes(Buffer.from(`${directory}/${place}`, 'latin1'), size);
    }
  } finally {
    file.destroy();
    content.destroy();
  }
}
