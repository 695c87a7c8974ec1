import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMoment } from './moment.ts';

const now = 10_000_000_000_000_000n;

test('moments: Unix times, dates, durations back from now and ahead of it', () => {
  const second = 1_000_000_000n;
  const moments: readonly (readonly [string, bigint])[] = [
    ['1700000000', 1_700_000_000n * second],
    ['1700000000.000000005', 1_700_000_000n * second + 5n],
    ['0', 0n],
    ['1h30m', now - 5400n * second],
    ['1.5h', now - 5400n * second],
    ['250ms', now - second / 4n],
    ['-5h', now + 18_000n * second],
    ['2024-01-01', 1_704_067_200n * second],
    ['2024-01-01T00:00', 1_704_067_200n * second],
    ['2024-01-01T00:00:01', 1_704_067_201n * second],
    ['2024-01-01T00:00:00.25Z', 1_704_067_200n * second + second / 4n],
    ['2024-01-01T01:00+01:00', 1_704_067_200n * second],
  ];
  for (const [text, moment] of moments) assert.equal(parseMoment(text, now), moment, text);
  for (const text of ['', 'soon', '1d', '2024-13-01', '2024-01-01 00:00', '9'.repeat(40), 'h', '1h '])
    assert.throws(() => parseMoment(text, now), {
      kind: 'invalid',
      message: `failed to parse value as time or duration: ${JSON.stringify(text)}`,
    });
});
