import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openSqliteRecords } from '../../src/storage/index.ts';
import { createMemoryRecords } from './fakes/memory-records.ts';
import { recordStoreContract } from './record-store.contract.ts';

const root = mkdtempSync(join(tmpdir(), 'slip-records-'));
after(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

recordStoreContract('fake', async () => createMemoryRecords());
recordStoreContract('sqlite', () => openSqliteRecords({ path: join(root, `${++count}.db`) }));
