import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTap } from '../../tests/vm/tap.ts';

test('results are counted, details belong to the failure before them', () => {
  const lines = [
    'noise',
    'ok 1 - a',
    'not ok 2 - b',
    '# why',
    '# more',
    'ok 3 - c',
    '1..3',
    'end of the suite',
  ];
  assert.deepEqual(readTap(lines), {
    passed: 2,
    failures: [{ name: 'b', detail: 'why\nmore\n' }],
    parts: [{ name: '', passed: 2, failures: [{ name: 'b', detail: 'why\nmore\n' }] }],
    complete: true,
  });
});

test('a suite without its end, or with fewer results than planned, is not complete', () => {
  assert.equal(readTap(['ok 1 - a', '1..1', 'ok 1 - b', '1..1', 'end of the suite']).complete, true);
  assert.equal(readTap(['ok 1 - a', '1..1']).complete, false);
  assert.equal(readTap(['ok 1 - a', '1..2', 'end of the suite']).complete, false);
});
