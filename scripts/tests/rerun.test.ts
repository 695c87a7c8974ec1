import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mostReruns, rerunFailed } from './rerun.ts';
import type { Chunk, ChunkResult } from './run-chunk.ts';

const chunk = (name: string): Chunk => ({ name, run: { files: [name], concurrency: 1 }, timeoutMs: 1000 });
const result = (name: string, failed: number): ChunkResult => ({
  chunk: name,
  passed: 1,
  failed,
  skipped: 0,
  failures: [],
  seconds: 0,
  log: '',
  left: [],
});
const done = (names: Readonly<Record<string, number>>) =>
  Object.entries(names).map(([name, failed]) => ({ chunk: chunk(name), result: result(name, failed) }));

test('only what failed and may be run again is run again, once, and its second result counts', async () => {
  const ran: string[] = [];
  const { results, reruns } = await rerunFailed(
    done({ good: 0, unlucky: 2, broken: 1, static: 1 }),
    (one) => one.name !== 'static',
    (one) => {
      ran.push(one.name);
      assert.deepEqual(one.env, { AGAIN: '1' });
      return Promise.resolve(result(one.name, one.name.startsWith('broken') ? 1 : 0));
    },
  );
  assert.deepEqual(ran, ['unlucky (again)', 'broken (again)']);
  assert.deepEqual(
    results.map((one) => [one.chunk, one.failed]),
    [
      ['good', 0],
      ['unlucky (again)', 0],
      ['broken (again)', 1],
      ['static', 1],
    ],
  );
  assert.deepEqual(
    reruns.map(({ first, second }) => [first.failed, second.failed]),
    [
      [2, 0],
      [1, 1],
    ],
  );
});

test('a tree in which much fails is not tried again', async () => {
  const names = Object.fromEntries(Array.from({ length: mostReruns + 1 }, (_, n) => [`f${n}`, 1]));
  const { results, reruns } = await rerunFailed(
    done(names),
    () => true,
    () => assert.fail('ran again'),
  );
  assert.deepEqual([results.length, reruns.length], [mostReruns + 1, 0]);
});
