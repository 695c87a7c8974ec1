/**
 * A container's filesystem as it would see it itself, for copies in and out. While it runs that is its own root. Else its layers
 * are mounted, and where it has volumes, binds or images these are bound into a view of them that exists for the copy alone.
 */

import { accessSync, closeSync, constants as C, fchownSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { backgroundCtx, type Ctx } from '../../core/ctx.ts';
import { forbidden, isErrno } from '../../core/errors.ts';
import { isActive, type ContainerRecord, type MountPoint } from '../../core/model/container.ts';
import type { IdMapping, Owner } from '../../core/model/id-mapping.ts';
import { withUndo, type UndoStack } from '../../core/undo.ts';
import type { Room } from './deps.ts';
import { mountImage, unmountImage } from './image-mounts.ts';
import { viewsDirectory } from './paths.ts';
import { causedBy, ensureDirectory } from './rootfs-files.ts';
import type { Entry } from './table.ts';
import { idsOf, idsOfProcess, ownerIn, remapOf } from './remap.ts';

export interface OpenRoot {
  /** Absolute; what lies below it is to be reached by `openInRoot` alone. */
  readonly path: string;
  /** Under which of the host's ids the container's own are there. */
  readonly ids: IdMapping | undefined;
  close(): Promise<void>;
}

/** Copies under way, by container: its layers stay mounted until the last one ends. */
const copies = new WeakMap<Entry, number>();
let views = 0;

/** Undefined when the process is gone, or another one has its number by now. */
function runningRoot({ record }: Entry): OpenRoot | undefined {
  const { pid } = record.state;
  if (!isActive(record.state) || pid === 0) return undefined;
  let fd: number | undefined;
  let ids: IdMapping | undefined;
  try {
    fd = openSync(`/proc/${pid}/root`, C.O_RDONLY | C.O_DIRECTORY);
    ids = idsOfProcess(pid);
    if (!readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(record.id)) throw new Error('not its process');
  } catch {
    if (fd !== undefined) closeSync(fd);
    return undefined;
  }
  const held = fd;
  return { path: `/proc/self/fd/${held}`, ids, close: async () => closeSync(held) };
}

/** Where a mount goes, made when it is missing. The descriptor is to be closed. */
async function mountTarget(
  room: Room,
  view: string,
  mount: MountPoint,
  source: string,
  owner: Owner,
): Promise<number> {
  const open = (): Promise<number> => room.host.openInRoot(view, mount.destination, { flags: C.O_RDONLY });
  try {
    return await open();
  } catch (error) {
    if (!causedBy(error, 'ENOENT')) throw error;
  }
  if ((await stat(source)).isDirectory()) await ensureDirectory(room.host, view, mount.destination, owner);
  else {
    const parent = posix.dirname(mount.destination);
    await ensureDirectory(room.host, view, parent, owner);
    const flags = C.O_WRONLY | C.O_CREAT | C.O_EXCL;
    const fd = await room.host.openInRoot(view, mount.destination, { flags, mode: 0o644 });
    try {
      fchownSync(fd, owner.uid, owner.gid);
    } finally {
      room.host.closeFd(fd);
    }
  }
  return await open();
}

async function bindInto(
  room: Room,
  view: string,
  mount: MountPoint,
  source: string,
  owner: Owner,
): Promise<void> {
  const bind = async (flags: readonly string[]): Promise<void> => {
    const fd = await mountTarget(room, view, mount, source, owner);
    try {
      await room.host.mount({ source, target: `/proc/self/fd/${fd}`, fstype: '', flags });
    } finally {
      room.host.closeFd(fd);
    }
  };
  await bind(['rbind']);
  // Through new descriptors: the first one is of what lies below the mount.
  await bind(['rprivate']);
  if (!mount.rw) await bind(['remount', 'bind', 'ro']);
}

/** The source of a mount, reachable on the host; undefined where there is nothing to copy from or to. */
async function sourceOf(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  record: ContainerRecord,
  user: string,
  mount: MountPoint,
): Promise<string | undefined> {
  if (mount.type === 'tmpfs') return undefined;
  if (mount.type === 'image') return (await mountImage(room, undo, record, mount)).source;
  const { name } = mount;
  if (mount.type === 'volume' && name !== undefined) {
    undo.push(`use of volume ${name}`, (own) => room.volumes.unmount(own, name, user));
    await room.volumes.mount(ctx, name, user);
  }
  return mount.source;
}

const depth = (mount: MountPoint): number => mount.destination.split('/').length;

interface View {
  readonly path: string;
  readonly user: string;
}

async function buildView(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  record: ContainerRecord,
  layers: string,
): Promise<View> {
  const user = `${record.id}.${++views}`;
  const path = join(viewsDirectory(room.options), user);
  await mkdir(path, { recursive: true, mode: 0o700 });
  undo.push('view of the filesystem', () => removeView(room, path));
  await room.host.mount({ source: layers, target: path, fstype: '', flags: ['bind', 'private'] });
  for (const mount of record.mounts.toSorted((a, b) => depth(a) - depth(b))) {
    const source = await sourceOf(room, ctx, undo, record, user, mount);
    if (source !== undefined) await bindInto(room, path, mount, source, ownerIn(room, record));
  }
  if (record.hostConfig.ReadonlyRootfs === true)
    await room.host.mount({ source: '', target: path, fstype: '', flags: ['remount', 'bind', 'ro'] });
  return { path, user };
}

async function removeView(room: Room, path: string): Promise<void> {
  await room.host.unmount(path, { detach: true });
  await rmdir(path).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error;
  });
}

