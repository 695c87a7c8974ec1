/**
 * Images mounted into a container (`--mount type=image`): each stands on a writable snapshot of its own, made at the first
 * start and kept until the container is removed, as its root filesystem is.
 */

import { join } from 'node:path';
import { invalid, isKind } from '../../core/errors.ts';
import type { ContainerRecord, MountPoint } from '../../core/model/container.ts';
import type { SpecMount } from '../../core/ports/spec-builder.ts';
import type { UndoStack } from '../../core/undo.ts';
import type { Room } from './deps.ts';
import type { PlannedMount } from './parse-mount.ts';
import { remapOf } from './remap.ts';

/** The snapshots that a container has besides its root filesystem. */
export const imageSnapshots = (record: ContainerRecord): readonly string[] =>
  record.mounts.flatMap((mount) => (mount.snapshotKey === undefined ? [] : [mount.snapshotKey]));

/** The record's form of a planned mount. `notFound` in Docker's words when the image is not there. */
export function imageMount(
  room: Room,
  containerId: string,
  index: number,
  planned: PlannedMount,
): MountPoint {
  const image = room.images.resolve(planned.image ?? planned.imageId ?? '');
  const snapshotKey = `${containerId}.image-${index}`;
  return {
    type: 'image',
    name: image.id,
    source: join(room.snapshots.mountPath(snapshotKey), planned.subpath ?? ''),
    destination: planned.destination,
    mode: '',
    rw: planned.rw,
    propagation: '',
    imageId: image.id,
    snapshotKey,
    ...(planned.subpath === undefined ? {} : { subpath: planned.subpath }),
  };
}

async function checkSubpath(room: Room, root: string, subpath: string): Promise<void> {
  try {
    room.host.closeFd(await room.host.openInRoot(root, subpath, { noSymlinks: true }));
  } catch (error) {
    throw invalid(`cannot access path ${subpath} of the image: not there, or a link`, error);
  }
}

/** Makes the image's files reachable on the host and gives the bind of them. */
export async function mountImage(
  room: Room,
  undo: UndoStack,
  record: ContainerRecord,
  mount: MountPoint,
): Promise<SpecMount> {
  const key = mount.snapshotKey ?? '';
  const image = room.images.get(mount.imageId ?? '');
  if (image === undefined) throw invalid(`the mounted image ${mount.imageId} is not there any more`);
  undo.push('mounted image', () => room.snapshots.unmount(key));
  try {
    await room.snapshots.prepare(key, room.images.topLayer(image));
  } catch (error) {
    // Of a former start.
    if (!isKind(error, 'conflict')) throw error;
  }
  const { path } = await room.snapshots.mount(key, { volatile: false, ids: remapOf(room, record) });
  if (mount.subpath !== undefined) await checkSubpath(room, path, mount.subpath);
  return {
    destination: mount.destination,
    type: 'bind',
    source: mount.source,
    options: ['rbind', 'rprivate', ...(mount.rw ? [] : ['ro'])],
  };
}

/** Idempotent. */
export async function unmountImage(room: Room, mount: MountPoint): Promise<void> {
  if (mount.snapshotKey !== undefined) await room.snapshots.unmount(mount.snapshotKey);
}
