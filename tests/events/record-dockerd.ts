/**
 * Runs the session against a reference dockerd and writes what its events say: `node tests/events/record-dockerd.ts` (root).
 * With a socket as argument it prints what that engine says instead.
 */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startDockerd } from '../peers/dockerd.ts';
import { busyboxArchive } from '../scenarios/engine.ts';
import { describeEvent, readEvents, session, wordsOf } from './session.ts';

const execute = promisify(execFile);
const settleMs = 500;

/** What each step of the session makes an engine tell. */
export async function runSession(socket: string): Promise<Record<string, readonly string[]>> {
  const told: Record<string, readonly string[]> = {};
  for (const { name, commands } of session) {
    const since = (Date.now() / 1000).toFixed(3);
    for (const command of commands) {
      await execute('docker', ['-H', `unix://${socket}`, ...wordsOf(command)]).catch(() => {});
    }
    // What an engine tells behind the answer.
    await delay(settleMs);
    const events = await readEvents(socket, since, (Date.now() / 1000).toFixed(3));
    told[name] = events.map(describeEvent);
  }
  return told;
}

async function main(socket: string | undefined): Promise<void> {
  if (socket !== undefined) {
    console.log(JSON.stringify(await runSession(socket), undefined, 2));
    return;
  }
  const parent = mkdtempSync('/tmp/slip-peer-');
  const peer = await startDockerd({ folder: join(parent, 'docker'), name: `slip-events-${process.pid}` });
  try {
    await execute('docker', ['-H', `unix://${peer.socket}`, 'load', '-i', await busyboxArchive()]);
    const told = await runSession(peer.socket);
    writeFileSync(join(import.meta.dirname, 'dockerd-20.10.json'), `${JSON.stringify(told, undefined, 2)}\n`);
  } finally {
    await peer.stop();
    rmSync(parent, { recursive: true, force: true });
  }
}

if (import.meta.main) await main(process.argv[2]);
