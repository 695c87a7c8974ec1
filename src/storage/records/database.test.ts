import assert from 'node:assert/strict';
import { copyFileSync, existsSync, linkSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { openRecordDatabase } from './database.ts';
import { schema, type Schema } from './schema.ts';
import { openSqliteRecords } from './sqlite.ts';

const root = mkdtempSync(join(tmpdir(), 'slip-db-'));
after(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(root, `${++count}.db`);
const put = (id: string, json: string, version = 1) =>
  ({ op: 'put', kind: 'volume', id, version, json }) as const;
const good = (name: string): string => JSON.stringify({ name, driver: 'local' });

function raw(path: string, sql: string): unknown[] {
  const db = new DatabaseSync(path);
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

test('rows that cannot be read are set aside, kept and named; the others are served', () => {
  const path = fresh();
  const first = openRecordDatabase(path);
  first.commitAll([
    [put('a', good('a')), put('b', '{"name":'), put('c', '{"name":"c"}'), put('d', good('d'), 9)],
  ]);
  first.close();
  const db = openRecordDatabase(path);
  assert.deepEqual(db.list('volume'), [good('a')]);
  const damaged = db.damaged();
  assert.deepEqual(
    damaged.map((row) => row.id),
    ['b', 'c', 'd'],
  );
  assert.match(damaged[0]?.reason ?? '', /JSON/);
  assert.match(damaged[1]?.reason ?? '', /driver/);
  assert.match(damaged[2]?.reason ?? '', /newer version/);
  db.commitAll([[put('b', good('b'))]]);
  db.close();
  assert.equal(raw(path, `SELECT * FROM damaged WHERE id = 'b'`).length, 1);
});

test('a row of a newer version comes back when a daemon that knows it opens the file', () => {
  const path = fresh();
  const first = openRecordDatabase(path);
  first.commitAll([[put('d', good('d'), 2)]]);
  first.close();
  const old = openRecordDatabase(path);
  assert.equal(old.damaged().length, 1);
  old.close();
  const newer: Schema = { ...schema, volume: { ...schema.volume, steps: [(row) => ({ ...row, added: 1 })] } };
  const db = openRecordDatabase(path, newer);
  assert.deepEqual(db.list('volume'), [good('d')]);
  assert.deepEqual(db.damaged(), []);
  db.close();
});

test('older rows are brought up step by step, and stay so', () => {
  const path = fresh();
  const first = openRecordDatabase(path);
  first.commitAll([[put('a', good('a'))]]);
  first.close();
  const newer: Schema = {
    ...schema,
    volume: {
      ...schema.volume,
      steps: [(row) => ({ ...row, size: 1 }), (row) => ({ ...row, size: Number(row['size']) + 1 })],
    },
  };
  const db = openRecordDatabase(path, newer);
  assert.deepEqual(
    db.list('volume').map((row) => JSON.parse(row) as unknown),
    [{ name: 'a', driver: 'local', size: 2 }],
  );
  db.close();
  assert.deepEqual(
    raw(path, 'SELECT version FROM records').map((row) => ({ ...(row as object) })),
    [{ version: 3 }],
  );
});

test('one bad commit in a group does not take the others with it', () => {
  const db = openRecordDatabase(fresh());
  const bad = { ...put('x', good('x')), json: null as unknown as string };
  const results = db.commitAll([[put('a', good('a'))], [put('y', good('y')), bad], [put('b', good('b'))]]);
  assert.deepEqual(
    results.map((error) => error === undefined),
    [true, false, true],
  );
  assert.deepEqual(db.list('volume'), [good('a'), good('b')]);
  db.close();
});

test('a second daemon on the same file is refused in plain words', async () => {
  const path = fresh();
  const store = await openSqliteRecords({ path });
  await store.commit([{ op: 'put', kind: 'meta', id: 'a', record: {} }]);
  await assert.rejects(openSqliteRecords({ path }), /another daemon uses this data root/);
  await store.close();
});

test('a file that is no database is refused and left as it was', async () => {
  const path = fresh();
  writeFileSync(
    path,
    'this is not a database, but something long enough to be mistaken for one. '.repeat(20),
  );
  await assert.rejects(openSqliteRecords({ path }), /not a database/);
});

const mebi = 1 << 20;

test('room is kept for a full disk: pages in the database, bytes in its journal, a file beside it', () => {
  const path = fresh();
  const db = openRecordDatabase(path);
  assert.equal(db.tend(), true);
  assert.equal(statSync(`${path}.reserve`).size, mebi);
  assert.ok(statSync(`${path}-wal`).size >= 2 * mebi);
  const size = statSync(path).size;
  assert.ok(size >= 512 << 10);
  rmSync(`${path}.reserve`);
  assert.equal(db.tend(), true);
  assert.equal(statSync(`${path}.reserve`).size, mebi);
  assert.equal(statSync(path).size, size, 'nothing is added that is there');
  db.commitAll([Array.from({ length: 300 }, (_, i) => put(`v${i}`, good('x'.repeat(1000))))]);
  assert.equal(db.tend(), true);
  db.close();
  const [reserve] = raw(path, 'SELECT count(*) AS rows, sum(length(pages)) AS bytes FROM reserve');
  assert.deepEqual({ ...(reserve as object) }, { rows: 6, bytes: 6 * 64 * 4092 });
});

test('the blocks of the journal outlive a clean stop, and what stood in it counts no more', () => {
  const path = fresh();
  const first = openRecordDatabase(path);
  first.tend();
  first.commitAll([[put('a', good('a')), put('b', good('b'))]]);
  const { ino } = statSync(`${path}-wal`);
  first.close();
  assert.equal(existsSync(`${path}-wal`), false);
  assert.equal(statSync(`${path}.journal`).ino, ino);
  const second = openRecordDatabase(path);
  assert.equal(statSync(`${path}-wal`).ino, ino);
  assert.equal(existsSync(`${path}.journal`), false);
  assert.deepEqual(second.list('volume'), [good('a'), good('b')]);
  second.commitAll([[{ op: 'delete', kind: 'volume', id: 'a' }]]);
  // As a daemon that is killed leaves it, and as one that is killed while it closes.
  const left = fresh();
  for (const end of ['', '-wal']) copyFileSync(`${path}${end}`, `${left}${end}`);
  linkSync(`${left}-wal`, `${left}.journal`);
  second.close();
  for (const each of [path, left]) {
    const db = openRecordDatabase(each);
    assert.deepEqual(db.list('volume'), [good('b')]);
    assert.ok(statSync(`${each}-wal`).size >= 2 * mebi);
    db.close();
    assert.deepEqual(
      raw(each, 'PRAGMA integrity_check').map((row) => ({ ...(row as object) })),
      [{ integrity_check: 'ok' }],
    );
  }
});
