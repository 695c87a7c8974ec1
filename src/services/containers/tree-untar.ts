/**
 * Unpacks a tar archive into a directory of a container that may run meanwhile. Each entry's parent is opened inside the
 * root (openat2), and the entry is made through that descriptor: a link swapped in by the container leads nowhere else.
 */

import {
  closeSync,
  constants as C,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
  write as writeCallback,
} from 'node:fs';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { internal, invalid, isErrno, isFull, refusalWords } from '../../core/errors.ts';
import { capabilityForHost } from '../../core/model/file-capability.ts';
import { rootOf, toHostId, type IdMapping, type Owner } from '../../core/model/id-mapping.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import { tarEntries, type TarHeader } from '../../core/tar/index.ts';
import type { ContainerHost } from './deps.ts';
import { causedBy, ensureDirectory } from './rootfs-files.ts';
import { removeEntry } from './tree-remove.ts';

const write = promisify(writeCallback);
const createFlags = C.O_WRONLY | C.O_CREAT | C.O_EXCL | C.O_NOFOLLOW;
const nodeTypes = { char: C.S_IFCHR, block: C.S_IFBLK, fifo: C.S_IFIFO } as const;

export interface UntarInput {
  readonly host: ContainerHost;
  readonly attributes: FileAttributes;
  /** Root of the container's filesystem. */
  readonly root: string;
  /** Directory inside it. */
  readonly path: string;
  readonly noOverwriteDirNonDir: boolean;
  /** Under which of the host's ids the container's are there; archive and `owner` name the container's. */
  readonly ids: IdMapping | undefined;
  /** Who owns everything, instead of whom the archive names. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

/** Of a place in the tree: the open directory, the name in it, and both as one path. */
interface Place {
  readonly parent: number;
  readonly name: string;
  readonly at: Buffer;
}

const placeOf = (parent: number, name: string): Place => ({
  parent,
  name,
  at: Buffer.from(`/proc/self/fd/${parent}/${name}`, 'latin1'),
});

/** The entry's path inside the root; names that climb out of the target are refused. */
function targetOf(input: UntarInput, name: string): string {
  const clean = posix.normalize(`/${name}`).replace(/\/+$/, '');
  if (name.split('/').includes('..')) throw invalid(`invalid path in archive: ${JSON.stringify(name)}`);
  return posix.join(input.path, clean);
}

/** `invalid` in dockerd's words for an id that the container does not have. */
function outside(ids: IdMapping | undefined, { uid, gid }: Owner): Owner {
  if (ids === undefined) return { uid, gid };
  const host = { uid: toHostId(ids.uids, uid), gid: toHostId(ids.gids, gid) };
  if (host.uid === undefined) throw invalid(`container ID ${uid} cannot be mapped to a host ID`);
  if (host.gid === undefined) throw invalid(`container ID ${gid} cannot be mapped to a host ID`);
  return { uid: host.uid, gid: host.gid };
}

async function openParent(input: UntarInput, path: string): Promise<number> {
  const parent = posix.dirname(path);
  try {
    await ensureDirectory(input.host, input.root, parent, rootOf(input.ids));
    return await input.host.openInRoot(input.root, parent, { flags: C.O_RDONLY | C.O_DIRECTORY });
  } catch (error) {
    if (!causedBy(error, 'ENOENT', 'ELOOP', 'ENOTDIR')) throw error;
    throw invalid(`invalid path in archive: ${parent} is a link that leads nowhere`, error);
  }
}

/** Clears the way for an entry. Returns true when a directory is already there and stays. */
async function makeRoom({ at, parent, name }: Place, header: TarHeader, input: UntarInput): Promise<boolean> {
  const found = lstatSync(at, { throwIfNoEntry: false });
  if (found === undefined) return false;
  const wantsDirectory = header.type === 'directory';
  if (found.isDirectory() && wantsDirectory) return true;
  if (input.noOverwriteDirNonDir && found.isDirectory() !== wantsDirectory) {
    throw invalid(
      found.isDirectory()
        ? `cannot overwrite directory "${header.name}" with non-directory`
        : `cannot overwrite non-directory "${header.name}" with directory`,
    );
  }
  if (found.isDirectory()) await removeEntry(parent, name);
  else unlinkSync(at);
  return false;
}

async function writeFile(
  at: Buffer,
  header: TarHeader,
  body: Readable,
  { attributes, ids }: UntarInput,
): Promise<void> {
  const fd = openSync(at, createFlags, 0o600);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      for (let done = 0; done < chunk.length;) {
        const { bytesWritten } = await write(fd, chunk, done, chunk.length - done, null);
        done += bytesWritten;
      }
    }
    fchownSync(fd, header.uid, header.gid);
    fchmodSync(fd, header.mode);
    futimesSync(fd, header.mtime, header.mtime);
  } catch (error) {
    // Half a file helps nobody, and takes what room there is.
    if (isFull(error)) unlinkSync(at);
    throw error;
  } finally {
    closeSync(fd);
  }
  const capability = header.xattrs.get('security.capability');
  if (capability === undefined) return;
  attributes.setXattr(at, 'security.capability', capabilityForHost(capability, rootOf(ids).uid));
}

