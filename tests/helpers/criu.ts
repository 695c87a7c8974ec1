/**
 * criu for the tests: Debian 13's, unpacked and never installed, for Debian 12's does not know the vDSO of newer kernels. It runs on
 * any host, with its own C library.
 */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unpackTrixiePackages, withOwnLibraries } from '../peers/trixie.ts';

const run = promisify(execFile);
const cache = join(import.meta.dirname, '../../.cache/criu');

/** The host's own, when it works on this kernel. */
export async function installedCriu(): Promise<string | undefined> {
  const path = '/usr/sbin/criu';
  if (!existsSync(path)) return undefined;
  return await run(path, ['check']).then(
    () => path,
    () => undefined,
  );
}

/** A criu that works here: the installed one, else the unpacked one, which is unpacked once. */
export async function workingCriu(): Promise<string> {
  return (await installedCriu()) ?? (await unpackCriu());
}

async function unpackCriu(): Promise<string> {
  const tree = await unpackTrixiePackages(cache, ['base-files', 'criu']);
  return withOwnLibraries(tree, 'usr/sbin/criu', join(cache, 'bin'));
}
