/**
 * Limits on directories by project quotas, of xfs and ext4: an inode carries a project's number, what is made in a directory
 * inherits it, and the quota of the project holds for all of them. Numbers are never written down elsewhere: the kernel
 * knows which of them any inode carries, so none is taken twice, and a crash loses none.
 */

import { randomInt } from 'node:crypto';
import { closeSync, constants as C, openSync } from 'node:fs';
import { internal } from '../core/errors.ts';
import type { SizeLimits } from '../core/ports/size-limits.ts';
import { errorCode, kernelError } from './ffi/kernel-error.ts';
import { libc, readErrno, syscalls } from './ffi/libc.ts';

/** linux/fs.h: struct fsxattr has 28 bytes. */
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const fsxattr = { size: 28, flagsAt: 0, projectAt: 12 } as const;
const FS_XFLAG_PROJINHERIT = 0x200;

/** linux/dqblk_xfs.h; the commands work on ext4 too. Blocks are of 512 bytes. */
const Q_XGETQUOTA = 0x5803;
const Q_XSETQLIM = 0x5804;
const Q_XGETQSTAT = 0x5805;
const Q_XGETNEXTQUOTA = 0x5809;
const PRJQUOTA = 2;
const FS_PROJ_QUOTA = 2;
const FS_DQ_BSOFT = 1 << 2;
const FS_DQ_BHARD = 1 << 3;
/** Of struct fs_quota_stat: projects are counted, and limits hold. */
const projectsHold = (1 << 4) | (1 << 5);
/** struct fs_disk_quota. */
const quota = {
  size: 112,
  flagsAt: 1,
  fieldsAt: 2,
  idAt: 4,
  hardAt: 8,
  softAt: 16,
  blocksAt: 40,
  inodesAt: 48,
} as const;
const blockSize = 512;

/** Numbers that the engine takes. Administrators count from 1, Docker from the number of its root. */
const first = 0x2000_0000;
const count = 0x1000_0000;
/** A number that somebody else has is as good as never met. */
const attempts = 100;

interface Usage {
  readonly id: number;
  readonly hard: bigint;
  readonly inodes: bigint;
}

const isOurs = (id: number): boolean => id >= first && id < first + count;

/** On an open directory. */
class Projects {
  readonly #fd: number;
  readonly #path: string;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  #call(command: number, id: number, value: Buffer): void {
    if (syscalls.quotactlFd(this.#fd, (command << 8) | PRJQUOTA, id, value) < 0)
      throw kernelError('quotactl', readErrno(), this.#path);
  }

  holds(): boolean {
    const state = Buffer.alloc(128);
    state.writeInt8(1, 0);
    this.#call(Q_XGETQSTAT, 0, state);
    return (state.readUInt16LE(2) & projectsHold) === projectsHold;
  }

  #usage(command: number, id: number): Usage | undefined {
    const value = Buffer.alloc(quota.size);
    try {
      this.#call(command, id, value);
    } catch (error) {
      // No such project (as xfs has it), or no further one.
      if (['ENOENT', 'ESRCH'].includes(errorCode(error))) return undefined;
      throw error;
    }
    return {
      id: value.readUInt32LE(quota.idAt),
      hard: value.readBigUInt64LE(quota.hardAt),
      inodes: value.readBigUInt64LE(quota.inodesAt),
    };
  }

  usage(id: number): Usage | undefined {
    return this.#usage(Q_XGETQUOTA, id);
  }

  /** The first project from `id` on that the filesystem knows of. */
  next(id: number): Usage | undefined {
    return this.#usage(Q_XGETNEXTQUOTA, id);
  }

  /** 0 bytes for no limit. */
  limit(id: number, bytes: number): void {
    const value = Buffer.alloc(quota.size);
    value.writeInt8(1, 0);
    value.writeInt8(FS_PROJ_QUOTA, quota.flagsAt);
    value.writeUInt16LE(FS_DQ_BSOFT | FS_DQ_BHARD, quota.fieldsAt);
    value.writeUInt32LE(id, quota.idAt);
    const blocks = BigInt(Math.ceil(bytes / blockSize));
    value.writeBigUInt64LE(blocks, quota.hardAt);
    value.writeBigUInt64LE(blocks, quota.softAt);
    this.#call(Q_XSETQLIM, id, value);
  }

  #attributes(): Buffer {
    const value = Buffer.alloc(fsxattr.size);
    if (libc.ioctl(this.#fd, FS_IOC_FSGETXATTR, value) < 0)
      throw kernelError('ioctl', readErrno(), this.#path);
    return value;
  }

  id(): number {
    return this.#attributes().readUInt32LE(fsxattr.projectAt);
  }

  join(id: number): void {
    const value = this.#attributes();
    const flags = (value.readUInt32LE(fsxattr.flagsAt) | FS_XFLAG_PROJINHERIT) >>> 0;
    value.writeUInt32LE(flags, fsxattr.flagsAt);
    value.writeUInt32LE(id, fsxattr.projectAt);
    if (libc.ioctl(this.#fd, FS_IOC_FSSETXATTR, value) < 0)
      throw kernelError('ioctl', readErrno(), this.#path);
  }
}

function within<T>(path: string, body: (projects: Projects) => T): T {
  const fd = openSync(path, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW);
  try {
    return body(new Projects(fd, path));
  } finally {
    closeSync(fd);
  }
}

/** Limits that outlived their directories: the daemon was killed in between. */
function sweep(projects: Projects): void {
  for (let found = projects.next(first); found !== undefined; found = projects.next(found.id + 1)) {
    if (!isOurs(found.id)) return;
    if (found.hard > 0n && found.inodes === 0n) projects.limit(found.id, 0);
  }
}

function take(projects: Projects, bytes: number): void {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const id = first + randomInt(count);
    if ((projects.usage(id)?.inodes ?? 0n) > 0n) continue;
    projects.limit(id, bytes);
    try {
      projects.join(id);
    } catch (error) {
      projects.limit(id, 0);
      throw error;
    }
    return;
  }
  throw internal('no number of a project is free');
}

/** Why there are none on this filesystem, in words that go on after a colon. */
function missing(error: unknown): string {
  const code = errorCode(error);
  if (code === 'ENOSYS' && syscalls.quotactlFd(-1, 0, 0, Buffer.alloc(quota.size)) < 0 && readErrno() === 38)
    return 'the kernel has no quotactl_fd (Linux 5.14)';
  return code === 'ENOTTY' ||
    code === 'EOPNOTSUPP' ||
    code === 'ENOSYS' ||
    code === 'ESRCH' ||
    code === 'EINVAL'
    ? 'it keeps no quotas of projects'
    : error instanceof Error
      ? error.message
      : String(error);
}

/** For directories below `root`; or why its filesystem has none. */
export function openProjectQuotas(root: string): SizeLimits | { readonly missing: string } {
  try {
    const holds = within(root, (projects) => {
      if (!projects.holds()) return false;
      sweep(projects);
      return true;
    });
    if (!holds) return { missing: 'its quotas of projects are not enforced' };
  } catch (error) {
    return { missing: missing(error) };
  }
  return {
    set: (directory, bytes) => within(directory, (projects) => take(projects, bytes)),
    clear: (directory) => {
      try {
        within(directory, (projects) => {
          const id = projects.id();
          if (isOurs(id)) projects.limit(id, 0);
        });
      } catch (error) {
        if (errorCode(error) !== 'ENOENT') throw error;
      }
    },
  };
}
