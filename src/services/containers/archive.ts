/** Files in and out of containers: `cp`, `export`. */

import { constants as C, fstatSync, lstatSync, readlinkSync, type BigIntStats } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { decompressDetected } from '../../core/compression.ts';
import type { Ctx } from '../../core/ctx.ts';
import { invalid, isKind, notFound } from '../../core/errors.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import { formatNano } from '../../core/time.ts';
import { openLayers, openRoot, refuseReadOnly } from './archive-root.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { causedBy, lookupUser } from './rootfs-files.ts';
import { tarChildren, tarEntry } from './tree-tar.ts';
import { untarInto } from './tree-untar.ts';
import type { PathStat, PutArchiveInput } from './types.ts';

const missing = (record: ContainerRecord, path: string): Error =>
  notFound(`Could not find the file ${path} in container ${record.name}`);

interface Located {
  /** Descriptor of the directory that holds it. */
  readonly parent: number;
  /** Name in there; `.` for the root itself. */
  readonly base: string;
  readonly stats: BigIntStats;
  /** Path inside the container. */
  readonly path: string;
  /** How it is called in stats and archives: `/`, `.` for `/etc/.`, else its last part. */
  readonly name: string;
}

/** Docker keeps a dot at the end: the content of a directory rather than the directory. */
function shownName(given: string, path: string): string {
  if (given === '.' || given.endsWith('/.')) return '.';
  return path === '/' ? '/' : posix.basename(path);
}

/** Finds a path; the last component is not followed unless the path ends in a slash or a dot. */
async function locate(room: Room, record: ContainerRecord, root: string, given: string): Promise<Located> {
  const path = posix.normalize(`/${given}`).replace(/(.)\/+$/, '$1');
  const follow = /\/\.?$/.test(given) && path !== '/';
  const parentPath = follow || path === '/' ? path : posix.dirname(path);
  const base = follow || path === '/' ? '.' : posix.basename(path);
  let parent: number;
  try {
    parent = await room.host.openInRoot(root, parentPath, { flags: C.O_RDONLY | C.O_DIRECTORY });
  } catch (error) {
    if (causedBy(error, 'ENOTDIR')) throw invalid(`lstat ${given}: not a directory`, error);
    if (causedBy(error, 'ENOENT', 'ELOOP')) throw missing(record, given);
    throw error;
  }
  const stats = lstatSync(`/proc/self/fd/${parent}/${base}`, { throwIfNoEntry: false, bigint: true });
  if (stats !== undefined) return { parent, base, stats, path, name: shownName(given, path) };
  room.host.closeFd(parent);
  throw missing(record, given);
}

