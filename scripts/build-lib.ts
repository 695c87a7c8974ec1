/**
 * Bundles the daemon, slipway-net and their worker threads into one JavaScript file each in the given folder, and puts
 * beside them what they load at run time: the packaged Node and koffi with its native part. Node could run the
 * TypeScript itself, but stripping types costs start time and memory (docs/adr/0007-bundled-and-trimmed-node.md).
 */

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  globSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const out = join(root, process.argv[2] ?? 'dist/lib');
const arch = process.arch;
const modules = join(root, 'node_modules');
const bun = join(modules, `@oven/bun-linux-${arch === 'arm64' ? 'aarch64' : arch}/bin/bun`);

const workerUrl = /new URL\(\s*['"](\.[^'"]+)\.ts['"]\s*,\s*import\.meta\.url\s*\)/g;

interface Entry {
  readonly source: string;
  /** File name in the output folder. */
  readonly name: string;
}

/** A worker's file is named in the source that starts it; in the bundle all lie flat beside each other. */
function findWorkers(): Entry[] {
  const found = new Map<string, Entry>();
  for (const file of globSync('src/**/*.ts', { cwd: root })) {
    if (file.endsWith('.test.ts')) continue;
    for (const match of readFileSync(join(root, file), 'utf8').matchAll(workerUrl)) {
      const source = join(root, dirname(file), `${match[1]}.ts`);
      const name = `${basename(source, '.ts')}.js`;
      const other = found.get(name);
      if (other !== undefined && other.source !== source) throw new Error(`two workers are named ${name}`);
      found.set(name, { source, name });
    }
  }
  return [...found.values()];
}

function bundle(entry: Entry): void {
  const target = join(out, entry.name);
  const temporary = `${target}.tmp`;
  const fixed = ['build', '--target=node', '--format=esm', '--external=koffi', '--external=@koromix/*'];
  execFileSync(bun, [...fixed, entry.source, `--outfile=${temporary}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const text = readFileSync(temporary, 'utf8').replace(
    workerUrl,
    (_all, path: string) => `new URL('./${basename(path)}.js', import.meta.url)`,
  );
  rmSync(temporary);
  // Renamed into place: a running daemon goes on with the file that it has open.
  writeFileSync(`${target}.new`, text);
  renameSync(`${target}.new`, target);
}

/** Only what koffi loads: its sources and the libc that the packaged Node is not made for stay behind. */
function copyKoffi(): void {
  const target = join(out, 'node_modules');
  const native = `@koromix/koffi-linux-${arch}`;
  const wanted = [
    'koffi/package.json',
    'koffi/LICENSE.txt',
    'koffi/index.js',
    ...globSync('koffi/src/koffi/**/*.js', { cwd: modules }),
    `${native}/package.json`,
    `${native}/index.js`,
    ...globSync(`${native}/linux_${arch}/*`, { cwd: modules }),
  ];
  for (const path of wanted) place(join(modules, path), join(target, path));
}

/**
 * Copies by rename: a running daemon keeps the file that it has mapped. Written over in place, even its private pages (the
 * relocated ones of koffi's library) fall back to the file's content, and the daemon crashes at its next system call.
 */
function place(source: string, target: string): void {
  if (existsSync(target) && readFileSync(source).equals(readFileSync(target))) return;
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(source, `${target}.new`);
  renameSync(`${target}.new`, target);
}

function linkNode(): void {
  const target = join(out, 'node');
  const source = join(modules, `node-linux-${arch}/bin/node`);
  rmSync(`${target}.new`, { force: true });
  if (existsSync(target) && statSync(target).ino === statSync(source).ino) return;
  try {
    linkSync(source, `${target}.new`);
  } catch {
    copyFileSync(source, `${target}.new`);
  }
  renameSync(`${target}.new`, target);
}

/** What `packaging/bin/slipwayd` hands to Node: compiled code only fits a Node with the same. */
const nodeFlags = [
  '--no-memory-protection-keys',
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=8',
  '--no-flush-bytecode',
];

/** The daemon's first file, and beside it the compiled form of the daemon: its first start is as quick as a later one. */
function placeLauncher(): void {
  const daemon = readFileSync(join(out, 'daemon.js'), 'utf8');
  const builtins = new Set([...daemon.matchAll(/ from "(node:[\w/]+)";$/gm)].map((match) => match[1]));
  const imports = [...builtins].map((name) => `import '${name}';\n`).join('');
  const target = join(out, 'slipwayd.js');
  writeFileSync(`${target}.new`, imports + readFileSync(join(root, 'packaging/lib/slipwayd.js'), 'utf8'));
  renameSync(`${target}.new`, target);
  rmSync(join(out, 'compiled'), { recursive: true, force: true });
  execFileSync(join(out, 'node'), [...nodeFlags, target, '--version'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

mkdirSync(out, { recursive: true });
const entries: Entry[] = [
  { source: join(root, 'src/main.ts'), name: 'daemon.js' },
  { source: join(root, 'src/netd/main.ts'), name: 'slipway-net.js' },
  ...findWorkers(),
];
for (const entry of entries) {
  if (!existsSync(entry.source)) throw new Error(`${relative(root, entry.source)} is missing`);
  bundle(entry);
}
writeFileSync(join(out, 'package.json'), '{ "type": "module" }\n');
copyKoffi();
linkNode();
placeLauncher();
process.stdout.write(`built ${entries.map((entry) => entry.name).join(', ')}\n`);
