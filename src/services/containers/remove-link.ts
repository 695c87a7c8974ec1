import { conflict, notFound } from '../../core/errors.ts';
import { commitRecord } from './commit.ts';
import type { Room } from './deps.ts';

const aliasOf = (link: string): string => link.slice(link.lastIndexOf(':') + 1).replace(/^.*\//, '');

/** `rm --link parent/alias`: the parent knows the linked container by that name no longer, from its next start on. */
export async function removeLink(room: Room, ref: string): Promise<void> {
  const name = ref.replace(/^\/+/, '');
  const slash = name.lastIndexOf('/');
  if (slash < 0) throw conflict('Conflict, cannot remove the default link name of the container');
  const alias = name.slice(slash + 1);
  const { id } = room.table.resolve(name.slice(0, slash));
  await room.queue.run(id, async () => {
    const entry = room.table.resolve(id);
    const { record } = entry;
    const links = record.hostConfig.Links ?? [];
    const kept = links.filter((link) => aliasOf(link) !== alias);
    if (kept.length === links.length) throw notFound(`No such container: ${ref}`);
    await commitRecord(room, entry, { ...record, hostConfig: { ...record.hostConfig, Links: kept } });
  });
}
