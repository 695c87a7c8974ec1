import assert from 'node:assert/strict';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runChunk, type ChunkResult } from './run-chunk.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'run-chunk-'));
const name = (test: string): string => `run-chunk-${process.pid}-${test}`;
after(() => {
  rmSync(folder, { recursive: true, force: true });
  for (const file of globSync(`.cache/test-logs/${name('')}*`, { cwd: root })) rmSync(join(root, file));
});

/** Runs a test file with this text; its log and results go where those of all suites go, under a name of their own. */
async function runFile(what: string, text: string, timeoutMs: number): Promise<ChunkResult> {
  const file = join(folder, `${what}.test.mjs`);
  writeFileSync(file, `import { test } from 'node:test';\n${text}`);
  return await runChunk(root, {
    name: name(what),
    run: { files: [file], concurrency: 1 },
    timeoutMs,
    env: { FOLDER: folder },
  });
}

const starts = (what: string): string => `
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
const child = spawn(${what}, { detached: true, stdio: 'ignore' });
child.unref();
writeFileSync(process.env.FOLDER + '/pid', String(child.pid));
`;
const startedPid = (): string => readFileSync(join(folder, 'pid'), 'utf8');
const runs = (pid: string): boolean =>
  existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');

test('what passes leaves nothing to tell', async () => {
  const result = await runFile('good', "test('one', () => {});", 60_000);
  assert.deepEqual([result.passed, result.failed, result.left], [1, 0, []]);
});

test('a hang is told in one line with what was said last, and what it started ends with it', async () => {
  const text = `${starts("'sleep', ['1000']")} console.log('so far'); test('hangs', () => new Promise(() => setInterval(() => {}, 1000)));`;
  const result = await runFile('hang', text, 6000);
  assert.equal(result.failed, 1);
  assert.match(result.failures[0]?.message ?? '', /^did not end within 6 s; it said last:\n[^]*so far/);
  assert.equal(runs(startedPid()), false);
  assert.deepEqual(result.left, ['process sleep 1000']);
});

test('a runner that the kernel kills is told, and so are processes that it can no longer end', async () => {
  const text = `${starts("'sleep', ['2000']")} test('dies', () => process.kill(process.ppid, 'SIGKILL'));`;
  const result = await runFile('killed', text, 60_000);
  assert.deepEqual([result.passed, result.failed], [0, 1]);
  assert.match(result.failures[0]?.message ?? '', /^its runner ended with SIGKILL/);
  assert.ok(result.left.includes('process sleep 2000'), result.left.join());
  assert.equal(runs(startedPid()), false);
});

test('a process that ends a moment after its test is nothing left behind', async () => {
  const text = `${starts("'sleep', ['0.3']")} test('one', () => {});`;
  const result = await runFile('short', text, 60_000);
  assert.deepEqual([result.failed, result.left], [0, []]);
});
