/** Runs the session against a reference dockerd and writes what a plugin was asked: `node tests/network/record-ipam-dockerd.ts` (root). */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDockerd } from '../peers/dockerd.ts';
import { runIpamSession } from './ipam-session.ts';

const parent = mkdtempSync('/tmp/slip-peer-');
const peer = await startDockerd({ folder: join(parent, 'docker'), name: `slip-ipam-${process.pid}` });
try {
  const told = await runIpamSession(peer);
  const file = join(import.meta.dirname, 'ipam-dockerd-20.10.json');
  writeFileSync(file, `${JSON.stringify(told, undefined, 2)}\n`);
} finally {
  await peer.stop();
  rmSync(parent, { recursive: true, force: true });
}
