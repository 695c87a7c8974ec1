/**
 * Room for records on a disk that is full: removing something is a commit too, and it is what helps then. Pages that the database
 * owns already take what it grows by; a file beside it is given up where that is not enough (after a clean stop the journal's
 * blocks are anybody's). Synchronous, as the database is.
 */

import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';

/** 512 KiB of free pages in the database, and as much in its journal. */
const keptPages = 128;
const pageSize = 4096;
const fileBytes = 1 << 20;

const full = 13;
const ioError = 10;

/** SQLite's word for a full disk; some filesystems tell it when they sync, as an input/output error. */
function isFull(error: unknown): boolean {
  const { errcode } = error as { readonly errcode?: unknown };
  return typeof errcode === 'number' && (errcode === full || (errcode & 0xff) === ioError);
}

export class RecordRoom {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #file: string;

  /** `path`: the database's; the file beside it is `<path>.reserve`. */
  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#file = `${path}.reserve`;
  }

  /** Does it again when the disk is full: with the journal begun anew, then with the file given up. */
  insist(body: () => void): void {
    const rescues = [(): void => {}, (): void => rmSync(this.#file, { force: true })];
    for (const rescue of rescues) {
      try {
        body();
        return;
      } catch (error) {
        if (!isFull(error)) throw error;
        rescue();
        this.#restartJournal();
      }
    }
    body();
  }

  /** Puts back what was used; does nothing most times. Returns whether all is there. */
  tend(): boolean {
    try {
      // The pages first: they cannot be taken by anybody else.
      if (this.#freePages() < keptPages / 2 || this.#journalBytes() < keptPages * pageSize) this.#fillPages();
      if (!existsSync(this.#file)) this.#writeFile();
      return true;
    } catch {
      // The disk is full just now, or worse: whoever commits next is told. Nobody waits for this.
      return false;
    }
  }

  #freePages(): number {
    return (this.#db.prepare('PRAGMA freelist_count').get() as { readonly freelist_count: number })
      .freelist_count;
  }

  /** It never shrinks while the database is open. */
  #journalBytes(): number {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  #writeFile(): void {
    const temporary = `${this.#file}.tmp`;
    try {
      // Not zeros: some filesystems give those no blocks.
      writeFileSync(temporary, Buffer.alloc(fileBytes, 0xa5));
      renameSync(temporary, this.#file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  /** In two commits with a checkpoint between them, or SQLite would not write pages that are free again. */
  #fillPages(): void {
    this.insist(() => this.#db.exec(`INSERT INTO reserve VALUES (zeroblob(${keptPages * pageSize}))`));
    this.#restartJournal();
    this.insist(() => this.#db.exec('DELETE FROM reserve'));
    this.#restartJournal();
  }

  /** What is in the journal goes into the database, in place, and the journal's own blocks are free for the next commit. */
  #restartJournal(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(RESTART)');
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }
}
