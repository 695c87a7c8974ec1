/** Runs some test files in a process group of their own, with a deadline, and counts what they said. */

import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCounts } from './count-reporter.ts';
import { removeLeft } from './leftovers.ts';

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
  /** Nothing runs beside it. */
  readonly alone?: boolean;
  /** It uses what `tests/fixtures.ts` makes. */
  readonly usesFixtures?: boolean;
  /** More of its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ChunkResult extends TestCounts {
  readonly chunk: string;
  readonly seconds: number;
  readonly log: string;
  /** What it had not taken away when it ended, and the runner has: processes, engines. */
  readonly left: readonly string[];
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

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All of it ended in this moment.
  }
}

/** How long a killed group may take: a process that the kernel does not let go must not hold up all others. */
const killedMs = 30_000;

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
    let timer = setTimeout(() => {
      timedOut = true;
      killGroup(child);
      timer = setTimeout(() => resolve({ code: null, signal: null, timedOut }), killedMs);
    }, timeoutMs);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, timedOut });
    });
  });
}

const endOf = (log: string): string => readFileSync(log, 'utf8').trim().split('\n').slice(-25).join('\n');

function countCheck(chunk: Chunk, ending: Ending, log: string): TestCounts {
  if (ending.code === 0) return { ...nothing, passed: 1 };
  if (ending.timedOut) return nothing;
  return failure(chunk, nothing, endOf(log));
}

/** One line says how it ended; what it said last tells where. */
function count(chunk: Chunk, told: TestCounts | undefined, ending: Ending, log: string): TestCounts {
  const counts = told ?? nothing;
  if (ending.timedOut)
    return failure(
      chunk,
      counts,
      `did not end within ${chunk.timeoutMs / 1000} s; it said last:\n${endOf(log)}`,
    );
  if (told === undefined || (ending.code !== 0 && counts.failed === 0)) {
    const how = ending.signal ?? `code ${ending.code}`;
    return failure(chunk, counts, `its runner ended with ${how}; it said last:\n${endOf(log)}`);
  }
  return counts;
}

export async function runChunk(root: string, chunk: Chunk): Promise<ChunkResult> {
  const folder = join(root, '.cache/test-logs');
  mkdirSync(folder, { recursive: true });
  const base = join(folder, chunk.name.replace(/[^\w.-]+/g, '_'));
  const log = `${base}.log`;
  const result = `${base}.json`;
  rmSync(result, { force: true });
  const mark = randomUUID();
  const engines = `${base}.engines`;
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...chunk.env,
    RESULT: result,
    SLIPWAY_TEST_RUN: mark,
    SLIPWAY_TEST_ENGINES: engines,
  };
  // Each test file is a process of its own: stripped types and compiled code are kept between them, which halves the work.
  env['NODE_COMPILE_CACHE'] ??= join(root, '.cache/compiled');
  delete env['NODE_TEST_CONTEXT'];
  const start = performance.now();
  const ending = await execute(commandOf(chunk, root, result), log, env, chunk.timeoutMs);
  const seconds = (performance.now() - start) / 1000;
  const told = 'check' in chunk.run ? countCheck(chunk, ending, log) : readCounts(result);
  const left = await removeLeft(root, mark, engines);
  return { ...count(chunk, told, ending, log), chunk: chunk.name, seconds, log, left };
}
