/** Mounting and unmounting on the thread pool: a slow umount holds up neither the main loop nor the network. */

import { readFile } from 'node:fs/promises';
import type { MountRequest } from '../../core/ports/host.ts';
import { kernelError, offLoop } from '../ffi/kernel-error.ts';
import { libc } from '../ffi/libc.ts';
import { mountsBelow, parseMountInfo, type MountInfo } from './mountinfo.ts';
import { planMount } from './plan.ts';

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const ENOENT = 2;
const EINVAL = 22;

/** Mounts with a working directory; the kernel worker's thread has one of its own. */
export type MountWithDirectory = (request: MountRequest) => Promise<void>;

/**
 * Relative paths stay as they are given: absolute ones may not fit in the page of options, and whoever reads the table of mounts (a
 * runtime at every start) pays for each of their characters.
 */
export async function mount(request: MountRequest, withDirectory: MountWithDirectory): Promise<void> {
  await (request.cwd === undefined ? mountCalls(request) : withDirectory(request));
}

async function mountCalls(request: MountRequest): Promise<void> {
  let done = 0;
  for (const call of planMount(request)) {
    const { result, errno } = await offLoop(
      libc.mount,
      call.source,
      call.target,
      call.fstype,
      call.flags,
      call.data,
    );
    if (result !== 0) {
      // The mount stands but is not what was asked for (still writable, say): take it back.
      if (done > 0 && !request.flags.includes('remount')) await unmount(request.target, { detach: true });
      throw kernelError('mount', errno, describe(request));
    }
    done++;
  }
}

export function describe(request: MountRequest): string {
  const kind = request.fstype === '' ? request.flags.join(',') : request.fstype;
  return `${kind} ${request.source} on ${request.target}`;
}

/** Symbolic links at the end of `target` are not followed. */
export async function unmount(target: string, options: { detach?: boolean } = {}): Promise<void> {
  const flags = UMOUNT_NOFOLLOW | (options.detach === true ? MNT_DETACH : 0);
  const { result, errno } = await offLoop(libc.umount2, target, flags);
  // EINVAL: not a mount point; both mean that there is nothing left to do.
  if (result !== 0 && errno !== ENOENT && errno !== EINVAL) throw kernelError('umount', errno, target);
}

export async function mountsUnder(under: string): Promise<MountInfo[]> {
  return mountsBelow(parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8')), under);
}
