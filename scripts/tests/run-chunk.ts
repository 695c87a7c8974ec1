/** Runs some test files in a process group of their own, with a deadline, and counts what they said. */

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCounts } from './count-reporter.ts';

export type ChunkRun =
  /** Test files for Node's runner. */
  | { readonly files: readonly string[]; readonly concurrency: number }
  /** A command that writes TestCounts as JSON to the file `$RESULT`. */
  | { readonly command: readonly string[] }
  /** A command of which only the exit code counts, as one test. */
  | { readonly check: readonly string[] };

export interface Chunk {
  readonly name: string;
  readonly run: ChunkRun;
  readonly timeoutMs: number;
}

export interface ChunkResult extends TestCounts {
  readonly chunk: string;
  readonly seconds: number;
  readonly log: string;
}

const nothing: TestCounts = { passed: 0, failed: 0, skipped: 0, failures: [] };

function failure(chunk: Chunk, counts: TestCounts, message: string): TestCounts {
  const failures = [...counts.failures, { file: chunk.name, name: chunk.name, message }];
  return { ...counts, failed: counts.failed + 1, failures };
}

function commandOf(chunk: Chunk, root: string, result: string): string[] {
  if ('command' in chunk.run) return [...chunk.run.command];
  if ('check' in chunk.run) return [...chunk.run.check];
  return [
    process.execPath,
    // With memory protection keys V8 aborts now and then where threads strip types; Node's runner hands this on to each file.
    '--no-memory-protection-keys',
    '--test',
    `--test-concurrency=${chunk.run.concurrency}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'scripts/tests/count-reporter.ts')}`,
    `--test-reporter-destination=${result}`,
    ...chunk.run.files,
  ];
}

/** Everything that the chunk started carries its mark in the environment: what a killed test left is ended by it. */
function endMarked(mark: string): void {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'utf8');
      if (environment.split('\0').includes(`SLIPWAY_TEST_RUN=${mark}`)) process.kill(Number(name), 'SIGKILL');
    } catch {
      // The process ended meanwhile, or is not ours to read: nothing to end.
    }
  }
}

function readCounts(result: string): TestCounts | undefined {
  try {
    return JSON.parse(readFileSync(result, 'utf8')) as TestCounts;
  } catch {
    return undefined;
  }
}

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
}

async function execute(
  command: readonly string[],
  log: string,
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<Ending> {
  const output = openSync(log, 'w');
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', output, output], env, detached: true });
  closeSync(output);
  return await new Promise((resolve, reject) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, timeoutMs);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, timedOut });
    });
  });
}

function countCheck(chunk: Chunk, ending: Ending, log: string): TestCounts {
  if (ending.code === 0) return { ...nothing, passed: 1 };
  if (ending.timedOut) return nothing;
  return failure(chunk, nothing, readFileSync(log, 'utf8').trim().split('\n').slice(-25).join('\n'));
}

export async function runChunk(root: string, chunk: Chunk): Promise<ChunkResult> {
  const folder = join(root, '.cache/test-logs');
  mkdirSync(folder, { recursive: true });
  const base = join(folder, chunk.name.replace(/[^\w.-]+/g, '_'));
  const log = `${base}.log`;
  const result = `${base}.json`;
  rmSync(result, { force: true });
  const mark = `${process.pid}-${Date.now()}`;
  const env: NodeJS.ProcessEnv = { ...process.env, RESULT: result, SLIPWAY_TEST_RUN: mark };
  // Each test file is a process of its own: stripped types and compiled code are kept between them, which halves the work.
  env['NODE_COMPILE_CACHE'] ??= join(root, '.cache/compiled');
  delete env['NODE_TEST_CONTEXT'];
  const start = performance.now();
  const ending = await execute(commandOf(chunk, root, result), log, env, chunk.timeoutMs);
  const told = 'check' in chunk.run ? countCheck(chunk, ending, log) : readCounts(result);
  let counts = told ?? nothing;
  if (ending.timedOut) {
    endMarked(mark);
    counts = failure(chunk, counts, `did not end within ${chunk.timeoutMs / 1000} s`);
  } else if (told === undefined || (ending.code !== 0 && counts.failed === 0)) {
    counts = failure(chunk, counts, `ended with ${ending.signal ?? `code ${ending.code}`}, see ${log}`);
  }
  return { ...counts, chunk: chunk.name, seconds: (performance.now() - start) / 1000, log };
}
