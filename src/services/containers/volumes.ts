import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Ctx } from '../../core/ctx.ts';
import { invalid } from '../../core/errors.ts';
import type { ContainerRecord, MountPoint } from '../../core/model/container.ts';
import type { Owner } from '../../core/model/id-mapping.ts';
import type { MountPlace } from '../../core/ports/snapshot-driver.ts';
import type { SpecMount } from '../../core/ports/spec-builder.ts';
import type { UndoStack } from '../../core/undo.ts';
import type { Room } from './deps.ts';
import { imageMount, mountImage, unmountImage } from './image-mounts.ts';
import { placeOf } from './mount-places.ts';
import type { PlannedMount } from './parse-mount.ts';
import { settleAll } from './settle-all.ts';
import { mergeTmpfsOptions } from './tmpfs-options.ts';
import { makeOwned, remapOf } from './remap.ts';

async function realizeVolume(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  mount: PlannedMount,
): Promise<MountPoint> {
  // The name is known before the effect only for named ones; an anonymous one is found by `ensure` itself on failure.
  const made = await room.volumes.ensure(ctx, {
    ...(mount.name === undefined ? {} : { name: mount.name }),
    ...(mount.driver === undefined ? {} : { driver: mount.driver }),
    ...(mount.driverOptions === undefined ? {} : { options: mount.driverOptions }),
    ...(mount.labels === undefined ? {} : { labels: mount.labels }),
    ...(mount.anonymous === true ? { anonymous: true } : {}),
  });
  const { record, created } = made;
  if (created)
    undo.push(`volume ${record.name}`, (own) => room.volumes.remove(own, record.name, { force: true }));
  return {
    type: 'volume',
    name: record.name,
    source: mount.subpath === undefined ? record.mountpoint : join(record.mountpoint, mount.subpath),
    destination: mount.destination,
    driver: record.driver,
    mode: mount.mode,
    rw: mount.rw,
    propagation: mount.propagation,
    ...(mount.subpath === undefined ? {} : { subpath: mount.subpath }),
    ...(mount.copyUp === true ? { copyUp: true } : {}),
    ...(mount.anonymous === true ? { anonymous: true } : {}),
  };
}

/** What its source is. */
async function checkBind(mount: PlannedMount, owner: Owner): Promise<MountPlace['kind']> {
  const found = await stat(mount.source).catch(() => undefined);
  if (found !== undefined) return found.isDirectory() ? 'directory' : 'file';
  if (!mount.createSource) {
    throw invalid(`invalid mount config for type "bind": bind source path does not exist: ${mount.source}`);
  }
  try {
    await makeOwned(mount.source, owner);
    return 'directory';
  } catch (error) {
    throw invalid(
      `error while creating mount source path '${mount.source}': ${error instanceof Error ? error.message : ''}`,
      error,
    );
  }
}

/** Makes or finds what the mounts need on the host, and gives them in the record's form, and what each needs in the container. */
export async function realizeMounts(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  containerId: string,
  planned: readonly PlannedMount[],
  owner: Owner,
): Promise<{ readonly mounts: readonly MountPoint[]; readonly places: readonly MountPlace[] }> {
  const mounts: MountPoint[] = [];
  const places: MountPlace[] = [];
  // Side by side: each look is a turn through the thread pool, and a network filesystem may take long.
  const kinds = planned.map((mount) => (mount.type === 'bind' ? checkBind(mount, owner) : 'directory'));
  await settleAll(kinds.filter((kind) => kind instanceof Promise));
  for (const [index, mount] of planned.entries()) {
    const kind = (await kinds[index]) ?? 'directory';
    const place = placeOf(mount, kind);
    if (place !== undefined) places.push(place);
    if (mount.type === 'image') {
      mounts.push(imageMount(room, containerId, index, mount));
      continue;
    }
    if (mount.type === 'volume') {
      mounts.push(await realizeVolume(room, ctx, undo, mount));
      continue;
    }
    mounts.push({
      type: mount.type,
      source: mount.source,
      destination: mount.destination,
      mode: mount.mode,
      rw: mount.rw,
      propagation: mount.propagation,
      ...(mount.options === undefined ? {} : { options: mount.options }),
    });
  }
  return { mounts, places };
}

const bareByRoom = new WeakMap<object, Map<string, Set<string>>>();
/** For more the images are simply looked at again. */
const mostImages = 200;

/** Paths where an image is known to have no directory: a snapshot that was just made of it has none there either. */
function bareOf(room: Room, imageId: string): Set<string> {
  if (imageId === '') return new Set();
  const images = bareByRoom.get(room.table) ?? new Map<string, Set<string>>();
  bareByRoom.set(room.table, images);
  if (images.size > mostImages) images.clear();
  const paths = images.get(imageId) ?? new Set<string>();
  images.set(imageId, paths);
  return paths;
}

/** Copies the image's content into volumes that are still empty. The snapshot is mounted only for this. */
export async function fillVolumes(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  record: ContainerRecord,
): Promise<void> {
  const bare = bareOf(room, record.imageId);
  const wanted = record.mounts.filter(
    (mount) => mount.type === 'volume' && mount.copyUp === true && !bare.has(mount.destination),
  );
  if (wanted.length === 0) return;
  undo.push('snapshot mounted to fill volumes', () => room.snapshots.unmount(record.snapshotKey));
  const { path } = await room.snapshots.mount(record.snapshotKey, {
    volatile: false,
    ids: remapOf(room, record),
  });
  for (const mount of wanted) {
    const name = mount.name ?? '';
    undo.push(`use of volume ${name}`, (own) => room.volumes.unmount(own, name, record.id));
    await room.volumes.mount(ctx, name, record.id);
    const found = await room.volumes.copyUp(ctx, { name, imageRoot: path, pathInImage: mount.destination });
    if (!found) bare.add(mount.destination);
    await room.volumes.unmount(ctx, name, record.id);
  }
  // A start often follows at once, and finds it mounted.
  room.snapshots.release(record.snapshotKey);
}

