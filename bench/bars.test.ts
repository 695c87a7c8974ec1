import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, renderTable, type Row } from './bars.ts';

const row: Row = { what: 'start', unit: 'ms', slipway: 20, dockerd: 300, bar: { of: 'ratio', most: 1 / 12 } };

test('a ratio bar holds when ours is small enough beside the reference', () => {
  assert.equal(judge(row).holds, true);
  assert.equal(judge({ ...row, slipway: 26 }).holds, false);
});

test('a rate bar asks for at least so many times', () => {
  const rate: Row = {
    what: 'burst',
    unit: 'starts/s',
    slipway: 60,
    dockerd: 4,
    bar: { of: 'ratio', least: 15 },
  };
  assert.equal(judge(rate).holds, true);
  assert.equal(judge({ ...rate, slipway: 59 }).holds, false);
});

test('a value bar looks at ours alone, and a missing number never holds', () => {
  const size: Row = {
    what: 'rss',
    unit: 'MB',
    slipway: 100,
    dockerd: undefined,
    bar: { of: 'value', most: 110 },
  };
  assert.equal(judge(size).holds, true);
  assert.equal(judge({ ...size, slipway: Number.NaN }).holds, false);
  assert.equal(judge({ ...row, dockerd: undefined }).holds, false);
});

test('the table shows numbers, ratio, bar and verdict', () => {
  const table = renderTable([judge(row)]).split('\n');
  assert.match(table[1] ?? '', /^start\s+20\.0 ms\s+300 ms\s+1\/15\.0\s+<= 1\/12\.0\s+holds$/);
});
