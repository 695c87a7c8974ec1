/** Files that btrfs writes over in place: it copies what is written, which takes new blocks each time, unless a file says otherwise from its beginning. */

import { closeSync, openSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { kernelError } from './ffi/kernel-error.ts';
import { libc, readErrno } from './ffi/libc.ts';

/** linux/magic.h. */
const BTRFS_SUPER_MAGIC = 0x9123683e;
/** linux/fs.h: _IOR('f', 1, long) and _IOW('f', 2, long), which take an int all the same; chattr's C. */
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_NOCOW_FL = 0x00800000;

/** Makes an empty file that stays where it is; where every file does, nothing is made. The file does not exist. */
export function makeInPlaceFile(path: string): void {
  if (statfsSync(dirname(path)).type !== BTRFS_SUPER_MAGIC) return;
  const fd = openSync(path, 'wx', 0o644);
  try {
    const flags = Buffer.alloc(8);
    if (libc.ioctl(fd, FS_IOC_GETFLAGS, flags) < 0) throw kernelError('ioctl', readErrno(), path);
    flags.writeUInt32LE((flags.readUInt32LE(0) | FS_NOCOW_FL) >>> 0, 0);
    if (libc.ioctl(fd, FS_IOC_SETFLAGS, flags) < 0) throw kernelError('ioctl', readErrno(), path);
  } finally {
    closeSync(fd);
  }
}
