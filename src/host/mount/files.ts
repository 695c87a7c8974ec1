/** Files by way of the thread pool: opening below a root that cannot be left, and flushing a filesystem. */

import type { Host } from '../../core/ports/host.ts';
import { closeQuietly, kernelError, offLoop } from '../ffi/kernel-error.ts';
import { libc, syscalls } from '../ffi/libc.ts';

const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const O_DIRECTORY = 0o200000;
const O_CREAT = 0o100;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_IN_ROOT = 0x10;
const EAGAIN = 11;
/** openat2 answers EAGAIN when something is renamed while it looks a `..` up. */
const attempts = 32;

// O_DIRECTORY and O_PATH have other values on some machines, the same on x86-64; arm64 swaps O_DIRECTORY.
const directoryFlag = process.arch === 'arm64' ? 0o40000 : O_DIRECTORY;

async function open(path: string, flags: number): Promise<number> {
  const { result, errno } = await offLoop(libc.open, path, flags | O_CLOEXEC, 0);
  if (result < 0) throw kernelError('open', errno, path);
  return result;
}

function openat2(
  directory: number,
  path: string,
  how: Uint8Array,
): Promise<{ result: number; errno: number }> {
  return new Promise((resolve) => {
    syscalls.openat2(directory, path, how, (result, errno) => resolve({ result, errno }));
  });
}

/** struct open_how. A mode is only allowed where a file may be created. */
export function encodeOpenHow(options: { flags?: number; mode?: number; noSymlinks?: boolean }): Buffer {
  const flags = (options.flags ?? O_PATH) | O_CLOEXEC;
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags), 0);
  how.writeBigUInt64LE(BigInt((flags & O_CREAT) === 0 ? 0 : (options.mode ?? 0)), 8);
  const resolve =
    RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (options.noSymlinks === true ? RESOLVE_NO_SYMLINKS : 0);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  return how;
}

export const openInRoot: Host['openInRoot'] = async (rootPath, path, options = {}) => {
  const how = encodeOpenHow(options);
  const root = await open(rootPath, O_PATH | directoryFlag);
  try {
    for (let attempt = 1; ; attempt++) {
      const { result, errno } = await openat2(root, path === '' ? '.' : path, how);
      if (result >= 0) return result;
      if (errno !== EAGAIN || attempt === attempts)
        throw kernelError('openat2', errno, `${path} in ${rootPath}`);
    }
  } finally {
    closeQuietly(root);
  }
};

export async function syncfs(path: string): Promise<void> {
  const fd = await open(path, 0);
  try {
    const { result, errno } = await offLoop(libc.syncfs, fd);
    if (result !== 0) throw kernelError('syncfs', errno, path);
  } finally {
    closeQuietly(fd);
  }
}
