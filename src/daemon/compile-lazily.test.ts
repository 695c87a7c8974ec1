import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('V8 knows every flag: of one that it does not know it complains at each start', () => {
  const module = join(import.meta.dirname, 'compile-lazily.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [module], { encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
});
