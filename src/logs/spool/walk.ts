/** The files of one log in their order: which is read, which are held open until their turn, which came too late to be read. */
import { SegmentReader } from './segment-reader.ts';
import {
  closeSegments,
  inodeOf,
  listSegments,
  openNewerChained,
  openNext,
  type Segment,
} from './segments.ts';

/** A reader that is slower than the writer must not keep all deleted files on the disk: beyond this it may miss some. */
const maxHeld = 8;

export class SegmentWalk {
  readonly #path: string;
  /** The file that is read, then those after it. */
  readonly #held: Segment[];
  /** Number of the file before the first, as long as none is held. */
  readonly #before: number;
  #reader: SegmentReader | undefined;
  /** Whether nothing is added to the newest held file any more. */
  #newestIsFull = false;
  #lost = 0;

  /** `held`: the file to read first and those after it that are open already; the first is read from byte `offset` on. */
  constructor(path: string, held: readonly Segment[], offset: number, before: number) {
    this.#path = path;
    this.#held = [...held];
    this.#before = before;
    const [file] = held;
    if (file !== undefined) this.#reader = new SegmentReader(file, offset);
  }

  get reader(): SegmentReader | undefined {
    return this.#reader;
  }

  /** Whether the file that is read has got all it will. */
  get isComplete(): boolean {
    return this.#held.length > 1 || (this.#held.length === 1 && this.#newestIsFull);
  }

  /** How many files were deleted before their turn, since this was last asked. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** Opens files that have come, so that they stay readable even if they are deleted before their turn. */
  async hold(): Promise<void> {
    while (this.#held.length < maxHeld) {
      const newest = this.#held.at(-1);
      if (newest !== undefined && !this.#newestIsFull) {
        this.#newestIsFull = await this.#becameFull(newest);
        if (!this.#newestIsFull) return;
      }
      const newer = newest === undefined ? await this.#openFirst() : await this.#openNewer(newest);
      if (newer.length === 0) return;
      this.#held.push(...newer);
      this.#newestIsFull = false;
      const [file] = this.#held;
      if (this.#reader === undefined && file !== undefined) this.#reader = new SegmentReader(file, 0);
    }
  }

  /** Another file has taken the path: it was made after the one before got its last line. */
  async #becameFull(newest: Segment): Promise<boolean> {
    const now = await inodeOf(this.#path);
    return now !== undefined && now !== newest.inode;
  }

  async #openFirst(): Promise<Segment[]> {
    const first = await openNext(this.#path, this.#before);
    return first === undefined ? [] : [first];
  }

  async #openNewer(newest: Segment): Promise<Segment[]> {
    const highest = (await listSegments(this.#path)).numbers.at(-1) ?? 0;
    if (highest < newest.number) {
      const newer = await openNewerChained(this.#path, newest);
      return newer.map((file) => ({ ...file, number: newest.number }));
    }
    const next = await openNext(this.#path, newest.number, newest.inode);
    if (next === undefined) return [];
    this.#lost += next.number - newest.number - 1;
    return [next];
  }

  /** Goes on to the next held file; false when there is none. */
  async advance(): Promise<boolean> {
    const next = this.#held[1];
    if (next === undefined) return false;
    this.#reader?.close();
    await closeSegments(this.#held.splice(0, 1));
    this.#reader = new SegmentReader(next, 0);
    return true;
  }

  async close(): Promise<void> {
    this.#reader?.close();
    await closeSegments(this.#held.splice(0));
  }
}
