/** What a test file that was killed, or that forgot something, has left on the machine: the files after it must not meet it. */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where an engine of a test keeps its things; the test has written it down before it started that engine. */
export interface NotedEngine {
  readonly instance: string;
  readonly folder: string;
  readonly dataRoot: string;
  readonly runRoot: string;
  readonly socket: string;
}

/** Everything that a chunk starts carries its mark in the environment, except containers and their shims. */
function marked(mark: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'utf8');
      return environment.split('\0').includes(`SLIPWAY_TEST_RUN=${mark}`) ? [Number(name)] : [];
    } catch {
      // It ended meanwhile, or is not ours to read.
      return [];
    }
  });
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim().slice(0, 120);
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended in this moment.
  }
}

/** What a test has started ends with it, and needs a moment for that: only what stays is told. */
async function endMarked(mark: string): Promise<string[]> {
  const patience = Date.now() + 2000;
  while (marked(mark).length > 0 && Date.now() < patience) await delay(20);
  const told: string[] = [];
  const deadline = Date.now() + 5000;
  for (let pids = marked(mark); pids.length > 0 && Date.now() < deadline; pids = marked(mark)) {
    if (told.length === 0) told.push(...pids.map((pid) => `process ${commandOf(pid)}`));
    for (const pid of pids) kill(pid);
    await delay(20);
  }
  return told;
}

async function removeEngine(root: string, engine: NotedEngine): Promise<string> {
  const env = {
    ...process.env,
    INSTANCE: engine.instance,
    DATA_ROOT: engine.dataRoot,
    RUN_ROOT: engine.runRoot,
    SOCKET: engine.socket,
  };
  const what = `engine ${engine.instance} in ${engine.folder}`;
  try {
    await run(process.execPath, [join(root, 'scripts/clean.ts')], { env, timeout: 60_000 });
    await run('rm', ['-rf', '--one-file-system', engine.folder], { timeout: 60_000 });
    return what;
  } catch (error) {
    return `${what}, which could not be removed: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Ends and removes what the chunk with this mark has left; says what that was. `engines`: the folder of its notes. */
export async function removeLeft(root: string, mark: string, engines: string): Promise<readonly string[]> {
  const left = await endMarked(mark);
  if (!existsSync(engines)) return left;
  for (const name of readdirSync(engines)) {
    const engine = JSON.parse(readFileSync(join(engines, name), 'utf8')) as NotedEngine;
    left.push(await removeEngine(root, engine));
  }
  rmSync(engines, { recursive: true, force: true });
  return left;
}
