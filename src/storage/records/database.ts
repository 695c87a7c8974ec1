/** The SQLite side of the record store: synchronous, and therefore only ever used inside its worker thread. */

import { statSync, utimesSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { refusalWords } from '../../core/errors.ts';
import type { DamagedRecord } from '../../core/ports/record-store.ts';
import { closeKeepingJournal, emptiedAt, takeUpJournal } from './journal.ts';
import { full, hasNoRoom, RecordRoom } from './room.ts';
import { decodeRow, schema as presentSchema, type Schema } from './schema.ts';

export type StoredChange =
  | {
      readonly op: 'put';
      readonly kind: string;
      readonly id: string;
      readonly version: number;
      readonly json: string;
    }
  | { readonly op: 'delete'; readonly kind: string; readonly id: string };

export interface RecordDatabase {
  list(kind: string): readonly string[];
  /**
   * Writes several commits in one transaction: one sync for all. When that fails each is tried alone, so that one bad
   * commit does not take the others with it.
   * @returns for each commit undefined or its error.
   */
  commitAll(commits: readonly (readonly StoredChange[])[]): readonly (Error | undefined)[];
  damaged(): readonly DamagedRecord[];
  /** Keeps room for records on a full disk; to be called when nobody waits, and again some time later when it returns false. */
  tend(): boolean;
  close(): void;
}

interface Row {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly json: string;
}

const tables = `
CREATE TABLE IF NOT EXISTS records (
  kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS damaged (
  kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, json TEXT NOT NULL, reason TEXT NOT NULL,
  at TEXT NOT NULL, PRIMARY KEY (kind, id, at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserve (pages BLOB NOT NULL);`;

function openFile(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  // EXCLUSIVE: two daemons on one data root would overwrite each other's records; the lock goes with the process.
  db.exec('PRAGMA locking_mode=EXCLUSIVE');
  db.exec('PRAGMA journal_mode=WAL');
  db.exec('PRAGMA synchronous=FULL');
  db.exec(`PRAGMA wal_autocheckpoint=${emptiedAt}`);
  db.exec('PRAGMA cache_size=-1024');
  db.exec('PRAGMA temp_store=MEMORY');
  return db;
}

/** Beside an empty database SQLite deletes what looks like a journal, so the tables come first. */
function begin(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
  const db = openFile(path);
  try {
    db.exec(tables);
  } finally {
    db.close();
  }
}

function inTransaction(db: DatabaseSync, body: () => void): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    body();
    db.exec('COMMIT');
  } catch (error) {
    // A full disk rolls the transaction back by itself, and then ROLLBACK fails: the first error is what matters.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** Brings rows up to the present shapes, sets unreadable ones aside, and takes back those that can be read again. */
function settle(db: DatabaseSync, kinds: Schema, at: string): void {
  const update = db.prepare('UPDATE records SET version = ?, json = ? WHERE kind = ? AND id = ?');
  const setAside = db.prepare(
    'INSERT OR REPLACE INTO damaged SELECT kind, id, version, json, ?, ? FROM records WHERE kind = ? AND id = ?',
  );
  const drop = db.prepare('DELETE FROM records WHERE kind = ? AND id = ?');
  for (const row of db.prepare('SELECT kind, id, version, json FROM damaged').all() as unknown as Row[]) {
    if (decodeRow(kinds, row.kind, row.version, row.json).state === 'damaged') continue;
    const back = db.prepare('INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?)');
    const taken = back.run(row.kind, row.id, row.version, row.json).changes;
    if (taken === 1)
      db.prepare('DELETE FROM damaged WHERE kind = ? AND id = ? AND json = ?').run(
        row.kind,
        row.id,
        row.json,
      );
  }
  for (const row of db.prepare('SELECT kind, id, version, json FROM records').all() as unknown as Row[]) {
    const decoded = decodeRow(kinds, row.kind, row.version, row.json);
    if (decoded.state === 'migrated') {
      const present = kinds[row.kind as keyof Schema].steps.length + 1;
      update.run(present, decoded.json, row.kind, row.id);
    } else if (decoded.state === 'damaged') {
      setAside.run(decoded.reason, at, row.kind, row.id);
      drop.run(row.kind, row.id);
    }
  }
}

/** A row may become so much longer without being counted as a new one: a health check's outputs at most. */
const longerBytes = 32 << 10;

/** Thrown inside a transaction that would make the database longer, which happens only before one. */
class Longer extends Error {
  readonly pages: number;

  constructor(pages: number) {
    super(`the database would be ${pages} pages longer`);
    this.pages = pages;
  }
}

/** The rows of an open file. */
class Rows {
  readonly #put: StatementSync;
  readonly #drop: StatementSync;
  readonly #select: StatementSync;
  readonly #length: StatementSync;

  constructor(db: DatabaseSync) {
    this.#put = db.prepare(
      'INSERT INTO records VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, json = excluded.json',
    );
    this.#drop = db.prepare('DELETE FROM records WHERE kind = ? AND id = ?');
    this.#select = db.prepare('SELECT json FROM records WHERE kind = ? ORDER BY id');
    this.#length = db.prepare('SELECT octet_length(json) AS bytes FROM records WHERE kind = ? AND id = ?');
  }

  list(kind: string): string[] {
    return (this.#select.all(kind) as { json: string }[]).map((row) => row.json);
  }

  apply(changes: readonly StoredChange[]): void {
    for (const change of changes) {
      if (change.op === 'put') this.#put.run(change.kind, change.id, change.version, change.json);
      else this.#drop.run(change.kind, change.id);
    }
  }

  /** Whether there is more to keep afterwards, by more than a change of state. */
  adds(changes: readonly StoredChange[]): boolean {
    return changes.some((change) => {
      if (change.op === 'delete') return false;
      const row = this.#length.get(change.kind, change.id) as { readonly bytes: number } | undefined;
      return row === undefined || change.json.length > row.bytes + longerBytes;
    });
  }
}

/** Writes a commit with the room that is kept for it. */
function commitIn(db: DatabaseSync, room: RecordRoom, rows: Rows, changes: readonly StoredChange[]): void {
  const adds = rows.adds(changes);
  const write = (mayGrow: boolean): void =>
    room.insist(
      () =>
        inTransaction(db, () => {
          const before = room.pages();
          rows.apply(changes);
          const pages = room.pages() - before;
          if (pages > 0 && !mayGrow) throw new Longer(pages);
        }),
      !adds,
    );
  try {
    room.prepare(adds);
    write(false);
    return;
  } catch (error) {
    if (error instanceof Longer) room.provide(error.pages, adds);
    else if (adds || !hasNoRoom(error)) throw error;
  }
  write(true);
}

/** What is in the way of a commit. SQLite tells all but a full disk as an input/output error. */
function wordsOf(path: string, error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const words = refusalWords(error, path);
  if (words !== undefined) return words;
  if (!hasNoRoom(error)) return error.message;
  try {
    // A change without content: it needs no room, and meets what keeps the filesystem from being written to.
    const now = new Date();
    utimesSync(path, now, now);
  } catch (denied) {
    return refusalWords(Object.assign(denied as Error, { syscall: 'write' })) ?? error.message;
  }
  const { errcode } = error as { readonly errcode?: number };
  return `write ${path}: ${errcode === full ? 'no space left on device' : 'input/output error (or a quota that is used up)'}`;
}

/** Opens or makes the file. Throws when another process has it open, or when it is no SQLite file. */
export function openRecordDatabase(path: string, kinds: Schema = presentSchema): RecordDatabase {
  begin(path);
  takeUpJournal(path);
  const db = openFile(path);
  const room = new RecordRoom(db, path);
  room.insist(() => db.exec(tables));
  room.insist(() => inTransaction(db, () => settle(db, kinds, new Date().toISOString())));
  room.open();
  const rows = new Rows(db);
  const selectDamaged = db.prepare('SELECT kind, id, reason FROM damaged ORDER BY kind, id');
  const attempt = (changes: readonly StoredChange[]): Error | undefined => {
    try {
      commitIn(db, room, rows, changes);
      return undefined;
    } catch (error) {
      return new Error(wordsOf(path, error), { cause: error });
    }
  };
  return {
    list: (kind) => rows.list(kind),
    commitAll: (commits) => {
      if (commits.length > 1 && attempt(commits.flat()) === undefined) return commits.map(() => undefined);
      return commits.map(attempt);
    },
    damaged: () => selectDamaged.all() as unknown as DamagedRecord[],
    tend: () => room.tend(),
    close: () => {
      closeKeepingJournal(path, () => db.close());
      room.close();
    },
  };
}
