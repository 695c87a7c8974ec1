import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { lightenRuntimes, sizeConsoles } from './light-runtimes.ts';

const folder = mkdtempSync('/tmp/slip-light-');
after(() => rmSync(folder, { recursive: true }));
const library = join(folder, 'no-systemd');
execFileSync('make', [
  '-s',
  '-C',
  join(import.meta.dirname, '../../native/no-systemd'),
  `OUT=${join(library, 'libsystemd.so.0')}`,
]);
const crun = { name: 'crun', path: '/usr/bin/crun' };

test('crun does without libsystemd and what comes with it, and says the same', async () => {
  const [light] = await lightenRuntimes([crun], library);
  assert.equal(light?.libraryPath, library);
  const env = { ...process.env, LD_LIBRARY_PATH: library };
  const maps = (own: NodeJS.ProcessEnv): string =>
    execFileSync('ldd', [crun.path], { env: own, encoding: 'utf8' });
  assert.match(maps(process.env), /libgcrypt/);
  assert.doesNotMatch(maps(env), /libgcrypt|liblzma|libzstd/);
  assert.match(maps(env), /libseccomp/);
});

test('runc, other programs and a crun that is to speak to systemd are left alone', async () => {
  const others = [
    { name: 'runc', path: '/usr/sbin/runc' },
    { name: 'mine', path: '/bin/true' },
    { ...crun, args: ['--systemd-cgroup'] },
  ];
  assert.deepEqual(await lightenRuntimes(others, library), others);
  assert.deepEqual(await lightenRuntimes([crun], undefined), [crun]);
});

test('a crun that does not come up with it keeps its own', async () => {
  const broken = join(folder, 'broken');
  mkdirSync(broken);
  writeFileSync(join(broken, 'libsystemd.so.0'), 'no library');
  assert.deepEqual(await lightenRuntimes([crun], broken), [crun]);
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  // A library without the functions.
  execFileSync('cc', [
    '-shared',
    '-nostdlib',
    '-Wl,-soname,libsystemd.so.0',
    '-o',
    join(empty, 'libsystemd.so.0'),
    '-x',
    'c',
    '/dev/null',
  ]);
  assert.deepEqual(await lightenRuntimes([crun], empty), [crun]);
});

test('crun takes the library for the size of terminals; runc has no need of it, and a broken one is left out', async () => {
  const consoleSize = join(folder, 'console-size.so');
  const source = join(import.meta.dirname, '../../native/console-size');
  execFileSync('make', ['-s', '-C', source, `OUT=${consoleSize}`]);
  const runc = { name: 'runc', path: '/usr/sbin/runc' };
  assert.deepEqual(await sizeConsoles([crun, runc], consoleSize), [
    { ...crun, execPreload: consoleSize },
    runc,
  ]);
  // The loader goes on without a library that it cannot load, and complains on stderr.
  const broken = join(folder, 'broken.so');
  writeFileSync(broken, 'no library');
  assert.deepEqual(await sizeConsoles([crun], broken), [crun]);
  assert.deepEqual(await sizeConsoles([crun], undefined), [crun]);
});
