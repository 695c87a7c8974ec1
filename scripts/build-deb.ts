/**
 * Makes `dist/slipway_VERSION_ARCH.deb` of what `make build` left in dist/; `--compression=none` for one that is only
 * installed once, in the test machine.
 */

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const compression = process.argv.includes('--compression=none') ? ['-Znone'] : ['-Zxz', '-z6'];
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Where each part goes, from the project's folder to the installed system; a folder's content is copied whole. */
const parts: readonly (readonly [string, string])[] = [
  ['dist/bin/slipway', 'usr/bin/slipway'],
  ['dist/bin/slipwayd', 'usr/lib/slipway/bin/slipwayd'],
  ['dist/bin/slipway-net', 'usr/lib/slipway/bin/slipway-net'],
  ['dist/bin/slipway-shim', 'usr/lib/slipway/bin/slipway-shim'],
  ['dist/lib', 'usr/lib/slipway/lib'],
  ['packaging/slipwayd.service', 'lib/systemd/system/slipwayd.service'],
  ['packaging/debian/default', 'etc/default/slipway'],
  ['README.md', 'usr/share/doc/slipway/README.md'],
  ['CHANGELOG.md', 'usr/share/doc/slipway/CHANGELOG.md'],
  ['LICENSE', 'usr/share/doc/slipway/copyright'],
];

function layOut(tree: string): void {
  for (const [from, to] of parts) {
    const target = join(tree, to);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(root, from), target, { recursive: true, dereference: true });
  }
  for (const name of ['.built', 'compiled'])
    rmSync(join(tree, 'usr/lib/slipway/lib', name), { recursive: true, force: true });
  mkdirSync(join(tree, 'usr/sbin'), { recursive: true });
  symlinkSync('../lib/slipway/bin/slipwayd', join(tree, 'usr/sbin/slipwayd'));
}

function writeControl(tree: string): void {
  const size = execFileSync('du', ['-sk', tree], { encoding: 'utf8' }).split('\t')[0] ?? '0';
  const control = readFileSync(join(root, 'packaging/debian/control.in'), 'utf8')
    .replace('@VERSION@', version)
    .replace('@ARCH@', arch)
    .replace('@SIZE@', size);
  const folder = join(tree, 'DEBIAN');
  mkdirSync(folder);
  writeFileSync(join(folder, 'control'), control);
  for (const name of ['postinst', 'prerm', 'postrm', 'conffiles']) {
    cpSync(join(root, 'packaging/debian', name), join(folder, name));
    chmodSync(join(folder, name), name === 'conffiles' ? 0o644 : 0o755);
  }
}

const tree = mkdtempSync(join(tmpdir(), 'slipway-deb-'));
try {
  chmodSync(tree, 0o755);
  layOut(tree);
  writeControl(tree);
  const target = join(root, `dist/slipway_${version}_${arch}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', ...compression, '--build', tree, target], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.stdout.write(`${target}\n`);
} finally {
  rmSync(tree, { recursive: true, force: true });
}
