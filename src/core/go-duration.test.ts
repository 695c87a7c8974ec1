import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatGoDuration, parseGoDuration } from './go-duration.ts';

test('durations in Go’s form', () => {
  const second = 1_000_000_000n;
  const cases: Readonly<Record<string, bigint | undefined>> = {
    '10s': 10n * second,
    '1h30m': 5400n * second,
    '1.5s': 1_500_000_000n,
    '.5s': 500_000_000n,
    '1m0.25s': 60_250_000_000n,
    '-2m': -120n * second,
    '+3ms': 3_000_000n,
    '7us': 7000n,
    '7µs': 7000n,
    '0': 0n,
    '0s': 0n,
    '10': undefined,
    s: undefined,
    '.s': undefined,
    '1x': undefined,
    '1s2': undefined,
    '1 s': undefined,
    '': undefined,
    '-': undefined,
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(parseGoDuration(text), expected, text);
  assert.equal(parseGoDuration('9'.repeat(10_000)), undefined);
});

test('and back, as Go prints them', () => {
  const cases: Readonly<Record<string, bigint>> = {
    '0s': 0n,
    '7ns': 7n,
    '1.5µs': 1500n,
    '300ms': 300_000_000n,
    '1s': 1_000_000_000n,
    '1.000000001s': 1_000_000_001n,
    '1m30s': 90_000_000_000n,
    '2h0m0.5s': 7_200_500_000_000n,
  };
  for (const [text, nanos] of Object.entries(cases)) {
    assert.equal(formatGoDuration(nanos), text);
    assert.equal(parseGoDuration(text), nanos);
  }
});
