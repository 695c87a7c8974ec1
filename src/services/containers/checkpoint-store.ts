/**
 * Checkpoints on disk: a folder each, named as the user called it, below the container's own folder or one that the request names.
 * A folder comes to its name by a rename, when all of it is written; what lies there without criu's inventory is none.
 */

import { createReadStream, createWriteStream } from 'node:fs';
import { constants, lstat, mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { internal, invalid, isErrno } from '../../core/errors.ts';
import type { ContainerOptions } from './deps.ts';
import { containerDirectory } from './paths.ts';

const pattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const maxLength = 255;
/** Of criu; the last file that it writes. */
const inventory = 'inventory.img';
/** Not a name that the pattern allows. */
const unfinished = '.slipway-';

/** `invalid` in Docker's words. */
export function checkCheckpointName(name: string): void {
  if (pattern.test(name) && name.length <= maxLength) return;
  throw invalid(`Invalid checkpoint ID (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
}

/** Where a container's checkpoints are; `given` is a folder of the request, empty for the container's own. */
export function checkpointsFolder(
  roots: Pick<ContainerOptions, 'dataRoot' | 'runRoot'>,
  id: string,
  given: string,
): string {
  if (given === '') return join(containerDirectory(roots, id), 'checkpoints');
  if (!isAbsolute(given) || given.includes('\0')) {
    throw invalid(`invalid checkpoint directory (${given}): must be an absolute path on the engine's host`);
  }
  return given;
}

/** A folder of that name with criu's inventory in it. A symbolic link in either place is none: it may lead anywhere. */
export async function isCheckpoint(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory() && (await lstat(join(path, inventory))).isFile();
  } catch {
    return false;
  }
}

/** Sorted; undefined when there is no such folder. */
export async function checkpointNames(folder: string): Promise<readonly string[] | undefined> {
  let names: readonly string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
  const checked = await Promise.all(
    names.map(async (name) => pattern.test(name) && (await isCheckpoint(join(folder, name)))),
  );
  return names.filter((_, index) => checked[index]).sort();
}

/** Removes what a killed daemon left half made in a container's own folder. */
export async function removeUnfinished(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (name.startsWith(unfinished)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/**
 * Makes a checkpoint by `write`, which fills an empty folder, and gives it its name when everything is on disk. On failure nothing
 * is left. `taken` is thrown when the name has come to be meanwhile.
 */
export async function makeCheckpoint(
  path: string,
  write: (images: string) => Promise<void>,
  sync: (path: string) => Promise<void>,
  taken: () => Error,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const images = await mkdtemp(join(dirname(path), unfinished));
  try {
    await write(images);
    if (!(await isCheckpoint(images))) throw internal('the runtime wrote no checkpoint');
    await sync(images);
    await rename(images, path).catch((error: unknown) => {
      throw isErrno(error, 'ENOTEMPTY') || isErrno(error, 'ENOTDIR') ? taken() : error;
    });
  } catch (error) {
    await rm(images, { recursive: true, force: true });
    throw error;
  }
}

async function copyPlain(from: string, to: string): Promise<void> {
  // Opened without following a link and without waiting for the other end of a FIFO; then the file itself is asked what it is.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const source = await open(from, flags).catch((error: unknown) => {
    if (isErrno(error, 'ELOOP')) throw foreign(from);
    throw error;
  });
  try {
    if (!(await source.stat()).isFile()) throw foreign(from);
    const stream = createReadStream('', { fd: source.fd, autoClose: false });
    await pipeline(stream, createWriteStream(to, { flags: 'wx', mode: 0o600 }));
  } finally {
    await source.close();
  }
}

const foreign = (path: string): Error =>
  invalid(`the checkpoint is not restored: ${path} is no regular file`);

/**
 * Fails unless all that is in a checkpoint are regular files: a link would make criu, which is root, read what it leads to. A
 * checkpoint of the container's own, whose folders are the engine's alone, is read in place; one from elsewhere is copied into the
 * container's folder first, so that nobody changes it between this look and the restore. Answers the folder to restore from, and
 * how to be rid of the copy.
 */
export async function stageCheckpoint(
  path: string,
  own: string,
): Promise<{ readonly images: string; readonly remove: () => Promise<void> }> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (!entry.isFile()) throw foreign(join(path, entry.name));
  }
  if (dirname(path) === own) return { images: path, remove: () => Promise.resolve() };
  await mkdir(own, { recursive: true, mode: 0o700 });
  const images = await mkdtemp(join(own, unfinished));
  const remove = (): Promise<void> => rm(images, { recursive: true, force: true });
  try {
    for (const name of await readdir(path)) await copyPlain(join(path, name), join(images, name));
  } catch (error) {
    await remove();
    throw error;
  }
  return { images, remove };
}
