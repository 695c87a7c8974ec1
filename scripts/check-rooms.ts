/** Fails when a file imports what its room may not (`scripts/rooms/table.json`), or when files form a circle. */

import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { judge, type RoomTable } from './rooms/rules.ts';
import table from './rooms/table.json' with { type: 'json' };

const root = join(import.meta.dirname, '..', 'src');
const sources = new Map<string, string>();
for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
  const path = join(entry.parentPath, entry.name);
  sources.set(relative(root, path), readFileSync(path, 'utf8'));
}

const rules: RoomTable = table;
const complaints = judge(rules, sources);
for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
process.stdout.write(`rooms: ${sources.size} files, ${complaints.length} complaints\n`);
if (complaints.length > 0) process.exitCode = 1;
