/** What a plugin that gives addresses is asked, beside what dockerd asks the same program (20.10, recorded by `record-ipam-dockerd.ts`). */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Peer } from '../peers/process.ts';
import { startSlipwayd } from '../peers/slipwayd.ts';
import { ipamSession, runIpamSession, type IpamStep } from './ipam-session.ts';

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'ipam-dockerd-20.10.json'), 'utf8'),
) as Readonly<Record<string, IpamStep>>;

/** Where the engine differs from 20.10, and why. */
const differences: Readonly<Record<string, (step: IpamStep) => IpamStep>> = {
  // As later versions say it.
  'rm of a network in use': (step) => ({
    ...step,
    failure: `${step.failure} (name:"one" id:"<short>", name:"two" id:"<short>")`,
  }),
  // A pool that cannot be used goes back all the same.
  'a pool that is none': (step) => ({
    ...step,
    calls: [...step.calls, 'IpamDriver.ReleasePool {"PoolID":"pool-5"}'],
  }),
};

test('the same calls in the same order, and the same words', async () => {
  const parent = mkdtempSync('/tmp/slip-');
  let peer: Peer | undefined;
  try {
    const name = `slipi${process.pid % 100_000}`;
    peer = await startSlipwayd({ folder: join(parent, 'engine'), name });
    const expected = Object.fromEntries(
      ipamSession.map(([name]) => {
        const step = recorded[name];
        assert.ok(step !== undefined, `nothing is recorded of ${name}`);
        return [name, (differences[name] ?? ((same) => same))(step)];
      }),
    );
    const told = await runIpamSession(peer, expected);
    const other = ipamSession
      .map(([name]) => name)
      .filter((name) => !isDeepStrictEqual(told[name], expected[name]));
    const only = (steps: Readonly<Record<string, IpamStep>>) => other.map((name) => [name, steps[name]]);
    assert.deepEqual(only(told), only(expected));
  } finally {
    await peer?.stop();
    rmSync(parent, { recursive: true, force: true });
  }
});
