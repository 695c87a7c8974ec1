import type { Ctx } from '../../core/ctx.ts';
import type { FileChange } from '../../core/ports/snapshot-driver.ts';
import type { Room } from './deps.ts';

/** What the runtime makes in every root filesystem so that it can mount over it: nobody's change. */
const mountTargets = new Set([
  '/dev',
  '/proc',
  '/sys',
  '/etc/hosts',
  '/etc/hostname',
  '/etc/resolv.conf',
  '/sbin/docker-init',
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

export async function containerChanges(room: Room, ctx: Ctx, ref: string): Promise<readonly FileChange[]> {
  const { record } = room.table.resolve(ref);
  return withoutMountTargets(await room.snapshots.changes(ctx, record.snapshotKey));
}
