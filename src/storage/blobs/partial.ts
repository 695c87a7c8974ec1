/**
 * A blob that comes in by pieces: a sparse file, and beside it the list of pieces that are whole (`<hex>.pieces`, four
 * bytes each). A piece is listed after it was written, so what a killed daemon leaves can be gone on with; after a power
 * cut the list may promise too much, and the digest at the end shows it.
 */

import { open, readFile, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import type { Ctx } from '../../core/ctx.ts';
import { internal, invalid, isErrno, toSlipwayError } from '../../core/errors.ts';
import { Growth } from '../../core/growth.ts';
import type { BlobInfo, ByteRange, PartialBlob } from '../../core/ports/blob-store.ts';
import type { StorageWorkers } from '../worker/pool.ts';

/** Bytes of a piece: what is lost at most when the daemon is killed, for each connection. */
const pieceSize = 8 << 20;

export interface PartialPlace {
  /** The growing file. */
  readonly path: string;
  readonly pieces: string;
  /** Where it goes when it is whole. */
  readonly target: string;
}

/** The pieces that an earlier attempt left whole. */
async function readPieces({ path, pieces }: PartialPlace, count: number): Promise<ReadonlySet<number>> {
  try {
    await stat(path);
    const list = await readFile(pieces);
    const found = new Set<number>();
    for (let at = 0; at + 4 <= list.length; at += 4) found.add(list.readUInt32LE(at));
    return new Set([...found].filter((index) => index < count));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return new Set();
    throw error;
  }
}

export class PartialFile implements PartialBlob {
  readonly path: string;
  readonly growth = new Growth();
  readonly pieceSize = pieceSize;
  readonly #workers: StorageWorkers;
  readonly #place: PartialPlace;
  readonly #digest: string;
  readonly #size: number;
  readonly #pieces: FileHandle;
  /** Bytes of each piece that are there, from its beginning. */
  readonly #filled: number[];
  readonly #onClose: () => void;
  #solid = 0;
  /** Settled when the pieces so far are listed. */
  #listed: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(
    deps: { readonly workers: StorageWorkers; readonly onClose: () => void },
    place: PartialPlace,
    blob: BlobInfo,
    files: { readonly pieces: FileHandle; readonly filled: number[] },
  ) {
    this.path = place.path;
    this.#workers = deps.workers;
    this.#onClose = deps.onClose;
    this.#place = place;
    this.#digest = blob.digest;
    this.#size = blob.size;
    this.#pieces = files.pieces;
    this.#filled = files.filled;
    this.#advance();
  }

  static async open(
    deps: { readonly workers: StorageWorkers; readonly onClose: () => void },
    place: PartialPlace,
    blob: BlobInfo,
  ): Promise<PartialFile> {
    const count = Math.ceil(blob.size / pieceSize);
    const known = await readPieces(place, count);
    const length = (index: number): number => Math.min(pieceSize, blob.size - index * pieceSize);
    const filled = Array.from({ length: count }, (_none, index) => (known.has(index) ? length(index) : 0));
    try {
      if (known.size === 0) await writeFile(place.path, '', { mode: 0o600 });
      const pieces = await open(place.pieces, known.size > 0 ? 'a' : 'w', 0o600);
      return new PartialFile(deps, place, blob, { pieces, filled });
    } catch (error) {
      throw toSlipwayError(error);
    }
  }

  missing(): readonly ByteRange[] {
    const ranges: { from: number; to: number }[] = [];
    for (const [index, have] of this.#filled.entries()) {
      const [from, to] = [index * pieceSize + have, index * pieceSize + this.#length(index)];
      const last = ranges.at(-1);
      if (last !== undefined && last.to === from && have === 0) last.to = to;
      else if (from < to) ranges.push({ from, to });
    }
    return ranges;
  }

  present(): number {
    return this.#filled.reduce((sum, have) => sum + have, 0);
  }

  wrote(at: number, bytes: number): void {
    const first = Math.floor(at / pieceSize);
    const end = at + bytes;
    if (at !== first * pieceSize + (this.#filled[first] ?? 0) || end > this.#size)
      throw internal(`bytes at ${at} do not go on where ${this.#digest} was`);
    for (let index = first; index * pieceSize < end; index++) {
      const length = this.#length(index);
      this.#filled[index] = Math.min(length, end - index * pieceSize);
      if (this.#filled[index] === length) this.#list(index);
    }
    this.#advance();
  }

  async commit(ctx: Ctx): Promise<BlobInfo> {
    const { path, target } = this.#place;
    const { shared } = this.growth;
    try {
      const { digest, size } = await this.#workers.run(ctx, 'verify', { file: path, growth: shared });
      if (size !== this.#size)
        throw invalid(`unexpected size ${size}, expected ${this.#size}, of ${this.#digest}`);
      if (digest !== this.#digest) throw invalid(`unexpected digest ${digest}, expected ${this.#digest}`);
      await rename(path, target);
    } catch (error) {
      await this.close('discard');
      throw error;
    }
    await this.close('discard');
    return { digest: this.#digest, size: this.#size };
  }

  async close(how: 'keep' | 'discard'): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.growth.fail();
    try {
      await this.#listed;
      await this.#pieces.close();
      if (how === 'discard' || this.present() === 0) await removePartial(this.#place);
    } finally {
      this.#onClose();
    }
  }

  #length(index: number): number {
    return Math.min(pieceSize, this.#size - index * pieceSize);
  }

  /** One that could not be listed (the disk is full) is fetched again by the next daemon, and this one goes on. */
  #list(index: number): void {
    const entry = Buffer.alloc(4);
    entry.writeUInt32LE(index);
    this.#listed = this.#listed.then(() => this.#pieces.write(entry)).catch(() => {});
  }

  #advance(): void {
    while (this.#solid < this.#filled.length && this.#filled[this.#solid] === this.#length(this.#solid))
      this.#solid++;
    this.growth.reach(Math.min(this.#size, this.#solid * pieceSize + (this.#filled[this.#solid] ?? 0)));
    if (this.#solid === this.#filled.length) this.growth.finish();
  }
}

export async function removePartial({ path, pieces }: PartialPlace): Promise<void> {
  await rm(pieces, { force: true });
  await rm(path, { force: true });
}

/** Makes a whole file one whose pieces are all there. */
export async function markWhole({ path, pieces, target }: PartialPlace): Promise<void> {
  const { size } = await stat(target);
  const list = Buffer.alloc(Math.ceil(size / pieceSize) * 4);
  for (let index = 0; index * 4 < list.length; index++) list.writeUInt32LE(index, index * 4);
  await rm(pieces, { force: true });
  await rename(target, path);
  const file = await open(pieces, 'w', 0o600);
  try {
    await file.write(list);
  } finally {
    await file.close();
  }
}
