/**
 * Compiles the CLI into one binary, `dist/bin/slipway`, with the Bun of the npm dependencies. Bytecode spares the start
 * the parsing; nothing is downloaded.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const architecture = process.arch === 'arm64' ? 'aarch64' : 'x64';
const bun = path.join(root, `node_modules/@oven/bun-linux-${architecture}/bin/bun`);
const target = path.join(root, 'dist/bin/slipway');
const fresh = `${target}.${process.pid}.new`;

mkdirSync(path.dirname(target), { recursive: true });
const build = spawnSync(
  bun,
  [
    'build',
    '--compile',
    '--bytecode',
    '--minify',
    '--format=cjs',
    path.join(root, 'src/cli/main.ts'),
    '--outfile',
    fresh,
  ],
  { stdio: ['ignore', 'ignore', 'inherit'], cwd: root },
);
if (build.status !== 0) {
  process.stderr.write(
    `building the CLI failed${build.error === undefined ? '' : `: ${build.error.message}`}\n`,
  );
  process.exit(1);
}
// By rename: a command that runs meanwhile keeps its file.
renameSync(fresh, target);
process.stdout.write(`${path.relative(root, target)}: ${(statSync(target).size / 1e6).toFixed(0)} MB\n`);
