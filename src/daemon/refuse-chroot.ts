/**
 * A daemon in a chroot is refused. An OCI runtime puts a container's root in the place of the daemon's, and who enters the container later (each exec, each
 * health check) gets the root of the mount namespace, which lies above a chroot: the command would run on the host's files.
 */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { invalid } from '../core/errors.ts';

const run = promisify(execFile);

/** Throws `invalid` in words. Where it cannot be told (no /proc), nothing is refused. */
export async function refuseChroot(shim: string): Promise<void> {
  try {
    await run(shim, ['--is-chroot']);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 1) return;
    throw invalid(
      'slipwayd runs in a chroot: commands that are executed in containers would see the files outside of it; ' +
        'make the directory the root of a mount namespace (pivot_root) instead',
    );
  }
}