/** Mode bits as Go's os.FileMode has them, which is what clients parse. */
export function goMode(mode: number): number {
  const kinds: Readonly<Record<number, number>> = {
    [C.S_IFDIR]: 2 ** 31,
    [C.S_IFLNK]: 2 ** 27,
    [C.S_IFBLK]: 2 ** 26,
    [C.S_IFCHR]: 2 ** 26 + 2 ** 21,
    [C.S_IFIFO]: 2 ** 25,
    [C.S_IFSOCK]: 2 ** 24,
  };
  const special =
    (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return (kinds[mode & C.S_IFMT] ?? 0) + special + (mode & 0o777);
}

function describe(found: Located): PathStat {
  const link = found.stats.isSymbolicLink()
    ? readlinkSync(`/proc/self/fd/${found.parent}/${found.base}`)
    : '';
  return {
    name: found.name,
    size: Number(found.stats.size),
    mode: goMode(Number(found.stats.mode)),
    mtime: formatNano(found.stats.mtimeNs),
    linkTarget: link === '' ? '' : posix.resolve(posix.dirname(found.path), link),
  };
}

export async function statPath(room: Room, ctx: Ctx, ref: string, path: string): Promise<PathStat> {
  const entry = room.table.resolve(ref);
  const root = await openRoot(room, ctx, entry);
  try {
    const found = await locate(room, entry.record, root.path, path);
    try {
      return describe(found);
    } finally {
      room.host.closeFd(found.parent);
    }
  } finally {
    await root.close();
  }
}

/** A stream of the chunks that closes its things when it ends, however it ends. */
function streamOf(chunks: AsyncIterable<Buffer>, done: () => Promise<void>): Readable {
  return Readable.from(
    (async function* all() {
      try {
        yield* chunks;
      } finally {
        await done();
      }
    })(),
    { objectMode: false },
  );
}

export async function getArchive(
  room: Room,
  ctx: Ctx,
  ref: string,
  path: string,
): Promise<{ stat: PathStat; archive: Readable }> {
  const entry = room.table.resolve(ref);
  const root = await openRoot(room, ctx, entry);
  try {
    const found = await locate(room, entry.record, root.path, path);
    const options = { attributes: room.attributes, oneFilesystem: false, ids: root.ids };
    const archive = streamOf(
      tarEntry(found.parent, found.base, Buffer.from(found.name).toString('latin1'), options),
      async () => {
        room.host.closeFd(found.parent);
        await root.close();
      },
    );
    emitContainer(room, entry.record, 'archive-path');
    return { stat: describe(found), archive };
  } catch (error) {
    await root.close();
    throw error;
  }
}

/** Who owns what comes in, when the request asks for the container's user. */
async function ownerOf(
  room: Room,
  record: ContainerRecord,
  root: string,
  copyUIDGID: boolean,
): Promise<{ uid: number; gid: number } | undefined> {
  const user = record.config.User ?? '';
  if (!copyUIDGID || user === '') return undefined;
  const { uid, gid } = await lookupUser(room.host, root, user, []);
  return { uid, gid };
}

/** Whether a directory lies in the root filesystem itself and not in something mounted into it. */
async function onRootfs(room: Room, root: string, directory: number): Promise<boolean> {
  const top = await room.host.openInRoot(root, '/', { flags: C.O_RDONLY | C.O_DIRECTORY });
  try {
    return fstatSync(top).dev === fstatSync(directory).dev;
  } finally {
    room.host.closeFd(top);
  }
}

/** Checks that an archive may be unpacked there. */
async function checkTarget(room: Room, record: ContainerRecord, root: string, path: string): Promise<void> {
  const found = await locate(room, record, root, path);
  room.host.closeFd(found.parent);
  const { parent } = await locate(room, record, root, `${found.path}/`).catch((error: unknown) => {
    // A file in its place is another mistake than none.
    if (found.stats.isDirectory()) throw error;
    if (found.stats.isSymbolicLink() && isKind(error, 'notFound')) throw missing(record, path);
    throw invalid('extraction point is not a directory', error);
  });
  try {
    refuseReadOnly(record, parent, await onRootfs(room, root, parent));
  } finally {
    room.host.closeFd(parent);
  }
}

export async function putArchive(room: Room, ctx: Ctx, ref: string, input: PutArchiveInput): Promise<void> {
  const entry = room.table.resolve(ref);
  const path = posix.normalize(`/${input.path}`);
  const root = await openRoot(room, ctx, entry);
  try {
    await checkTarget(room, entry.record, root.path, path);
    const owner = await ownerOf(room, entry.record, root.path, input.copyUIDGID);
    // Facts cached for its image (users) may not hold any more.
    entry.touched = true;
    const archive = await decompressDetected(input.archive);
    await untarInto(
      {
        host: room.host,
        attributes: room.attributes,
        root: root.path,
        path,
        noOverwriteDirNonDir: input.noOverwriteDirNonDir,
        owner,
        ids: root.ids,
      },
      archive,
    );
    emitContainer(room, entry.record, 'extract-to-dir');
  } finally {
    await root.close();
  }
}

/** The container's own filesystem without its volumes, as one archive. */
export async function exportContainer(room: Room, _ctx: Ctx, ref: string): Promise<Readable> {
  const entry = room.table.resolve(ref);
  const root = await openLayers(room, entry);
  const fd = await room.host.openInRoot(root.path, '/', { flags: C.O_RDONLY | C.O_DIRECTORY });
  emitContainer(room, entry.record, 'export');
  const options = { attributes: room.attributes, oneFilesystem: true, ids: root.ids };
  return streamOf(tarChildren(fd, options), async () => {
    room.host.closeFd(fd);
    await root.close();
  });
}
