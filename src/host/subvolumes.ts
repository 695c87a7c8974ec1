/** Subvolumes of btrfs, by its ioctls. */

import { closeSync, constants as C, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { invalid } from '../core/errors.ts';
import type { Subvolumes } from '../core/ports/subvolumes.ts';
import { kernelError, offLoop } from './ffi/kernel-error.ts';
import { libc } from './ffi/libc.ts';

/** _IOW(0x94, 14 and 23, 4096 bytes): linux/btrfs.h. */
const BTRFS_IOC_SUBVOL_CREATE = 0x5000940e;
const BTRFS_IOC_SNAP_CREATE_V2 = 0x50009417;
const size = 4096;
/** Of the name in struct btrfs_ioctl_vol_args, and in its second version. */
const nameAt = { create: 8, snapshot: 56 } as const;
const maxName = 255;

function argument(name: string, at: number, fd: number): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length === 0 || bytes.length > maxName) throw invalid(`${name} is no name of a subvolume`);
  const value = Buffer.alloc(size);
  value.writeBigInt64LE(BigInt(fd), 0);
  bytes.copy(value, at);
  return value;
}

const openDirectory = (path: string): number => openSync(path, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW);

async function control(target: string, request: number, at: number, fd: number): Promise<void> {
  const parent = openDirectory(dirname(target));
  try {
    const done = await offLoop(libc.ioctl, parent, request, argument(basename(target), at, fd));
    if (done.result < 0) throw kernelError('ioctl', done.errno, target);
  } finally {
    closeSync(parent);
  }
}

export const subvolumes: Subvolumes = {
  create: (path) => control(path, BTRFS_IOC_SUBVOL_CREATE, nameAt.create, 0),
  snapshot: async (source, target) => {
    const fd = openDirectory(source);
    try {
      await control(target, BTRFS_IOC_SNAP_CREATE_V2, nameAt.snapshot, fd);
    } finally {
      closeSync(fd);
    }
  },
};
