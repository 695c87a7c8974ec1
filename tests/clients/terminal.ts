/** Programs on a terminal, for the tests of interactive commands. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** Wait for a text, then type something or change the window's size. */
export type Step = readonly [waitFor: string, type: string | WindowSize];

export interface Session {
  readonly output: string;
  readonly code: number;
}

/** Runs a program to its end on a terminal of 33 rows and 101 columns. */
export async function onTerminal(argv: readonly string[], steps: readonly Step[]): Promise<Session> {
  const plan = JSON.stringify({ argv, steps, rows: 33, columns: 101, timeout: 20 });
  const { stdout } = await run('python3', [join(import.meta.dirname, 'terminal.py'), plan]);
  return JSON.parse(stdout) as Session;
}
