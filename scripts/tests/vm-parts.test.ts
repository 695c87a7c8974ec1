import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineResult, merged, partsAgain, type MachineResult } from '../../tests/vm/parts.ts';
import { readTap } from '../../tests/vm/tap.ts';

const wanted = ['service', 'network', 'life', 'restart', 'removal'];
const tap = (...lines: string[]): MachineResult =>
  machineResult('m', readTap([...lines, '1..9', 'end of the suite']), undefined);
const names = (result: MachineResult): string[] =>
  result.parts.map(({ name, passed, failures }) => `${name} ${passed} ${failures.length}`);

test('only the parts that failed are repeated, after those that they need', () => {
  const result = tap(
    'part service',
    'ok 1 - a',
    'part network',
    'ok 2 - b',
    'part life',
    'ok 3 - c',
    'part restart',
    'not ok 4 - d',
    '# why',
    'ok 5 - e',
    'part removal',
    'ok 6 - f',
  );
  assert.deepEqual(names(result), ['service 1 0', 'network 1 0', 'life 1 0', 'restart 1 1', 'removal 1 0']);
  assert.deepEqual(result.parts[3]?.failures, [{ file: 'tests/vm', name: 'd', message: 'why\n' }]);
  assert.deepEqual(partsAgain(result, wanted), ['service', 'network', 'restart']);
  const second = tap(
    'part service',
    'ok 1 - a',
    'part network',
    'not ok 2 - b',
    'part restart',
    'ok 3 - d',
    'ok 4 - e',
  );
  assert.deepEqual(names(merged(result, second)), [
    'life 1 0',
    'removal 1 0',
    'service 1 0',
    'network 0 1',
    'restart 2 0',
  ]);
});

test('a suite without parts is repeated whole', () => {
  assert.deepEqual(partsAgain(tap('not ok 1 - a'), ['']), ['']);
  assert.deepEqual(partsAgain(tap('part of-old', 'not ok 1 - a'), wanted), wanted);
});

test('nothing is repeated where nothing failed', () => {
  assert.deepEqual(partsAgain(tap('part service', 'ok 1 - a'), wanted), []);
});

test('a machine that broke off is repeated from the part it was in', () => {
  const lines = ['part service', 'ok 1 - a', 'part network', 'ok 2 - b', 'part life'];
  const broken = machineResult('m', readTap(lines), 'ended early');
  assert.deepEqual(partsAgain(broken, wanted), ['service', 'network', 'life', 'restart', 'removal']);
  assert.equal(merged(broken, tap('part life', 'ok 1 - c')).brokenOff, undefined);
  assert.deepEqual(partsAgain(machineResult('m', readTap([]), 'no boot'), wanted), wanted);
});
