import { never } from '../../core/model/container.ts';
import type { ResolvedUser } from '../../core/ports/spec-builder.ts';
import type { Room } from './deps.ts';
import { lookupUser } from './rootfs-files.ts';
import type { Entry } from './table.ts';

const known = new WeakMap<object, Map<string, ResolvedUser>>();

/**
 * The user that the container's command runs as. A container that never ran has its image's own files, so what was
 * found once holds for all of them.
 */
export async function imageUser(room: Room, entry: Entry, rootPath: string): Promise<ResolvedUser> {
  const { record } = entry;
  const user = record.config.User ?? '';
  const groupAdd = record.hostConfig.GroupAdd ?? [];
  const pristine = record.state.startedAt === never && !entry.touched && record.imageId !== '';
  if (!pristine) return await lookupUser(room.host, rootPath, user, groupAdd);
  const cache = known.get(room.table) ?? new Map<string, ResolvedUser>();
  known.set(room.table, cache);
  const key = JSON.stringify([record.imageId, user, groupAdd]);
  const found = cache.get(key) ?? (await lookupUser(room.host, rootPath, user, groupAdd));
  cache.set(key, found);
  return found;
}
