/** The events of a whole session beside those of a real dockerd (20.10, recorded by `record-dockerd.ts`). */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';
import { describeEvent, readEvents, session, wordsOf } from './session.ts';

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'dockerd-20.10.json'), 'utf8'),
) as Readonly<Record<string, readonly string[]>>;

type Change = (events: readonly string[]) => readonly string[];
const without =
  (...parts: readonly string[]): Change =>
  (events) =>
    events.filter((event) => !parts.some((part) => event.startsWith(part)));

/** Where the engine's events differ from those of 20.10, and why. */
const differences: Readonly<Record<string, Change>> = {
  // A volume that exists is not created again; later versions see it so, too.
  create: without('volume create'),
  // 20.10 tells it twice.
  disconnect: (events) => events.slice(0, 1),
  // Files go through the running container's own root: nothing is mounted for that.
  'cp in': without('volume'),
  'cp out': without('volume'),
  // The labels of an image are known until it is gone.
  rmi: (events) => events.map((event) => event.replace(/^image delete <image> /, '$&l=1 ')),
  // cgroup v1 tells dockerd 20.10 nothing here.
  oom: (events) =>
    events.flatMap((event) =>
      event.startsWith('container die') ? ['container oom <id> image=busybox name=ff', event] : [event],
    ),
};

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

test('the same actions and attributes in the same order', async () => {
  const all: Record<string, { told: readonly string[]; expected: readonly string[] }> = {};
  for (const { name, commands } of session) {
    const change = differences[name] ?? ((events: readonly string[]) => events);
    const expected = change(recorded[name] ?? []);
    const since = (Date.now() / 1000).toFixed(3);
    for (const command of commands) await engine.run('docker', wordsOf(command));
    let told: readonly string[] = [];
    await eventually(
      `all events of ${name}`,
      async () => {
        const events = await readEvents(engine.socket, since, (Date.now() / 1000 + 0.002).toFixed(3));
        told = events.map(describeEvent);
        return told.length >= expected.length ? true : undefined;
      },
      5000,
    ).catch(() => {});
    all[name] = { told, expected };
  }
  const of = (key: 'told' | 'expected'): object =>
    Object.fromEntries(Object.entries(all).map(([name, each]) => [name, each[key]]));
  assert.deepEqual(of('told'), of('expected'));
});
