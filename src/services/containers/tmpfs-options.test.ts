import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeTmpfsOptions } from './tmpfs-options.ts';

test('of each kind the last option counts, whichever the defaults are', () => {
  assert.deepEqual(mergeTmpfsOptions([]), ['noexec', 'nosuid', 'nodev']);
  assert.deepEqual(mergeTmpfsOptions(['exec', 'size=1m', 'rw']), [
    'nosuid',
    'nodev',
    'exec',
    'size=1m',
    'rw',
  ]);
  assert.deepEqual(mergeTmpfsOptions(['size=1m', 'defaults', 'size=2m']), [
    'noexec',
    'nosuid',
    'nodev',
    'size=2m',
  ]);
});

test('what is no option of a tmpfs is refused', () => {
  for (const option of ['sticky', 'size', 'lowerdir=/', '__proto__', 'size2=5']) {
    assert.throws(() => mergeTmpfsOptions([option]), { kind: 'invalid', message: /invalid tmpfs option/ });
  }
});
