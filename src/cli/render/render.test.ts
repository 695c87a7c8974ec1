import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goTime } from './go-time.ts';
import { indentJson } from './json-indent.ts';
import { compareNames } from './order.ts';
import { portsText } from './ports.ts';
import { progressText } from './progress.ts';
import { alignColumns } from './table.ts';
import { binarySize, ellipsis, humanDuration, humanSize, humanSize4, significant } from './units.ts';

test('columns are as wide as their widest cell among neighbours, at least ten', () => {
  assert.equal(alignColumns('A\tB\nlonger than ten\tx\n'), 'A                 B\nlonger than ten   x\n');
  assert.equal(alignColumns('käse\tx\n'), 'käse      x\n');
  assert.equal(
    alignColumns('a\tb\tc\nno tabs here\naaaaaaaaaaaa\tb\tc\n'),
    'a         b         c\nno tabs here\naaaaaaaaaaaa   b         c\n',
  );
});

test('sizes have Go’s significant digits', () => {
  assert.deepEqual([0, 999, 1095, 187_123_456, 4_261_550, 1e12].map(humanSize), [
    '0B',
    '999B',
    '1.09kB',
    '187MB',
    '4.26MB',
    '1TB',
  ]);
  assert.equal(humanSize(999_900), '1e+03kB');
  assert.equal(humanSize4(123_456), '123.5kB');
  assert.deepEqual([13_000_000, 1_073_741_824].map(binarySize), ['12.4MiB', '1GiB']);
  assert.deepEqual(
    [0.00001234, 100, 99.96].map((v) => significant(v, 3)),
    ['1.23e-05', '100', '100'],
  );
});

test('spans of time in docker’s words', () => {
  const second = 1000;
  const hour = 3600 * second;
  const cases: readonly (readonly [number, string])[] = [
    [500, 'Less than a second'],
    [second, '1 second'],
    [59 * second, '59 seconds'],
    [61 * second, 'About a minute'],
    [40 * 60 * second, '40 minutes'],
    [hour * 1.2, 'About an hour'],
    [hour * 47, '47 hours'],
    [hour * 48, '2 days'],
    [hour * 24 * 14, '2 weeks'],
    [hour * 24 * 61, '2 months'],
    [hour * 24 * 731, '2 years'],
  ];
  for (const [span, words] of cases) assert.equal(humanDuration(span), words);
});

test('cut text ends with an ellipsis', () => {
  assert.deepEqual(
    [ellipsis('abcdef', 4), ellipsis('abcd', 4), ellipsis('äöü', 2), ellipsis('ab', 1)],
    ['abc…', 'abcd', 'ä…', 'a'],
  );
});

test('ports join only where numbers and address run on', () => {
  const tcp = (PrivatePort: number, PublicPort?: number, IP = '0.0.0.0') =>
    PublicPort === undefined ? { PrivatePort, Type: 'tcp' } : { IP, PrivatePort, PublicPort, Type: 'tcp' };
  assert.equal(portsText([]), '');
  assert.equal(portsText([tcp(80, 8080), tcp(80, 8080, '::')]), '0.0.0.0:8080->80/tcp, [::]:8080->80/tcp');
  assert.equal(
    portsText([tcp(81, 81), tcp(80, 80), tcp(90, 90)]),
    '0.0.0.0:80-81->80-81/tcp, 0.0.0.0:90->90/tcp',
  );
  assert.equal(portsText([tcp(443), tcp(444), { PrivatePort: 443, Type: 'udp' }]), '443-444/tcp, 443/udp');
});

test('JSON keeps its numbers and the order of its keys', () => {
  assert.equal(
    indentJson('{"b":12345678901234567890,"1":[],"a":{},"c":[{"x":"}{"}]}', '  '),
    '{\n  "b": 12345678901234567890,\n  "1": [],\n  "a": {},\n  "c": [\n    {\n      "x": "}{"\n    }\n  ]\n}',
  );
});

test('progress bars', () => {
  const bar = progressText({ current: 16_384, total: 2_150_000 }, 200);
  assert.equal(bar, `[>${' '.repeat(50)}]  16.38kB/2.15MB`);
  assert.equal(
    progressText({ current: 2_150_000, total: 2_150_000 }, 200),
    `[${'='.repeat(50)}>]   2.15MB/2.15MB`,
  );
  assert.equal(progressText({ current: 5, total: 10 }, 80), '      5B/10B');
  assert.equal(progressText({ current: 7, units: 's' }, 200), '7 s');
  assert.equal(progressText({}, 200), '');
});

test('natural order and Go’s times', () => {
  assert.deepEqual(['net10', 'net9', 'a', 'net1b'].sort(compareNames), ['a', 'net1b', 'net9', 'net10']);
  assert.equal(goTime('2026-01-02T03:04:05.120000000Z'), '2026-01-02 03:04:05.12 +0000 UTC');
  assert.equal(goTime('2026-01-02T03:04:05+02:00'), '2026-01-02 03:04:05 +0200 +0200');
});
