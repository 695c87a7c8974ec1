/** Reads and makes things inside a container's root filesystem without ever being led out of it. */

import { constants, fstatSync, lchownSync, mkdirSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { invalid, isErrno, toSlipwayError } from '../../core/errors.ts';
import type { Owner } from '../../core/model/id-mapping.ts';
import type { ResolvedUser } from '../../core/ports/spec-builder.ts';
import type { ContainerHost } from './deps.ts';
import { resolveUser } from './user-files.ts';

// Real passwd files have kilobytes; an image could hold gigabytes.
const maxSize = 4 * 1024 * 1024;

/** Whether a failure (or its cause) is this errno. */
export function causedBy(error: unknown, ...codes: readonly string[]): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return codes.some((code) => isErrno(error, code) || isErrno(cause, code));
}

/** Text of a regular file in the root; empty when there is none. `invalid` above 4 MiB. */
async function readText(host: ContainerHost, root: string, path: string): Promise<string> {
  let fd: number;
  try {
    // O_NONBLOCK: a FIFO in the place of the file must not stall the daemon.
    fd = await host.openInRoot(root, path, { flags: constants.O_RDONLY | constants.O_NONBLOCK });
  } catch (error) {
    if (causedBy(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) return '';
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return '';
    if (stat.size > maxSize) throw invalid(`${path} in the container is larger than ${maxSize} bytes`);
    const buffer = Buffer.alloc(stat.size);
    let length = 0;
    while (length < buffer.length) {
      const got = readSync(fd, buffer, length, buffer.length - length, length);
      if (got === 0) break;
      length += got;
    }
    return buffer.toString('utf8', 0, length);
  } finally {
    host.closeFd(fd);
  }
}

/** Looks a user up in the container's own files. */
export async function lookupUser(
  host: ContainerHost,
  root: string,
  user: string,
  groupAdd: readonly string[],
): Promise<ResolvedUser> {
  const [passwd, group] = await Promise.all([
    readText(host, root, '/etc/passwd'),
    readText(host, root, '/etc/group'),
  ]);
  return resolveUser({ user, groupAdd, passwd, group });
}

/**
 * Makes sure that a directory is there, with its parents, mode 0755; those that are new belong to `owner` (as the host counts).
 * Links are followed inside the root only.
 */
export async function ensureDirectory(
  host: ContainerHost,
  root: string,
  path: string,
  owner: Owner,
): Promise<void> {
  const parts = posix
    .normalize(path)
    .split('/')
    .filter((part) => part !== '');
  let done = '/';
  for (const part of parts) {
    const next = posix.join(done, part);
    const fd = await openDirectory(host, root, next);
    if (fd !== undefined) host.closeFd(fd);
    else await makeIn(host, root, done, part, owner);
    done = next;
  }
}

async function openDirectory(host: ContainerHost, root: string, path: string): Promise<number | undefined> {
  try {
    return await host.openInRoot(root, path, { flags: constants.O_RDONLY | constants.O_DIRECTORY });
  } catch (error) {
    if (causedBy(error, 'ENOENT')) return undefined;
    if (causedBy(error, 'ENOTDIR')) {
      throw invalid(`Cannot mkdir: ${path} is not a directory`, error);
    }
    throw toSlipwayError(error);
  }
}

async function makeIn(
  host: ContainerHost,
  root: string,
  parent: string,
  name: string,
  { uid, gid }: Owner,
): Promise<void> {
  const fd = await host.openInRoot(root, parent, { flags: constants.O_RDONLY | constants.O_DIRECTORY });
  try {
    mkdirSync(`/proc/self/fd/${fd}/${name}`, { mode: 0o755 });
    if (uid !== 0 || gid !== 0) lchownSync(`/proc/self/fd/${fd}/${name}`, uid, gid);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  } finally {
    host.closeFd(fd);
  }
}
