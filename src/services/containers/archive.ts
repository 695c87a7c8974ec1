/** Files in and out of containers: `cp`, `export`. */

import { constants as C, lstatSync, readlinkSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { decompressDetected } from '../../core/compression.ts';
import type { Ctx } from '../../core/ctx.ts';
import { forbidden, invalid, notFound } from '../../core/errors.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import { formatNano } from '../../core/time.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { causedBy } from './rootfs-files.ts';
import type { Entry } from './table.ts';
import { tarChildren, tarEntry } from './tree-tar.ts';
import { untarInto } from './tree-untar.ts';
import type { PathStat, PutArchiveInput } from './types.ts';

interface OpenRoot {
  readonly path: string;
  close(): Promise<void>;
}

/** The filesystem as the container sees it (with its mounts) while it runs, else its layers mounted for the moment. */
async function openRoot(room: Room, entry: Entry): Promise<OpenRoot> {
  const { record } = entry;
  if (isActive(record.state)) return { path: `/proc/${record.state.pid}/root`, close: async () => {} };
  return await room.queue.run(entry.id, async () => {
    const { path } = await room.snapshots.mount(record.snapshotKey, { volatile: false });
    return { path, close: () => closeRoot(room, entry) };
  });
}

/** Not while it runs: a start that came meanwhile uses the same mount. */
async function closeRoot(room: Room, entry: Entry): Promise<void> {
  await room.queue.run(entry.id, async () => {
    if (room.table.get(entry.id) !== entry || entry.task !== undefined) return;
    await room.snapshots.unmount(entry.record.snapshotKey);
  });
}

const missing = (record: ContainerRecord, path: string): Error =>
  notFound(`Could not find the file ${path} in container ${record.name}`);

interface Located {
  /** Descriptor of the directory that holds it. */
  readonly parent: number;
  /** Name in there; `.` for the root itself. */
  readonly base: string;
  readonly stats: Stats;
  /** Path inside the container. */
  readonly path: string;
}

/** Finds a path; the last component is not followed unless the path ends in a slash. */
async function locate(room: Room, record: ContainerRecord, root: string, given: string): Promise<Located> {
  const path = posix.normalize(`/${given}`).replace(/(.)\/+$/, '$1');
  const follow = /\/\.?$/.test(given) && path !== '/';
  const parentPath = follow || path === '/' ? path : posix.dirname(path);
  const base = follow || path === '/' ? '.' : posix.basename(path);
  let parent: number;
  try {
    parent = await room.host.openInRoot(root, parentPath, { flags: C.O_RDONLY | C.O_DIRECTORY });
  } catch (error) {
    if (causedBy(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw missing(record, given);
    throw error;
  }
  const stats = lstatSync(`/proc/self/fd/${parent}/${base}`, { throwIfNoEntry: false });
  if (stats !== undefined) return { parent, base, stats, path };
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
    name: found.path === '/' ? '/' : posix.basename(found.path),
    size: found.stats.size,
    mode: goMode(found.stats.mode),
    mtime: formatNano(BigInt(Math.floor(found.stats.mtimeMs)) * 1_000_000n),
    linkTarget: link === '' ? '' : posix.resolve(posix.dirname(found.path), link),
  };
}

export async function statPath(room: Room, _ctx: Ctx, ref: string, path: string): Promise<PathStat> {
  const entry = room.table.resolve(ref);
  const root = await openRoot(room, entry);
  try {
    const found = await locate(room, entry.record, root.path, path);
    room.host.closeFd(found.parent);
    return describe(found);
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
  _ctx: Ctx,
  ref: string,
  path: string,
): Promise<{ stat: PathStat; archive: Readable }> {
  const entry = room.table.resolve(ref);
  const root = await openRoot(room, entry);
  try {
    const found = await locate(room, entry.record, root.path, path);
    const name = found.path === '/' ? '.' : posix.basename(found.path);
    const options = { attributes: room.attributes, oneFilesystem: false };
    const archive = streamOf(
      tarEntry(found.parent, found.base, Buffer.from(name).toString('latin1'), options),
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

function refuseReadOnly(record: ContainerRecord, path: string): void {
  const inside = (mount: string): boolean => path === mount || path.startsWith(`${mount}/`);
  const mount = record.mounts
    .filter((candidate) => inside(candidate.destination))
    .toSorted((a, b) => b.destination.length - a.destination.length)[0];
  if (mount !== undefined && !mount.rw) throw forbidden('mounted volume is marked read-only');
  if (mount === undefined && record.hostConfig.ReadonlyRootfs === true) {
    throw forbidden('container rootfs is marked read-only');
  }
}

export async function putArchive(room: Room, _ctx: Ctx, ref: string, input: PutArchiveInput): Promise<void> {
  const entry = room.table.resolve(ref);
  const path = posix.normalize(`/${input.path}`);
  refuseReadOnly(entry.record, path);
  const root = await openRoot(room, entry);
  try {
    const found = await locate(room, entry.record, root.path, `${path}/`).catch(async (error: unknown) => {
      // A file in its place is another mistake than none.
      const plain = await locate(room, entry.record, root.path, path);
      room.host.closeFd(plain.parent);
      if (!plain.stats.isDirectory()) throw invalid('extraction point is not a directory');
      throw error;
    });
    room.host.closeFd(found.parent);
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
  const { path } = await room.queue.run(entry.id, () =>
    room.snapshots.mount(entry.record.snapshotKey, { volatile: false }),
  );
  const fd = await room.host.openInRoot(path, '/', { flags: C.O_RDONLY | C.O_DIRECTORY });
  emitContainer(room, entry.record, 'export');
  return streamOf(tarChildren(fd, { attributes: room.attributes, oneFilesystem: true }), async () => {
    room.host.closeFd(fd);
    await closeRoot(room, entry);
  });
}
