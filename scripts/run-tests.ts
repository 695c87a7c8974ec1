/**
 * Runs suites of tests and prints their sum: `run-tests.ts static|unit|root|vm|FILE...`.
 * The last line is `N passed, M failed`; the exit code is 0 only if nothing failed and something ran.
 */

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { unpackDockerCli } from '../tests/peers/trixie.ts';
import { runInLanes } from './tests/lanes.ts';
import { rerunFailed } from './tests/rerun.ts';
import { runChunk, type Chunk, type ChunkResult } from './tests/run-chunk.ts';
import { chunksOf, fixturesChunk, isSuite, needsRoot } from './tests/suites.ts';

// What tests hold answers against was recorded so; other zones, languages and masks are the business of single tests.
process.env['TZ'] = 'UTC';
process.env['LC_ALL'] = 'C.UTF-8';
process.umask(0o022);

const root = join(import.meta.dirname, '..');
function chooseChunks(args: readonly string[]): Chunk[] {
  const all = args.flatMap((name) => {
    if (isSuite(name)) return chunksOf(root, name);
    return [{ name, run: { files: [name], concurrency: 1 }, timeoutMs: 600_000, alone: true }];
  });
  return all.filter(({ run }) => !('files' in run) || run.files.length > 0);
}

function report(result: ChunkResult): void {
  const outcome = result.failed === 0 ? 'ok  ' : 'FAIL';
  const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
  const counts = `${result.passed} passed, ${result.failed} failed${skipped}`;
  process.stdout.write(`${outcome} ${result.chunk}: ${counts} (${result.seconds.toFixed(1)} s)\n`);
  for (const failure of result.failures) {
    const indented = failure.message.split('\n').slice(0, 30).join('\n      ');
    process.stdout.write(`  - ${relative(root, failure.file)}: ${failure.name}\n      ${indented}\n`);
  }
  for (const what of result.left) process.stdout.write(`  left behind: ${what}\n`);
  if (result.failed > 0) process.stdout.write(`  whole output: ${relative(root, result.log)}\n`);
}

/** The suites drive the engine by the docker CLI too: where none of 26 or later is installed, Debian 13's serves. */
async function ensureDockerCli(): Promise<void> {
  const { stdout } = spawnSync('docker', ['--version'], { encoding: 'utf8' });
  if (Number(/version (\d+)/.exec(stdout)?.[1] ?? 0) >= 26) return;
  process.env['PATH'] = [await unpackDockerCli(), process.env['PATH']].join(':');
}

const args = process.argv.slice(2);
const chunks = chooseChunks(args);
/** A tree in which much hangs must fail with its results, not by the patience of who waits for it. */
const deadline = Date.now() + Number(process.env['TEST_MINUTES'] ?? 75) * 60_000;
/** Files of the root suite wait more than they compute: two share two processors well, and more would only slow each other down. */
const lanes = Number(process.env['TEST_LANES'] ?? Math.min(2, availableParallelism()));

async function runUntilDeadline(chunk: Chunk): Promise<ChunkResult> {
  const timeoutMs = Math.max(1, Math.min(chunk.timeoutMs, deadline - Date.now()));
  return await runChunk(root, { ...chunk, timeoutMs });
}

/** No test of its own: what could not be made is told, and fails the files that need it when they cannot make it either. */
async function makeFixtures(): Promise<void> {
  const { failed, seconds, log } = await runUntilDeadline(fixturesChunk(root));
  const outcome = failed === 0 ? 'made' : `not all made, see ${relative(root, log)}`;
  process.stdout.write(`fixtures: ${outcome} (${seconds.toFixed(1)} s)\n`);
}

const needFixtures = args.includes('root') || args.includes('vm');
const fixtures = needFixtures ? makeFixtures() : Promise.resolve();
if (args.includes('root')) await ensureDockerCli();

async function runAndReport(chunk: Chunk): Promise<ChunkResult> {
  if (chunk.usesFixtures === true) await fixtures;
  const result = await runUntilDeadline(chunk);
  report(result);
  return result;
}

const first = await runInLanes(chunks, lanes, runAndReport);
const done = chunks.map((chunk, index) => ({ chunk, result: first[index] as ChunkResult }));
const { results, reruns } = await rerunFailed(done, (chunk) => needsRoot(chunk.name), runAndReport);
for (const { first: failed, second } of reruns) {
  if (second.failed > 0) continue;
  process.stdout.write(
    `FLAKY ${failed.chunk}: failed once and passed when run again; see ${relative(root, failed.log)}\n`,
  );
}

const sum = (pick: (result: ChunkResult) => number): number =>
  results.reduce((total, each) => total + pick(each), 0);
const passed = sum((result) => result.passed);
const failed = sum((result) => result.failed);
const skipped = sum((result) => result.skipped);
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
if (failed > 0 || passed === 0) process.exitCode = 1;
