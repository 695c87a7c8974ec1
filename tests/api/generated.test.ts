import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { operations } from '../../src/api/operations.ts';
import { routes } from '../../src/api/routes/index.ts';

const root = join(import.meta.dirname, '../..');

test('the generated files are what the generator makes', () => {
  execFileSync(process.execPath, [join(root, 'scripts/generate-api.ts'), '--check'], { stdio: 'pipe' });
});

test('every operation is either served or listed as not yet served', () => {
  const page = readFileSync(join(root, 'docs/api-not-served.md'), 'utf8');
  const listed = new Set(Array.from(page.matchAll(/^\| (\w+) \| [A-Z]+ /gm), (match) => match[1]));
  const ids = operations.map((line) => line.slice(0, line.indexOf(' ')));
  for (const id of ids) assert.notEqual(Object.hasOwn(routes, id), listed.has(id), id);
  for (const id of [...Object.keys(routes), ...listed])
    assert.ok(id !== undefined && ids.includes(id), `${id} is no operation`);
});
