import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatIdMap,
  idsFromZero,
  isIdentity,
  parseIdMap,
  rootOf,
  toContainerId,
  toHostId,
} from './id-mapping.ts';

const ranges = [
  { inside: 0, outside: 100_000, size: 1000 },
  { inside: 1000, outside: 300_000, size: 64_536 },
];

test('ids go there and back, and those without a counterpart nowhere', () => {
  for (const [inside, outside] of [
    [0, 100_000],
    [999, 100_999],
    [1000, 300_000],
    [65_535, 364_535],
  ] as const) {
    assert.equal(toHostId(ranges, inside), outside);
    assert.equal(toContainerId(ranges, outside), inside);
  }
  assert.equal(toHostId(ranges, 65_536), undefined);
  assert.equal(toContainerId(ranges, 0), undefined);
  assert.equal(toContainerId(ranges, 101_000), undefined);
});

test('root of a namespace, and of none', () => {
  assert.deepEqual(rootOf({ uids: ranges, gids: [{ inside: 0, outside: 7, size: 1 }] }), {
    uid: 100_000,
    gid: 7,
  });
  assert.deepEqual(rootOf(undefined), { uid: 0, gid: 0 });
});

test('ids without a gap are counted from 0', () => {
  assert.equal(idsFromZero(ranges), 65_536);
  assert.equal(
    idsFromZero([
      { inside: 0, outside: 1, size: 5 },
      { inside: 6, outside: 9, size: 5 },
    ]),
    5,
  );
  assert.equal(idsFromZero([{ inside: 1, outside: 1, size: 5 }]), 0);
});

test('the kernel’s form is read and written', () => {
  assert.equal(formatIdMap(ranges), '0 100000 1000\n1000 300000 64536\n');
  assert.deepEqual(
    parseIdMap('         0     100000       1000\n      1000     300000      64536\n'),
    ranges,
  );
  assert.deepEqual(parseIdMap('0 0\n\nnonsense\n'), []);
  assert.ok(isIdentity(parseIdMap('         0          0 4294967295\n')));
  assert.ok(!isIdentity(ranges));
});
