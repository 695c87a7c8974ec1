import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTap } from '../../tests/vm/tap.ts';

test('results are counted, details belong to the failure before them', () => {
  const lines = ['noise', 'ok 1 - a', 'not ok 2 - b', '# why', '# more', 'ok 3 - c', '1..3'];
  assert.deepEqual(readTap(lines), {
    passed: 2,
    failures: [{ name: 'b', detail: 'why\nmore\n' }],
    complete: true,
  });
});

test('a suite without its plan, or with fewer results, is not complete', () => {
  assert.equal(readTap(['ok 1 - a']).complete, false);
  assert.equal(readTap(['ok 1 - a', '1..2']).complete, false);
});
