/**
 * The blocks of SQLite's write-ahead log, held from the first start on. A commit writes over them in place, which needs no room; a
 * journal that had to grow by one page on a full disk would be the end of every removal. SQLite deletes its journal when it closes
 * the database: a second name keeps the file, and the next open makes it the journal again.
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';

/** About 500 pages, twice what is in it when SQLite empties it (`emptiedAt`): the rest is for the largest commit. */
const journalBytes = 2 << 20;
/** Pages in the journal after which a commit brings them into the database. */
export const emptiedAt = 256;
const headerBytes = 32;
/** No journal begins so, and no page in it: SQLite takes such bytes for nothing. Not zeros: some filesystems give those no blocks. */
const filler = 0xa5;

export const journalOf = (path: string): string => `${path}-wal`;
/** Where the journal's blocks wait while the database is closed. */
export const stowedOf = (path: string): string => `${path}.journal`;
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Writes over bytes of a file, or appends them. */
export function fillFile(fd: number, from: number, to: number): void {
  const piece = Buffer.alloc(Math.min(1 << 20, Math.max(0, to - from)), filler);
  for (let at = from; at < to;) at += writeSync(fd, piece, 0, Math.min(piece.length, to - at), at);
  fsyncSync(fd);
}

/** Before the database is opened. What a journal of a clean stop says is in the database: its header is written over. */
export function takeUpJournal(path: string): void {
  const [journal, stowed] = [journalOf(path), stowedOf(path)];
  if (!existsSync(stowed)) return;
  // A daemon that was killed left its journal as it was: that is what counts.
  if (existsSync(journal)) return rmSync(stowed);
  const fd = openSync(stowed, 'r+');
  try {
    if (sizeOf(stowed) > 0) fillFile(fd, 0, headerBytes);
  } finally {
    closeSync(fd);
  }
  renameSync(stowed, journal);
}

/** Lengthens the open database's journal to what is kept; SQLite never shortens it. Throws when there is no room. */
export function keepJournal(path: string): void {
  const size = sizeOf(journalOf(path));
  if (size >= journalBytes) return;
  // SQLite holds no lock on this file, so closing it again loses none.
  const fd = openSync(journalOf(path), 'r+');
  try {
    fillFile(fd, size, journalBytes);
  } finally {
    closeSync(fd);
  }
}

/** Closes the database and keeps its journal's blocks. */
export function closeKeepingJournal(path: string, close: () => void): void {
  const [journal, stowed] = [journalOf(path), stowedOf(path)];
  try {
    rmSync(stowed, { force: true });
    linkSync(journal, stowed);
  } catch {
    // No hard links here, or no room for a name: what is kept beside it has to do for the next start.
  }
  close();
  // SQLite keeps a journal that it could not bring into the database: under its own name it is found.
  if (existsSync(journal)) rmSync(stowed, { force: true });
}
