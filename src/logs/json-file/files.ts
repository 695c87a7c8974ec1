import { open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isErrno } from '../../core/errors.ts';

/** A log file held open: renamed or deleted, it stays readable to its end. */
export interface HeldFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
  /** Bytes when it was opened. */
  readonly size: number;
  readonly modifiedNano: bigint;
}

async function hold(path: string): Promise<HeldFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const { ino, size, mtimeNs } = await handle.stat({ bigint: true });
  return { handle, inode: ino, size: Number(size), modifiedNano: mtimeNs };
}

/** Which file has that name now; undefined when none has. */
export async function inodeOf(path: string): Promise<bigint | undefined> {
  return await stat(path, { bigint: true }).then(
    ({ ino }) => ino,
    () => undefined,
  );
}

/** Numbers of the rotated files that exist now. */
async function rotatedNumbers(path: string): Promise<number[]> {
  const base = `${basename(path)}.`;
  const names = await readdir(dirname(path)).catch(() => []);
  return names
    .filter((name) => name.startsWith(base) && /^[1-9]\d*$/.test(name.slice(base.length)))
    .map((name) => Number(name.slice(base.length)));
}

/**
 * Opens the log and its rotated files, oldest first; with `after`, only those newer than that one. Goes from the newest name to the
 * oldest: a rotation moves files the same way, so that one which moves meanwhile is met again (and known by its inode) but never missed.
 * When `after` is no longer among the names, everything that is left is newer.
 */
export async function holdFiles(path: string, after?: HeldFile): Promise<HeldFile[]> {
  const found: HeldFile[] = [];
  const known = new Set<bigint>();
  // One more than the highest: a rotation may be adding it.
  const highest = Math.max(0, ...(await rotatedNumbers(path))) + 1;
  for (let number = 0; number <= highest; number += 1) {
    const file = await hold(number === 0 ? path : `${path}.${number}`);
    if (!file) continue;
    if (known.has(file.inode) || file.inode === after?.inode) {
      await file.handle.close();
      if (file.inode === after?.inode) break;
      continue;
    }
    known.add(file.inode);
    found.push(file);
  }
  return found.toReversed();
}

export async function closeFiles(files: readonly HeldFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.handle.close()));
}

/** Removes the log and its rotated files. Idempotent. */
export async function removeFiles(path: string): Promise<void> {
  await rm(path, { force: true });
  for (const number of await rotatedNumbers(path)) {
    await rm(join(dirname(path), `${basename(path)}.${number}`), { force: true });
  }
}
