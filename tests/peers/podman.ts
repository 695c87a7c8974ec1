/** Debian's podman, unpacked and never installed (installing it replaces packages of the base system), with a store of its own. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { unpackPackages } from '../helpers/images/debian.ts';
import { runProgram, type Outcome } from '../scenarios/engine.ts';

/** Unpacks it into `.cache/podman` once; returns that folder. */
export const unpackPodman = (): Promise<string> =>
  unpackPackages('podman', ['podman', 'conmon', 'libsubid4']);

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
