import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setFrozen } from './freezer.ts';

test('a group that ended with its processes is thawed; it cannot be frozen, and one without a freezer neither', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'slip-freezer-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const gone = join(folder, 'gone.scope');
  await setFrozen([gone], false);
  await assert.rejects(setFrozen([gone], true), /none of the cgroups of the container has a freezer/);
  await assert.rejects(setFrozen([folder], false), /none of the cgroups of the container has a freezer/);
});

test('a group that goes between two looks is thawed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'slip-freezer-'));
  t.after(() => rmSync(folder, { recursive: true }));
  // Its other file is missing, as all of them are a moment later.
  writeFileSync(join(folder, 'cgroup.freeze'), '1');
  await setFrozen([folder], false);
  await assert.rejects(setFrozen([folder], true), /ENOENT/);
});
