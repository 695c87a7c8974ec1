import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slicesOf } from './ranges.ts';

const piece = 8 << 20;

test('slices cover what is missing, begin where writing may begin, and keep four connections busy', () => {
  for (const size of [1, piece, 44_410_000, 5_000_000_000]) {
    const slices = slicesOf([{ from: 0, to: size }], piece);
    assert.equal(slices[0]?.from, 0);
    assert.equal(slices.at(-1)?.to, size);
    for (const [index, { from, to }] of slices.entries()) {
      assert.equal(from % piece, 0);
      assert.ok(to > from);
      if (index > 0) assert.equal(from, slices[index - 1]?.to);
    }
    if (size > 100_000_000) assert.ok(slices.length >= 4);
  }
});

test('a small blob is one request; what is left of a resumed one begins where it broke off', () => {
  assert.equal(slicesOf([{ from: 0, to: 30_000_000 }], piece).length, 1);
  const left = [
    { from: 5, to: piece },
    { from: 3 * piece, to: 3 * piece + 7 },
  ];
  assert.deepEqual(slicesOf(left, piece), left);
});
