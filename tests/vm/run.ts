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
import type { TestCounts, TestFailure } from '../../scripts/tests/count-reporter.ts';
import { makeBase, type VmBase } from './base.ts';
import { runMachine, type MachineEnd } from './machine.ts';
import { readTap, type TapResult } from './tap.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../..');
const cache = join(repository, '.cache/vm');

const words = (name: string, otherwise: readonly string[]): readonly string[] =>
  process.env[name]?.split(' ') ?? otherwise;

/** Parts of the suite in `guest/`, in order; `VM_PARTS` names others. */
const parts = words('VM_PARTS', [
  'service',
  'containers',
  'network',
  'limits',
  'devices',
  'apparmor',
  'life',
  'systemd-cgroups',
  'userns',
  'checkpoint',
  'restart',
  'contracts',
  'removal',
]);

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
  writeFileSync(join(content, 'scripts.list'), `${parts.join('\n')}\n`);
}

async function makePayload(folder: string): Promise<string> {
  const content = join(folder, 'content');
  mkdirSync(content);
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
  const payload = join(folder, 'payload.tar');
  await run('tar', ['-C', content, '-cf', payload, '.']);
  return payload;
}

function countResults(tap: TapResult, end: MachineEnd, consoleLog: string): TestCounts {
  const failures: TestFailure[] = tap.failures.map(({ name, detail }) => ({
    file: 'tests/vm',
    name,
    message: detail,
  }));
  if (!tap.complete) {
    const why = end.timedOut ? 'did not end in time' : `ended early (qemu: ${end.code} ${end.errors.trim()})`;
    const told = readFileSync(consoleLog, 'utf8').slice(-1500);
    failures.push({
      file: 'tests/vm',
      name: 'the whole suite runs',
      message: `${why}; its console:\n${told}`,
    });
  }
  return { passed: tap.passed, failed: failures.length, skipped: 0, failures };
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

async function runSuite({ name, append }: Suite, base: VmBase, payload: string): Promise<TestCounts> {
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
  return countResults(readTap(lines), end, consoleLog);
}

const folder = mkdtempSync(join(tmpdir(), 'slipway-vm-'));
try {
  const base = await makeBase(cache);
  const payload = await makePayload(folder);
  const all: TestCounts[] = [];
  for (const suite of suites.filter(({ name }) => only === undefined || name === only))
    all.push(await runSuite(suite, base, payload));
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
