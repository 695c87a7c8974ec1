/**
 * Room for records on a disk that is full: removing something is a commit too, and it is what helps then. Nothing that frees room,
 * and no change of state, may depend on a block that somebody else can take first. So the journal has its blocks (journal.ts), and
 * the database has pages to spare, which are blocks of the file already: what adds a record may not use these, and is told that the
 * disk is full while they are not whole. A file beside the database is given up where all that is not enough, as on filesystems that
 * write nothing in place. Synchronous, as the database is.
 */

import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isFull } from '../../core/errors.ts';
import { fillFile, keepJournal } from './journal.ts';

const pageSize = 4096;
/** What a page holds of a long value. */
const pageRoom = pageSize - 4;
/** Pages of one row of the table `reserve`; each such row is given back whole. */
const rowPages = 64;
/** Free pages that a commit finds at least; most take two or three. */
const fewPages = 32;
/** Of the table itself, when a row is added. */
const treePages = 4;
const fileBytes = 1 << 20;

/** SQLITE_FULL. */
export const full = 13;
const ioError = 10;

/** SQLite's word for a full disk, or the kernel's. Some filesystems, and quotas, tell it as an input/output error. */
export function hasNoRoom(error: unknown): boolean {
  const { errcode } = error as { readonly errcode?: unknown };
  if (isFull(error)) return true;
  return typeof errcode === 'number' && (errcode === full || (errcode & 0xff) === ioError);
}

export class RecordRoom {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #file: string;
  /** Closed after the database: closing any descriptor of a file takes away the process's locks on it, which are SQLite's. */
  #grown: number | undefined;
  #rows = 0;
  #wanted = 1;
  readonly #free: StatementSync;
  readonly #pages: StatementSync;

  /** `path`: the database's; the file beside it is `<path>.reserve`. */
  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#file = `${path}.reserve`;
    this.#free = db.prepare('PRAGMA freelist_count');
    this.#pages = db.prepare('PRAGMA page_count');
  }

  /** After the tables are there. */
  open(): void {
    this.#rows = this.#count('reserve');
    this.#weigh();
    // Half of one, of a daemon that was killed.
    this.#giveFile(`${this.#file}.tmp`);
  }

  /** After the database is closed. */
  close(): void {
    if (this.#grown !== undefined) closeSync(this.#grown);
  }

  /** Pages of the database, inside a transaction too. */
  pages(): number {
    return (this.#pages.get() as { readonly page_count: number }).page_count;
  }

  /** Does it again when the disk is full: with the journal begun anew, then (`toTheLast`) with the file given up. */
  insist(body: () => void, toTheLast = true): void {
    const rescues = [(): void => {}, (): void => this.#giveFile()];
    for (const rescue of toTheLast ? rescues : rescues.slice(0, 1)) {
      try {
        body();
        return;
      } catch (error) {
        if (!hasNoRoom(error)) throw error;
        rescue();
        this.#restartJournal();
      }
    }
    body();
  }

  /** Before a commit. What adds a record (`adds`) is refused while the pages to spare are not whole. */
  prepare(adds: boolean): void {
    if (adds && this.#rows < this.#wanted) this.#fill();
    if (this.#freePages() < fewPages) this.provide(fewPages, adds);
  }

  /** Makes `pages` more free ones. Where there is no room for what adds a record it throws; else it takes from those to spare. */
  provide(pages: number, adds: boolean): void {
    const enough = this.#freePages() + pages;
    try {
      this.#addPages(enough, 'free');
    } catch (error) {
      if (adds || !hasNoRoom(error)) throw error;
      while (this.#rows > 0 && this.#freePages() < enough) this.#giveRow();
    }
  }

  /** Puts back what was used; does nothing most times. Returns whether all is there. */
  tend(): boolean {
    try {
      // What is in the database's files cannot be taken by anybody else.
      keepJournal(this.#path);
      this.#weigh();
      this.#fill();
      if (this.#freePages() < rowPages) this.provide(rowPages, true);
      if (!existsSync(this.#file)) this.#writeFile();
      return true;
    } catch {
      // The disk is full just now, or worse: whoever commits next is told. Nobody waits for this.
      return false;
    }
  }

  /** A page for each record: a state that is a little longer than the one before it takes one at most. */
  #weigh(): void {
    this.#wanted = 1 + Math.ceil(this.#count('records') / rowPages);
  }

  #fill(): void {
    for (; this.#rows < this.#wanted; this.#rows++) this.#addPages(rowPages, 'keep');
  }

  #count(table: string): number {
    return (this.#db.prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { readonly rows: number })
      .rows;
  }

  #freePages(): number {
    return (this.#free.get() as { readonly freelist_count: number }).freelist_count;
  }

  #giveRow(): void {
    this.insist(() => this.#db.exec('DELETE FROM reserve WHERE rowid = (SELECT max(rowid) FROM reserve)'));
    this.#rows--;
  }

  /** A row of so many pages, kept or at once free again. Free ones are taken first: then the file grows. */
  #addPages(pages: number, how: 'keep' | 'free'): void {
    this.#growFile(pages + treePages - this.#freePages());
    this.insist(() => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        this.#db.exec(`INSERT INTO reserve VALUES (zeroblob(${pages * pageRoom}))`);
        if (how === 'free') this.#db.exec('DELETE FROM reserve WHERE rowid = last_insert_rowid()');
        this.#db.exec('COMMIT');
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw error;
      }
    }, false);
    // While the blocks are certainly there: SQLite cuts off what it does not count as its own.
    this.#restartJournal();
  }

  /**
   * Blocks behind the database's end, for the commit that comes: SQLite grows the file only when it empties the journal, and a
   * journal that cannot be emptied would block all that follows.
   */
  #growFile(pages: number): void {
    if (pages <= 0) return;
    const end = this.pages() * pageSize;
    this.#grown ??= openSync(this.#path, 'r+');
    const size = fstatSync(this.#grown).size;
    try {
      // No hole before it: pages may be in the journal alone.
      fillFile(this.#grown, Math.min(size, end), end + pages * pageSize);
    } catch (error) {
      if (fstatSync(this.#grown).size > end) ftruncateSync(this.#grown, end);
      throw error;
    }
  }

  #giveFile(file = this.#file): void {
    try {
      rmSync(file, { force: true });
    } catch {
      // A disk that can only be read: what it says to the commit is what counts.
    }
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

  /** What is in the journal goes into the database, in place, and the journal's own blocks are free for the next commit. */
  #restartJournal(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(RESTART)');
    } catch (error) {
      if (!hasNoRoom(error)) throw error;
    }
  }
}
