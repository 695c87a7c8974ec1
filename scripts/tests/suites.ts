/** Which tests there are, and how each kind is run. */

import { globSync, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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
    {
      name: 'unit, contracts, API',
      run: { files: files.sort(), concurrency: 2 },
      timeoutMs: 8 * minute,
      alone: true,
    },
  ];
}

/** A test file may ask for more time in its first lines: `// timeout: 600` (seconds). */
function timeoutOf(path: string): number {
  const asked = /^\/\/ timeout: (\d+)$/m.exec(readFileSync(path, 'utf8').slice(0, 1000));
  return asked === null ? 4 * minute : Number(asked[1]) * 1000;
}

/** Whether a file reaches `wanted` by imports with relative paths. */
function reaches(file: string, wanted: string, seen: Set<string>): boolean {
  if (file === wanted) return true;
  if (seen.has(file)) return false;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  const imports = [...text.matchAll(/^(?:import|export|\}) .*from '(\.[^']+\.ts)';$/gm)];
  return imports.some(([, path = '']) => reaches(join(dirname(file), path), wanted, seen));
}

/**
 * Each file in a process of its own: they share the kernel, and a hang names its file. First those that can begin before the
 * fixtures are made; of these and the others first those that take long, so that none of them is left for the end.
 */
function rootChunks(root: string): Chunk[] {
  const files = globSync(['src/**/*.test.ts', 'tests/**/*.test.ts'], { cwd: root });
  const fixtures = join(root, 'tests/helpers/made-once.ts');
  const chunks = files
    .filter((file) => needsRoot(file))
    .sort()
    .map((file) => ({
      name: file,
      run: { files: [file], concurrency: 1 },
      timeoutMs: timeoutOf(join(root, file)),
      usesFixtures: reaches(join(root, file), fixtures, new Set()),
    }));
  return chunks.toSorted(
    (a, b) => Number(a.usesFixtures) - Number(b.usesFixtures) || b.timeoutMs - a.timeoutMs,
  );
}

function vmChunks(root: string): Chunk[] {
  const main = join(root, 'tests/vm/run.ts');
  if (!existsSync(main)) return [];
  // Two virtual processors take what two processors have.
  return [
    {
      name: 'tests/vm',
      run: { command: [process.execPath, '--disable-warning=ExperimentalWarning', main] },
      timeoutMs: 30 * minute,
      alone: true,
      usesFixtures: true,
    },
  ];
}

/** What needs no test runner: types, lint, format, room rules, generated files. The Makefile's targets run the same. */
function staticChunks(): Chunk[] {
  return ['types', 'lint', 'format', 'rooms', 'generated'].map((name) => ({
    name,
    run: { check: ['make', '--no-print-directory', name] },
    timeoutMs: 3 * minute,
    alone: true,
  }));
}

/** What the root and VM suites share, made beside the suites that need nothing of it. */
export const fixturesChunk = (root: string): Chunk => ({
  name: 'fixtures',
  run: { check: [process.execPath, join(root, 'tests/fixtures.ts')] },
  timeoutMs: 20 * minute,
});

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
