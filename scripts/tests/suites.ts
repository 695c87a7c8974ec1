/** Which tests there are, and how each kind is run. */

import { globSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Chunk } from './run-chunk.ts';

export type SuiteName = 'static' | 'unit' | 'root' | 'vm';

const minute = 60_000;

/**
 * Folders of `tests/` that need no root: the contract suites on the fakes, the API over a real socket with fake services,
 * the CLI before a fake engine.
 */
const rootless = ['tests/contracts/', 'tests/api/', 'tests/cli/'];
/** Whether a test file needs root and the real kernel. */
export const needsRoot = (file: string): boolean =>
  file.endsWith('.root.test.ts') ||
  (file.startsWith('tests/') && !rootless.some((folder) => file.startsWith(folder)));

function unitChunks(root: string): Chunk[] {
  const patterns = ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts', 'tests/**/*.test.ts'];
  const files = globSync(patterns, { cwd: root }).filter((file) => !needsRoot(file));
  return [
    { name: 'unit, contracts, API', run: { files: files.sort(), concurrency: 2 }, timeoutMs: 8 * minute },
  ];
}

/** A test file may ask for more time in its first lines: `// timeout: 600` (seconds). */
function timeoutOf(path: string): number {
  const asked = /^\/\/ timeout: (\d+)$/m.exec(readFileSync(path, 'utf8').slice(0, 1000));
  return asked === null ? 4 * minute : Number(asked[1]) * 1000;
}

/** One file at a time, each in a process of its own: they share the kernel, and a hang names its file. */
function rootChunks(root: string): Chunk[] {
  const files = globSync(['src/**/*.test.ts', 'tests/**/*.test.ts'], { cwd: root });
  return files
    .filter((file) => needsRoot(file))
    .sort()
    .map((file) => ({
      name: file,
      run: { files: [file], concurrency: 1 },
      timeoutMs: timeoutOf(join(root, file)),
    }));
}

function vmChunks(root: string): Chunk[] {
  const main = join(root, 'tests/vm/run.ts');
  if (!existsSync(main)) return [];
  return [
    {
      name: 'tests/vm',
      run: { command: [process.execPath, '--disable-warning=ExperimentalWarning', main] },
      timeoutMs: 30 * minute,
    },
  ];
}

/** What needs no test runner: types, lint, format, room rules, generated files. The Makefile's targets run the same. */
function staticChunks(): Chunk[] {
  return ['types', 'lint', 'format', 'rooms', 'generated'].map((name) => ({
    name,
    run: { check: ['make', '--no-print-directory', name] },
    timeoutMs: 3 * minute,
  }));
}

const makers: Record<SuiteName, (root: string) => Chunk[]> = {
  static: staticChunks,
  unit: unitChunks,
  root: rootChunks,
  vm: vmChunks,
};

export const suiteNames = Object.keys(makers);

export function isSuite(name: string): name is SuiteName {
  return suiteNames.includes(name);
}

export function chunksOf(root: string, suite: SuiteName): Chunk[] {
  return makers[suite](root);
}
