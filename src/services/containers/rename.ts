import type { Ctx } from '../../core/ctx.ts';
import { invalid } from '../../core/errors.ts';
import { isActive } from '../../core/model/container.ts';
import { commitRecord } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { checkName } from './names.ts';

/** Gives a container another name; running ones answer to it in DNS at once. */
export async function renameContainer(room: Room, ctx: Ctx, ref: string, given: string): Promise<void> {
  const { id } = room.table.resolve(ref);
  if (given === '') throw invalid('Neither old nor new names may be empty');
  const name = checkName(given);
  await room.queue.run(id, async () => {
    const entry = room.table.resolve(id);
    const before = entry.record;
    if (before.name === name) {
      throw invalid('Renaming a container with the same name as its current name');
    }
    room.table.reserveName(name, id);
    try {
      await commitRecord(room, entry, {
        ...before,
        name,
        endpoints: room.networks.renamed(before.endpoints, before.name, name),
      });
    } catch (error) {
      room.table.releaseName(name, id);
      throw error;
    }
    room.table.releaseName(before.name, id);
    if (isActive(before.state)) await room.networks.refreshNames(ctx, entry.record);
    emitContainer(room, entry.record, 'rename', { oldName: `/${before.name}` });
  });
}
