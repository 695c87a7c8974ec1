/** Debian's podman, unpacked and never installed (installing it replaces packages of the base system), with a store of its own. */

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { downloadPackage } from '../helpers/images/debian.ts';
import { runProgram, type Outcome } from '../scenarios/engine.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../..');

async function unpackPodman(): Promise<string> {
  const target = join(repository, '.cache/podman');
  if (existsSync(join(target, 'done'))) return target;
  for (const name of ['podman', 'conmon', 'libsubid4']) {
    const file = await downloadPackage(name, join(repository, '.cache/packages'));
    await run('dpkg-deb', ['-x', file, target]);
  }
  writeFileSync(join(target, 'done'), '');
  return target;
}

/** Runs a command of it on the store in `folder`, started by `prefix`. It has no daemon: nothing of it stays. */
export async function openPodman(
  folder: string,
  prefix: readonly string[],
): Promise<(...args: string[]) => Promise<Outcome>> {
  const unpacked = await unpackPodman();
  mkdirSync(folder, { recursive: true });
  const places = ['root', 'runroot', 'tmpdir'].flatMap((name) => [`--${name}`, join(folder, name)]);
  const options = [...places, '--storage-driver=vfs', '--cgroup-manager=cgroupfs', '--events-backend=none'];
  const env = [
    'env',
    `LD_LIBRARY_PATH=${join(unpacked, 'usr/lib/x86_64-linux-gnu')}`,
    `PATH=${join(unpacked, 'usr/bin')}:${process.env['PATH'] ?? ''}`,
  ];
  // Its mounts, if any, are in a namespace that goes with it.
  const [program = '', ...start] = [...prefix, 'unshare', '--mount', ...env, 'podman', ...options];
  return async (...args) => await runProgram(program, [...start, ...args]);
}
