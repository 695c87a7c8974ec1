import { constants, readlinkSync } from 'node:fs';
import type { Ctx } from '../../core/ctx.ts';
import { never } from '../../core/model/container.ts';
import { engineFile, initDestination, mtab } from '../../core/model/system-paths.ts';
import type { FileChange } from '../../core/ports/snapshot-driver.ts';
import { openLayers } from './archive-root.ts';
import type { Room } from './deps.ts';
import type { Entry } from './table.ts';

const mtabPath = `${mtab.directory}/${mtab.name}`;

/** What the runtime makes in every root filesystem so that it can mount over it: nobody's change. */
const mountTargets = new Set([
  '/dev',
  '/proc',
  '/sys',
  '/etc/hosts',
  '/etc/hostname',
  '/etc/resolv.conf',
  initDestination,
  engineFile,
  mtabPath,
]);

const isEngines = (path: string): boolean => mountTargets.has(path) || path.startsWith('/dev/');

/** Without what the engine itself made, and without directories that changed only by that. Pure. */
export function withoutMountTargets(changes: readonly FileChange[]): readonly FileChange[] {
  const own = changes.filter((change) => !(change.kind === 'added' && isEngines(change.path)));
  const touched = new Set(
    changes
      .filter((change) => change.kind === 'added' && isEngines(change.path))
      .map((change) => parentOf(change.path)),
  );
  return own.filter(
    (change) =>
      change.kind !== 'modified' ||
      !touched.has(change.path) ||
      own.some((other) => other.path !== change.path && other.path.startsWith(`${change.path}/`)),
  );
}

const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

/** All changes, the engine's own among them. A container that ran has its mount points, whoever made them. */
export async function allChanges(room: Room, ctx: Ctx, entry: Entry): Promise<readonly FileChange[]> {
  const { snapshotKey: key, mounts, state } = entry.record;
  if (mounts.length > 0 && state.startedAt !== never) {
    const layers = await openLayers(room, entry);
    try {
      await room.snapshots.ownPlaces(key);
    } finally {
      await layers.close();
    }
  }
  const changes = await room.snapshots.changes(ctx, key);
  const index = changes.findIndex(({ path, kind }) => path === mtabPath && kind === 'added');
  if (index < 0 || (await hasOurMtab(room, entry))) return changes;
  // What someone made in the place of the engine's link.
  return changes.with(index, { path: mtabPath, kind: 'modified' });
}

async function hasOurMtab(room: Room, entry: Entry): Promise<boolean> {
  const layers = await openLayers(room, entry);
  try {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY;
    const directory = await room.host.openInRoot(layers.path, mtab.directory, { flags, noSymlinks: true });
    try {
      return readlinkSync(`/proc/self/fd/${directory}/${mtab.name}`) === mtab.target;
    } finally {
      room.host.closeFd(directory);
    }
  } catch {
    // No link, or no directory of that name.
    return false;
  } finally {
    await layers.close();
  }
}

export async function containerChanges(room: Room, ctx: Ctx, ref: string): Promise<readonly FileChange[]> {
  return withoutMountTargets(await allChanges(room, ctx, room.table.resolve(ref)));
}