/** Through a descriptor: a link put in its place meanwhile must not lead the change of owner and mode anywhere else. */
function dressDirectory(at: Buffer, header: TarHeader): void {
  const fd = openSync(at, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW);
  try {
    fchownSync(fd, header.uid, header.gid);
    fchmodSync(fd, header.mode);
  } finally {
    closeSync(fd);
  }
}

async function link(input: UntarInput, at: Buffer, header: TarHeader): Promise<void> {
  const source = targetOf(input, header.linkName);
  const parent = await openParent(input, source);
  try {
    linkSync(Buffer.from(`/proc/self/fd/${parent}/${posix.basename(source)}`, 'latin1'), at);
  } catch (error) {
    if (isErrno(error, 'ENOENT'))
      throw invalid(`archive has a hard link to ${header.linkName}, which is not there`, error);
    throw error;
  } finally {
    input.host.closeFd(parent);
  }
}

async function put(input: UntarInput, where: Place, header: TarHeader, body: Readable): Promise<void> {
  const exists = await makeRoom(where, header, input);
  const { at } = where;
  switch (header.type) {
    case 'file':
      return await writeFile(at, header, body, input);
    case 'directory':
      if (!exists) mkdirSync(at, { mode: 0o700 });
      dressDirectory(at, header);
      return;
    case 'symlink':
      symlinkSync(Buffer.from(header.linkName, 'latin1'), at);
      lchownSync(at, header.uid, header.gid);
      lutimesSync(at, header.mtime, header.mtime);
      return;
    case 'hardlink':
      return await link(input, at, header);
    case 'char':
    case 'block':
    case 'fifo':
      input.attributes.mknod(
        at,
        nodeTypes[header.type] | header.mode,
        header.deviceMajor,
        header.deviceMinor,
      );
      lchownSync(at, header.uid, header.gid);
      return;
    case 'other':
      return;
  }
}

/** Directories get their times last: what is put into them changes these. */
async function setTimes(input: UntarInput, times: ReadonlyMap<string, number>): Promise<void> {
  for (const [path, mtime] of times) {
    const flags = C.O_RDONLY | C.O_DIRECTORY;
    const fd = await input.host.openInRoot(input.root, path, { flags }).catch(() => undefined);
    if (fd === undefined) continue;
    try {
      futimesSync(fd, mtime, mtime);
    } finally {
      input.host.closeFd(fd);
    }
  }
}

/** Unpacks all entries, in order; the directory must be there. */
export async function untarInto(input: UntarInput, archive: Readable): Promise<void> {
  const times = new Map<string, number>();
  for await (const entry of tarEntries(archive as AsyncIterable<Buffer>)) {
    const named = { ...entry.header, ...input.owner };
    const header = { ...named, ...outside(input.ids, named) };
    const path = targetOf(input, header.name);
    // `./` is the target itself, which is there.
    if (path === posix.normalize(input.path).replace(/(.)\/+$/, '$1')) continue;
    const parent = await openParent(input, path);
    try {
      await put(input, placeOf(parent, posix.basename(path)), header, entry.body).catch((error: Error) => {
        // The way by which it was opened says nothing to anybody.
        const { syscall, code, errno } = error as NodeJS.ErrnoException;
        const words = refusalWords({ syscall, code, errno }, path);
        throw words === undefined ? error : internal(words, error);
      });
      if (header.type === 'directory') times.set(path, header.mtime);
    } finally {
      input.host.closeFd(parent);
    }
  }
  await setTimes(input, times);
}
