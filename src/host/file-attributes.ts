/**
 * Device nodes and extended attributes, which Node's file functions lack. A worker thread of the storage room loads
 * this file by its URL (the composition root names it), and only when a layer holds such a thing: so it stands alone
 * and loads koffi by itself.
 */

import koffi from 'koffi';
import { getSystemErrorMap } from 'node:util';
import type { FileAttributes } from '../core/ports/file-attributes.ts';

type Call<A extends readonly unknown[]> = (...args: A) => number;

interface Functions {
  readonly mknod: Call<[Buffer, number, bigint]>;
  readonly set: Call<[Buffer, string, Buffer, number, number]>;
  readonly get: Call<[Buffer, string, Buffer, number]>;
  readonly list: Call<[Buffer, Buffer, number]>;
}

function loadFunctions(): Functions {
  const lib = koffi.load('libc.so.6');
  const declare = <A extends readonly unknown[]>(signature: string): Call<A> => lib.func(signature);
  return {
    mknod: declare('int mknod(const void *path, unsigned int mode, unsigned long device)'),
    set: declare(
      'int lsetxattr(const void *path, const char *name, const void *value, size_t size, int flags)',
    ),
    get: declare('long lgetxattr(const void *path, const char *name, void *value, size_t size)'),
    list: declare('long llistxattr(const void *path, void *names, size_t size)'),
  };
}

/** glibc's makedev: twelve and twenty bits of major, eight and twenty-four of minor, interleaved. */
export function makeDevice(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major >>> 0), BigInt(minor >>> 0)];
  return ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & 0xffffff00n) << 12n) | (b & 0xffn);
}

/** The kernel wants a terminated string; a NUL inside would cut the path and reach another file. */
function cPath(path: Buffer): Buffer {
  if (path.includes(0)) throw Object.assign(new Error('NUL in a path'), { code: 'EINVAL' });
  return Buffer.concat([path, Buffer.alloc(1)]);
}

function failure(syscall: string, path: Buffer, errno: number): Error {
  const [code, words] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, 'unknown error'];
  const message = `${code}: ${words}, ${syscall} '${path.toString()}'`;
  return Object.assign(new Error(message), { code, errno: -errno, syscall });
}

const maxValue = 64 << 10;
// ENODATA, EOPNOTSUPP: the file has no such attribute, the filesystem none.
const absent = new Set([61, 95]);

export function createFileAttributes(): FileAttributes {
  const call = loadFunctions();
  const scratch = Buffer.alloc(maxValue);
  const check = (result: number, syscall: string, path: Buffer): void => {
    if (result < 0) throw failure(syscall, path, koffi.errno());
  };
  return {
    mknod: (path, mode, major, minor) =>
      check(call.mknod(cPath(path), mode, makeDevice(major, minor)), 'mknod', path),
    setXattr: (path, name, value) =>
      check(call.set(cPath(path), name, value, value.length, 0), `setxattr ${name}`, path),
    getXattr: (path, name) => {
      const length = call.get(cPath(path), name, scratch, maxValue);
      if (length >= 0) return Buffer.from(scratch.subarray(0, length));
      const errno = koffi.errno();
      if (absent.has(errno)) return undefined;
      throw failure(`getxattr ${name}`, path, errno);
    },
    listXattrs: (path) => {
      const length = call.list(cPath(path), scratch, maxValue);
      if (length < 0) {
        const errno = koffi.errno();
        if (absent.has(errno)) return [];
        throw failure('listxattr', path, errno);
      }
      return scratch
        .toString('latin1', 0, length)
        .split('\0')
        .filter((name) => name !== '');
    },
  };
}
