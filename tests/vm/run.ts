/**
 * Runs the suite in `guest/` on Debian's kernel: builds the package, boots the machine with it, counts the results; `--only=NAME` one of the suites.
 * Writes them to the file that $RESULT names, for the runner of all suites, or as a summary for a person.
 */

import { execFile } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeBusyboxImage } from '../../scripts/images/busybox.ts';
import type { TestCounts } from '../../scripts/tests/count-reporter.ts';
import { makeBase, type VmBase } from './base.ts';
import { runMachine, type MachineEnd } from './machine.ts';
import { allParts, machineResult, merged, partsAgain, type MachineResult } from './parts.ts';
import { readTap, type TapResult } from './tap.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../..');
const cache = join(repository, '.cache/vm');

const words = (name: string, otherwise: readonly string[]): readonly string[] =>
  process.env[name]?.split(' ') ?? otherwise;

/** Parts of the suite in `guest/`, in order; `VM_PARTS` names others. */
const wanted = words('VM_PARTS', allParts);

/**
 * Tests that need nothing but the kernel: they run there from the sources. `VM_CONTRACTS` names others. Behind a colon, which
 * tests of a file that runs in a namespace of its own: those of what other kernels lack.
 */
const contracts = words('VM_CONTRACTS', [
  'tests/shim/contract.test.ts',
  'tests/network/overlay-sealed.test.ts',
  'tests/network/parents.test.ts:VLAN|ipvlan',
  'tests/network/contracts.test.ts:ipvlan',
]);

/**
 * Copies the sources, TypeScript as plain JavaScript: under emulation Node's own stripping of types takes seconds for each
 * process, and its WebAssembly made V8 abort there (`Check failed: it->second.Size() > offset`).
 */
function copyAsJavaScript(tree: string, part: string): void {
  cpSync(join(repository, part), join(tree, part), { recursive: true });
  for (const file of globSync('**/*.ts', { cwd: join(tree, part) })) {
    const path = join(tree, part, file);
    writeFileSync(asJavaScript(path), asJavaScript(stripTypeScriptTypes(readFileSync(path, 'utf8'))));
    rmSync(path);
  }
}

/** Names of files, alone or within quotes, with the ending that they have in the copy. */
const asJavaScript = (text: string): string => text.replaceAll(/\.ts(?=['"`:]|$)/gu, '.js');

function addContracts(content: string): void {
  const tree = join(content, 'tree');
  for (const part of ['src', 'tests', 'scripts', 'native']) copyAsJavaScript(tree, part);
  copyFileSync(join(repository, 'package.json'), join(tree, 'package.json'));
  writeFileSync(join(content, 'contracts.list'), `${contracts.map(asJavaScript).join('\n')}\n`);
}

async function makeContent(content: string): Promise<void> {
  await run(process.execPath, [join(repository, 'scripts/build-deb.ts'), '--compression=none']);
  const deb = globSync('dist/slipway_*.deb', { cwd: repository })[0];
  if (deb === undefined) throw new Error('no package was built');
  copyFileSync(join(repository, deb), join(content, 'slipway.deb'));
  const image = join(repository, '.cache/images/busybox.tar');
  if (!existsSync(image)) await makeBusyboxImage(image);
  copyFileSync(image, join(content, 'busybox.tar'));
  for (const script of globSync('guest/*.{sh,ts}', { cwd: import.meta.dirname })) {
    copyFileSync(join(import.meta.dirname, script), join(content, script.replace('guest/', '')));
  }
  addContracts(content);
}

async function makePayload(folder: string, parts: readonly string[]): Promise<string> {
  const content = join(folder, 'content');
  if (!existsSync(content)) {
    mkdirSync(content);
    await makeContent(content);
  }
  writeFileSync(join(content, 'scripts.list'), `${parts.join('\n')}\n`);
  const payload = join(folder, 'payload.tar');
  await run('tar', ['-C', content, '-cf', payload, '.']);
  return payload;
}

/** Why the suite did not come to its end, with what the machine's console said last. */
function brokenOff(tap: TapResult, end: MachineEnd, consoleLog: string): string | undefined {
  if (tap.complete) return undefined;
  const why = end.timedOut ? 'did not end in time' : `ended early (qemu: ${end.code} ${end.errors.trim()})`;
  return `${why}; its console:\n${readFileSync(consoleLog, 'utf8').slice(-1500)}`;
}

function countResults({ parts, brokenOff: why }: MachineResult): TestCounts {
  const failures = parts.flatMap((part) => part.failures);
  const broken = why === undefined ? [] : [{ file: 'tests/vm', name: 'the whole suite runs', message: why }];
  const passed = parts.reduce((sum, part) => sum + part.passed, 0);
  const all = [...failures, ...broken];
  return { passed, failed: all.length, skipped: 0, failures: all };
}

interface Suite {
  readonly name: string;
  readonly append?: string;
}

/** One machine after the other: two at once would take as long, and each longer than its checks wait. */
const suites: readonly Suite[] = [
  { name: 'systemd' },
  { name: 'no-ipv6', append: 'ipv6.disable=1 suite=no-ipv6' },
];
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);

async function runSuite({ name, append }: Suite, base: VmBase, payload: string): Promise<MachineResult> {
  const lines: string[] = [];
  const consoleLog = join(cache, `console-${name}.log`);
  const start = performance.now();
  const end = await runMachine({
    base,
    payload,
    consoleLog,
    timeoutMs: 25 * 60_000,
    ...(append === undefined ? {} : { append }),
    onLine: (line) => {
      lines.push(line);
      process.stdout.write(`${((performance.now() - start) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
    },
  });
  const tap = readTap(lines);
  return machineResult(name, tap, brokenOff(tap, end, consoleLog));
}

/** The results of the last run; `AGAIN=1` repeats what failed in it. */
const resultsFile = join(cache, 'results.json');
function lastResults(): readonly MachineResult[] {
  if (process.env['AGAIN'] === '1' && existsSync(resultsFile))
    return JSON.parse(readFileSync(resultsFile, 'utf8')) as MachineResult[];
  // A run that is cut off must not be taken for the one before it.
  rmSync(resultsFile, { force: true });
  return [];
}

async function runMachineSuite(
  suite: Suite,
  base: VmBase,
  folder: string,
  last: readonly MachineResult[],
): Promise<MachineResult> {
  const first = last.find(({ machine }) => machine === suite.name);
  const parts = first === undefined ? wanted : partsAgain(first, suite.append === undefined ? wanted : ['']);
  if (first !== undefined && parts.length === 0) return first;
  const result = await runSuite(suite, base, await makePayload(folder, parts));
  return first === undefined ? result : merged(first, result);
}

const folder = mkdtempSync(join(tmpdir(), 'slipway-vm-'));
try {
  const base = await makeBase(cache);
  const last = lastResults();
  const results: MachineResult[] = [];
  for (const suite of suites.filter(({ name }) => only === undefined || name === only)) {
    results.push(await runMachineSuite(suite, base, folder, last));
    writeFileSync(resultsFile, JSON.stringify(results));
  }
  const all = results.map(countResults);
  const sum = (of: 'passed' | 'failed' | 'skipped'): number =>
    all.reduce((total, each) => total + each[of], 0);
  const counts: TestCounts = {
    passed: sum('passed'),
    failed: sum('failed'),
    skipped: sum('skipped'),
    failures: all.flatMap(({ failures }) => failures),
  };
  const result = process.env['RESULT'];
  if (result !== undefined) writeFileSync(result, JSON.stringify(counts));
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
  if (counts.failed > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