/** Views that a daemon left which was killed while it copied. */
export async function removeStaleViews(room: Room): Promise<void> {
  const directory = viewsDirectory(room.options);
  const names = await readdir(directory).catch(() => []);
  for (const name of names) await removeView(room, join(directory, name));
}

async function closeView(room: Room, entry: Entry, view: View): Promise<void> {
  await removeView(room, view.path);
  for (const mount of entry.record.mounts) {
    if (mount.type === 'volume' && mount.name !== undefined)
      await room.volumes.unmount(backgroundCtx(), mount.name, view.user);
    // Not while it runs: a start that came meanwhile uses the same mount.
    if (mount.type === 'image' && entry.task === undefined) await unmountImage(room, mount);
  }
}

async function stoppedRoot(room: Room, ctx: Ctx, entry: Entry): Promise<OpenRoot> {
  const { record } = entry;
  const ids = remapOf(room, record);
  const { path: layers } = await room.snapshots.mount(record.snapshotKey, { volatile: false, ids });
  copies.set(entry, (copies.get(entry) ?? 0) + 1);
  const plain =
    record.hostConfig.ReadonlyRootfs !== true && record.mounts.every(({ type }) => type === 'tmpfs');
  if (plain) return { path: layers, ids, close: () => closeLayers(room, entry) };
  try {
    const view = await withUndo(ctx, (undo) => buildView(room, ctx, undo, record, layers));
    return {
      path: view.path,
      ids,
      close: async () => {
        try {
          await room.queue.run(entry.id, () => closeView(room, entry, view));
        } finally {
          await closeLayers(room, entry);
        }
      },
    };
  } catch (error) {
    await releaseLayers(room, entry);
    throw error;
  }
}

async function closeLayers(room: Room, entry: Entry): Promise<void> {
  await room.queue.run(entry.id, () => releaseLayers(room, entry));
}

/** Not while it runs, nor while another copy is under way: they use the same mount. */
async function releaseLayers(room: Room, entry: Entry): Promise<void> {
  const left = (copies.get(entry) ?? 1) - 1;
  copies.set(entry, left);
  if (left > 0 || room.table.get(entry.id) !== entry || entry.task !== undefined) return;
  await room.snapshots.unmount(entry.record.snapshotKey);
}

/** The filesystem with its mounts. */
export async function openRoot(room: Room, ctx: Ctx, entry: Entry): Promise<OpenRoot> {
  return (
    runningRoot(entry) ??
    (await room.queue.run(entry.id, async () => runningRoot(entry) ?? (await stoppedRoot(room, ctx, entry))))
  );
}

/** The layers alone, without mounts. */
export async function openLayers(room: Room, entry: Entry): Promise<OpenRoot> {
  return await room.queue.run(entry.id, async () => {
    const ids = idsOf(room, entry.record);
    const { path } = await room.snapshots.mount(entry.record.snapshotKey, { volatile: false, ids });
    copies.set(entry, (copies.get(entry) ?? 0) + 1);
    return { path, ids, close: () => closeLayers(room, entry) };
  });
}

/** Asks the kernel whether a directory can be written to; `forbidden` in Docker's words when its mount forbids it. */
export function refuseReadOnly(record: ContainerRecord, directory: number, onRootfs: boolean): void {
  try {
    accessSync(`/proc/self/fd/${directory}`, C.W_OK);
  } catch (error) {
    if (!isErrno(error, 'EROFS')) throw error;
    throw forbidden(
      onRootfs && record.hostConfig.ReadonlyRootfs === true
        ? 'container rootfs is marked read-only'
        : 'mounted volume is marked read-only',
      error,
    );
  }
}
