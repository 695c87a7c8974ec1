/**
 * Records what dockerd 20.10 and 26.1 answer to the compared requests: `node tests/api/record-dockerd.ts`, as root.
 * The answers go to `tests/api/recorded/answers-VERSION.json`.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dockerdVersions, startDockerd } from '../peers/dockerd.ts';
import { busyboxArchive } from '../scenarios/engine.ts';
import { observe, observeVersions } from './compare/run.ts';

const apiVersions = { '20.10': '1.41', '26.1': '1.45' } as const;

for (const version of dockerdVersions) {
  const parent = mkdtempSync('/tmp/slip-record-');
  const name = `slip-record-${process.pid}`;
  const peer = await startDockerd({ folder: join(parent, 'docker'), name }, version);
  try {
    execFileSync('docker', ['-H', `unix://${peer.socket}`, 'load', '-i', await busyboxArchive()]);
    const answers = await observe(peer.socket, apiVersions[version]);
    const lines = answers.map((answer) => JSON.stringify(answer));
    const file = join(import.meta.dirname, `recorded/answers-${version}.json`);
    writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`);
    console.log(`${file}: ${answers.length} answers`);
    if (version !== '26.1') continue;
    const older = Object.entries(await observeVersions(peer.socket)).map(([api, seen]) => {
      const rows = seen.map((answer) => JSON.stringify(answer)).join(',\n');
      return `${JSON.stringify(api)}: [\n${rows}\n]`;
    });
    writeFileSync(join(import.meta.dirname, 'recorded/older-versions.json'), `{\n${older.join(',\n')}\n}\n`);
  } finally {
    await peer.stop();
    rmSync(parent, { recursive: true });
  }
}
