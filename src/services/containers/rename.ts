import type { Ctx } from '../../core/ctx.ts';
import { invalid, SlipwayError, toSlipwayError } from '../../core/errors.ts';
import { isActive } from '../../core/model/container.ts';
import { commitRecord } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { checkName } from './names.ts';

/** Docker says what it was about. */
function allocating<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { kind, message } = toSlipwayError(error);
    throw new SlipwayError(kind, `Error when allocating new name: ${message}`, { cause: error });
  }
}

/** Gives a container another name; running ones answer to it in DNS at once. */
export async function renameContainer(room: Room, ctx: Ctx, ref: string, given: string): Promise<void> {
  if (given === '') throw invalid('Neither old nor new names may be empty');
  const { id } = room.table.resolve(ref);
  const name = allocating(() => checkName(given.startsWith('/') ? given : `/${given}`));
  await room.queue.run(id, async () => {
    const entry = room.table.resolve(id);
    const before = entry.record;
    if (before.name === name) {
      throw invalid('Renaming a container with the same name as its current name');
    }
    allocating(() => room.table.reserveName(name, id));
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
