// timeout: 240
/** The engine answers some 540 requests as dockerd 20.10 and 26.1 did when they were recorded; what may differ is listed as data. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { DockerdVersion } from '../peers/dockerd.ts';
import { startSlipwayd } from '../peers/slipwayd.ts';
import type { Peer } from '../peers/process.ts';
import { busyboxArchive, runProgram } from '../scenarios/engine.ts';
import { reasons, unaccepted } from './compare/accepted.ts';
import { allRequests, differences, observe, type Observed } from './compare/run.ts';

let peer: Peer;
let parent: string;
before(async () => {
  parent = mkdtempSync('/tmp/slip-');
  // In namespaces of its own, as the reference was: the same networks are free for both.
  peer = await startSlipwayd({ folder: join(parent, 'engine'), name: `t${process.pid.toString(36)}` });
  const load = await runProgram('docker', [
    '-H',
    `unix://${peer.socket}`,
    'load',
    '-i',
    await busyboxArchive(),
  ]);
  assert.equal(load.code, 0, load.stderr);
});
after(async () => {
  await peer.stop();
  rmSync(parent, { recursive: true });
});

function recorded(version: DockerdVersion): readonly Observed[] {
  const text = readFileSync(join(import.meta.dirname, `recorded/answers-${version}.json`), 'utf8');
  return JSON.parse(text) as readonly Observed[];
}

const apiVersions = { '20.10': '1.41', '26.1': '1.45' } as const;

for (const version of ['26.1', '20.10'] as const) {
  test(`status, message and keys are those of dockerd ${version}`, async () => {
    const found = differences(recorded(version), await observe(peer.socket, apiVersions[version]));
    assert.deepEqual(unaccepted(version, found), []);
  });
}

test('at least 300 requests are compared, and every reason to differ is explained', () => {
  assert.ok(allRequests.length >= 300, String(allRequests.length));
  const page = readFileSync(join(import.meta.dirname, '../../docs/api-deviations.md'), 'utf8');
  assert.deepEqual(
    [...reasons].filter((reason) => !page.includes(`\`${reason}\``)),
    [],
  );
});

test('a difference that is not listed is found', () => {
  const [first] = recorded('26.1');
  assert.ok(first !== undefined);
  const ours = [{ ...first, status: 418 }];
  assert.equal(unaccepted('26.1', differences([first], ours)).length, 1);
});
