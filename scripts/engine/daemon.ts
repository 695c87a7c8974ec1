/** Starts, finds and ends the daemon of `make run`; never by a process name, only by the pid file in its run root. */

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { daemonLog, daemonPidFile, type Settings } from './settings.ts';

export async function pings(socket: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const call = request({ socketPath: socket, path: '/_ping', timeout: 2000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
    call.end();
  });
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** A process named by a pid file, if it still is what the file says: numbers are used again. */
export function pidOf(file: string, program: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    return pid > 1 && commandLine(pid).includes(program) ? pid : undefined;
  } catch {
    return undefined;
  }
}

export const daemonPid = (settings: Settings): number | undefined =>
  pidOf(daemonPidFile(settings), 'slipwayd');

/** Starts the daemon unless it answers already; tells whether it had to. */
export async function startDaemon(settings: Settings): Promise<boolean> {
  if (await pings(settings.socket)) return false;
  mkdirSync(settings.runRoot, { recursive: true, mode: 0o711 });
  const output = openSync(daemonLog(settings), 'a');
  const args = [
    `--instance=${settings.instance}`,
    `--data-root=${settings.dataRoot}`,
    `--run-root=${settings.runRoot}`,
    `--host=unix://${settings.socket}`,
  ];
  const child = spawn(join(settings.repository, 'dist/bin/slipwayd'), args, {
    detached: true,
    stdio: ['ignore', output, output],
    cwd: '/',
  });
  closeSync(output);
  // The launcher replaces itself by the daemon, so the number stays.
  writeFileSync(daemonPidFile(settings), `${child.pid}\n`);
  const deadline = Date.now() + 30_000;
  while (!(await pings(settings.socket))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      const told = readFileSync(daemonLog(settings), 'utf8').split('\n').slice(-15).join('\n');
      throw new Error(`slipwayd does not answer on ${settings.socket}; its log ends with:\n${told}`);
    }
    await delay(50);
  }
  child.unref();
  return true;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** SIGTERM, and SIGKILL if that has not ended it in time. Succeeds when it is gone already. */
export async function endProcess(pid: number, graceMs: number): Promise<void> {
  for (const [signal, patience] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 5000],
  ] as const) {
    if (!isAlive(pid)) return;
    process.kill(pid, signal);
    const deadline = Date.now() + patience;
    while (isAlive(pid) && Date.now() < deadline) await delay(20);
  }
}

/** Ends the daemon and leaves the containers; false when none runs. */
export async function stopDaemon(settings: Settings): Promise<boolean> {
  const pid = daemonPid(settings);
  if (pid === undefined) return false;
  await endProcess(pid, 20_000);
  rmSync(daemonPidFile(settings), { force: true });
  return true;
}
