import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInLanes } from './lanes.ts';

interface Job {
  readonly name: string;
  readonly alone?: boolean;
}

/** Runs jobs that end when they are told to: `end` takes the names in the order in which they shall end. */
async function watch(jobs: readonly Job[], lanes: number, order: readonly string[]): Promise<string[]> {
  const story: string[] = [];
  const enders = new Map<string, () => void>();
  const results = runInLanes(jobs, lanes, async ({ name }) => {
    story.push(`+${name}`);
    await new Promise<void>((resolve) => enders.set(name, resolve));
    story.push(`-${name}`);
    return name;
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  for (const name of order) {
    while (!enders.has(name)) await turn();
    enders.get(name)?.();
    await turn();
  }
  assert.deepEqual(
    await results,
    jobs.map(({ name }) => name),
  );
  return story;
}

test('two at once, begun in order, whichever ends first', async () => {
  const jobs = ['a', 'b', 'c', 'd'].map((name) => ({ name }));
  assert.deepEqual(await watch(jobs, 2, ['b', 'c', 'a', 'd']), [
    '+a',
    '+b',
    '-b',
    '+c',
    '-c',
    '+d',
    '-a',
    '-d',
  ]);
});

test('what is to be alone waits for all before it, and all after it wait for its end', async () => {
  const jobs = [{ name: 'a' }, { name: 'b' }, { name: 'x', alone: true }, { name: 'c' }, { name: 'd' }];
  assert.deepEqual(await watch(jobs, 2, ['b', 'a', 'x', 'd', 'c']), [
    '+a',
    '+b',
    '-b',
    '-a',
    '+x',
    '-x',
    '+c',
    '+d',
    '-d',
    '-c',
  ]);
});

test('a run that fails ends all of it', async () => {
  const failing = runInLanes([{}, {}], 2, () => Promise.reject(new Error('no room')));
  await assert.rejects(failing, /no room/);
});
