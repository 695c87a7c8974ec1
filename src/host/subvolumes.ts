/** Subvolumes of btrfs, by its ioctls. */

import { closeSync, constants as C, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { invalid } from '../core/errors.ts';
import type { Subvolumes } from '../core/ports/subvolumes.ts';
import { errorCode, kernelError, offLoop } from './ffi/kernel-error.ts';
import { libc } from './ffi/libc.ts';

/** _IOW(0x94, 14 and 23, 4096 bytes): linux/btrfs.h. */
const BTRFS_IOC_SUBVOL_CREATE = 0x5000940e;
const BTRFS_IOC_SNAP_CREATE_V2 = 0x50009417;
/** _IOWR(0x94, 40, 16 bytes), _IO(0x94, 46), _IOR(0x94, 43, 48 bytes). */
const BTRFS_IOC_QUOTA_CTL = 0xc0109428;
const BTRFS_IOC_QUOTA_RESCAN_WAIT = 0x942e;
const BTRFS_IOC_QGROUP_LIMIT = 0x8030942b;
const BTRFS_QUOTA_CTL_ENABLE = 1;
const BTRFS_QGROUP_LIMIT_MAX_RFER = 1;
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
  limit: async (path, bytes) => {
    const fd = openDirectory(path);
    const call = async (request: number, words: readonly bigint[]): Promise<void> => {
      const value = Buffer.from(BigUint64Array.from(words).buffer);
      const done = await offLoop(libc.ioctl, fd, request, value);
      if (done.result < 0) throw kernelError('ioctl', done.errno, path);
    };
    // Group 0 stands for the subvolume itself.
    const words = [0, BTRFS_QGROUP_LIMIT_MAX_RFER, bytes, 0, 0, 0].map(BigInt);
    try {
      await call(BTRFS_IOC_QGROUP_LIMIT, words).catch(async (error: unknown) => {
        // Nothing is counted yet.
        if (errorCode(error) !== 'ENOTCONN') throw error;
        await call(BTRFS_IOC_QUOTA_CTL, [BigInt(BTRFS_QUOTA_CTL_ENABLE), 0n]);
        await call(BTRFS_IOC_QUOTA_RESCAN_WAIT, []);
        await call(BTRFS_IOC_QGROUP_LIMIT, words);
      });
    } finally {
      closeSync(fd);
    }
  },
};
