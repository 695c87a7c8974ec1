/**
 * slipway-net: answers DNS inside containers and holds published ports while daemons come and go. Started by the daemon's
 * client (network/net-helper); one process an engine, small, and replaced without closing a socket.
 * Arguments: `--run-root DIR`, `--build NAME`; descriptor 3, where there is one, gets a line when it serves.
 */

import { closeSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { pidPath, socketPath, statePath } from '../core/netd-protocol.ts';
import { createLightHost, releaseFilePages } from '../host/index.ts';
import { serve } from './server.ts';
import { Holdings } from './state.ts';
import { findPredecessor, formerEnded, takeOver } from './takeover.ts';

const readyFd = 3;
const trimDelayMs = 2000;
const watchEveryMs = 2000;
const maxMisses = 2;
const trimEveryMs = 60_000;
const trimAboveBytes = 48 * 1024 * 1024;

function readArguments(): { readonly runRoot: string; readonly build: string } {
  const { values } = parseArgs({ options: { 'run-root': { type: 'string' }, build: { type: 'string' } } });
  const runRoot = values['run-root'];
  if (runRoot === undefined) {
    process.stderr.write('usage: slipway-net --run-root DIR [--build NAME]\n');
    process.exit(64);
  }
  return { runRoot, build: values.build ?? '' };
}

function tellReady(line: string): void {
  try {
    writeSync(readyFd, `${line}\n`);
    closeSync(readyFd);
  } catch {
    // Started by hand: nobody waits.
  }
}

/**
 * Calls `lost` when the socket has been gone, or another's, for a while: no daemon can reach this process any more, and the
 * ports that it holds would only stand in the way of the next one.
 */
function watchSocket(runRoot: string, lost: () => void): void {
  const inode = (): number => statSync(socketPath(runRoot), { throwIfNoEntry: false })?.ino ?? 0;
  const own = inode();
  let misses = 0;
  const timer = setInterval(() => {
    misses = inode() === own ? 0 : misses + 1;
    if (misses < maxMisses) return;
    clearInterval(timer);
    lost();
  }, watchEveryMs);
}

/** Removes the files that lead here, unless a successor has put its own there. */
function forget(runRoot: string): void {
  try {
    if (Number(readFileSync(pidPath(runRoot), 'utf8')) !== process.pid) return;
  } catch {
    return;
  }
  for (const path of [pidPath(runRoot), socketPath(runRoot), statePath(runRoot)])
    rmSync(path, { force: true });
}

async function main(): Promise<void> {
  const { runRoot, build } = readArguments();
  // The socket and the state are for root alone, whatever the daemon's own mask is.
  process.umask(0o077);
  const host = createLightHost();
  const holdings = new Holdings(host, runRoot);
  const predecessor = await findPredecessor(runRoot);
  if (predecessor === undefined) {
    await formerEnded(host, runRoot);
    await holdings.recover();
  } else await takeOver(host, holdings, predecessor);
  const server = await serve({
    holdings,
    runRoot,
    pid: process.pid,
    build,
    quit(how) {
      server.close();
      if (how === 'shutdown') forget(runRoot);
      const ended = how === 'yield' ? holdings.drain() : holdings.close();
      void ended.finally(() => process.exit(0));
    },
  });
  writeFileSync(pidPath(runRoot), `${process.pid}\n`);
  if (predecessor !== undefined) {
    await predecessor.call('yield', {});
    predecessor.close();
  }
  holdings.save();
  watchSocket(runRoot, () => void holdings.drain().finally(() => process.exit(0)));
  tellReady('ready');
  // What only the start needed goes back to the system, and later what a busy while needed.
  setTimeout(() => releaseFilePages(), trimDelayMs).unref();
  setInterval(() => {
    if (process.memoryUsage.rss() > trimAboveBytes) releaseFilePages();
  }, trimEveryMs).unref();
}

// The daemon's terminal and session are not ours: only an order on the socket, or SIGTERM, ends the process.
process.on('SIGHUP', () => {});
process.on('SIGINT', () => {});
// One flow that fails in a way nobody thought of must not take the names and ports of all containers along.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
});
main().catch((error: unknown) => {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  tellReady(`failed: ${error instanceof Error ? error.message : message}`);
  process.stderr.write(`${message}\n`);
  process.exit(1);
});