/**
 * Read-only holds for what is mounted below the source too, as Docker since 25, where the kernel can do that in one go (5.12).
 */
function bindOptions(room: Room, mount: MountPoint, isFolder: boolean): readonly string[] {
  const options = mount.options ?? [];
  const recursive = options.includes('bind') ? 'bind' : 'rbind';
  const propagation = mount.propagation === '' ? 'rprivate' : mount.propagation;
  // crun takes the `r` of a propagation for one of the bind itself; with nothing below there is nothing to recurse into.
  const flags = [recursive, recursive === 'bind' ? propagation.replace(/^r/, '') : propagation];
  if (mount.rw) return flags;
  const deep = mount.type === 'bind' && recursive === 'rbind' && !options.includes('flat');
  if (options.includes('rro') && !room.specs.recursiveReadOnly) {
    throw invalid(
      `failed to set up the bind mount of ${mount.source}: this host cannot make mounts recursively read-only (kernel 5.12 or later is needed)`,
    );
  }
  // Below a file nothing is mounted, and crun would look for a folder.
  return [...flags, 'ro', ...(deep && isFolder && room.specs.recursiveReadOnly ? ['rro'] : [])];
}

/** A part of a volume must lie in it: a link that another container put there could point anywhere on the host. */
async function checkSubpath(room: Room, name: string, source: string): Promise<void> {
  const root = room.volumes.inspect(name).mountpoint;
  const subpath = relative(root, source);
  if (subpath === '') return;
  try {
    room.host.closeFd(await room.host.openInRoot(root, subpath, { noSymlinks: true }));
  } catch (error) {
    throw invalid(`cannot access subpath '${subpath}' of volume ${name}: not there, or a link`, error);
  }
}

function emitMount(room: Room, record: ContainerRecord, mount: MountPoint): void {
  const attributes = {
    container: record.id,
    destination: mount.destination,
    driver: mount.driver ?? 'local',
    propagation: mount.propagation,
    'read/write': String(mount.rw),
  };
  room.events.emit({ type: 'volume', action: 'mount', actorId: mount.name ?? '', attributes });
}

function emitUnmount(room: Room, record: ContainerRecord, mount: MountPoint): void {
  const attributes = { container: record.id, driver: mount.driver ?? 'local' };
  room.events.emit({ type: 'volume', action: 'unmount', actorId: mount.name ?? '', attributes });
}

async function useVolume(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  record: ContainerRecord,
  mount: MountPoint,
): Promise<void> {
  const name = mount.name ?? '';
  undo.push(`use of volume ${name}`, (own) => room.volumes.unmount(own, name, record.id));
  await room.volumes.mount(ctx, name, record.id);
  await checkSubpath(room, name, mount.source);
}

/** The events of the volumes in use: told after those of the networks, as by Docker, whichever was there first. */
export function announceVolumes(room: Room, undo: UndoStack, record: ContainerRecord): void {
  for (const mount of record.mounts) {
    if (mount.type !== 'volume') continue;
    undo.push(`event of volume ${mount.name}`, () => emitUnmount(room, record, mount));
    emitMount(room, record, mount);
  }
}

/** Whether the source is a folder; `invalid` where a bind has none. */
async function isFolderAt(mount: MountPoint, look: Promise<Stats | undefined> | undefined): Promise<boolean> {
  const found = await (look ?? stat(mount.source).catch(() => undefined));
  if (found === undefined && mount.type === 'bind') {
    throw invalid(`invalid mount config for type "bind": bind source path does not exist: ${mount.source}`);
  }
  return found?.isDirectory() ?? true;
}

/** Makes the volumes reachable and gives all mounts of the record in the OCI spec's form. */
export async function mountVolumes(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  record: ContainerRecord,
): Promise<readonly SpecMount[]> {
  // Looked at side by side: each look is a turn through the thread pool, and a network filesystem may take long.
  const looks = record.mounts.map((mount) =>
    mount.type === 'bind' ? stat(mount.source).catch(() => undefined) : undefined,
  );
  const mounts: SpecMount[] = [];
  for (const [index, mount] of record.mounts.entries()) {
    if (mount.type === 'tmpfs') {
      mounts.push({
        destination: mount.destination,
        type: 'tmpfs',
        source: 'tmpfs',
        options: mergeTmpfsOptions(mount.options ?? []),
      });
    } else if (mount.type === 'image') {
      mounts.push(await mountImage(room, undo, record, mount));
    } else {
      if (mount.type === 'volume') await useVolume(room, ctx, undo, record, mount);
      const isFolder =
        mount.type === 'volume' && mount.subpath === undefined ? true : await isFolderAt(mount, looks[index]);
      mounts.push({
        destination: mount.destination,
        type: 'bind',
        source: mount.source,
        options: bindOptions(room, mount, isFolder),
      });
    }
  }
  return mounts;
}

/** Gives the volumes and images of a stopped container back. */
export async function unmountVolumes(room: Room, ctx: Ctx, record: ContainerRecord): Promise<void> {
  for (const mount of record.mounts) {
    if (mount.type === 'image') await unmountImage(room, mount);
    if (mount.type !== 'volume' || mount.name === undefined) continue;
    await room.volumes.unmount(ctx, mount.name, record.id);
    emitUnmount(room, record, mount);
  }
}
