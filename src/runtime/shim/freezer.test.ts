import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { reach, setFrozen, type Freezer } from './freezer.ts';

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

/** A kernel that stays FREEZING until it was asked so often, or until it was thawed in between. */
function stuck(until: {
  readonly asked?: number;
  readonly thawed?: true;
}): Freezer & { readonly asked: boolean[] } {
  const asked: boolean[] = [];
  let frozen = false;
  return {
    file: 'freezer.state',
    asked,
    set: (wanted) => {
      const isFree = until.thawed === true ? asked.includes(false) : asked.length + 1 >= (until.asked ?? 0);
      frozen = wanted && isFree;
      asked.push(wanted);
      return Promise.resolve();
    },
    isFrozen: () => Promise.resolve(frozen),
  };
}

test('a kernel that is slow to freeze is asked again, without a thaw', async () => {
  const kernel = stuck({ asked: 5 });
  await reach(kernel, true);
  assert.deepEqual(kernel.asked, [true, true, true, true, true]);
});

test('one that stays stuck is thawed once and frozen anew', async () => {
  const kernel = stuck({ thawed: true });
  await reach(kernel, true);
  assert.deepEqual(kernel.asked.slice(-2), [false, true]);
  assert.equal(kernel.asked.filter((frozen) => !frozen).length, 1);
});
