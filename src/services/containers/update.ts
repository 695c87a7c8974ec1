import { availableParallelism } from 'node:os';
import type { Ctx } from '../../core/ctx.ts';
import { conflict } from '../../core/errors.ts';
import { isActive } from '../../core/model/container.ts';
import { applyLimits } from './apply-limits.ts';
import { commitRecord } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { planUpdate } from './plan-update.ts';
import type { UpdateInput } from './types.ts';
import { checkHealthPolicy, checkResources, checkRestartPolicy } from './validate.ts';

/** Changes limits (of a running container at once) and the restart policy. */
export async function updateContainer(
  room: Room,
  _ctx: Ctx,
  ref: string,
  input: UpdateInput,
): Promise<{ readonly warnings: readonly string[] }> {
  const { id } = room.table.resolve(ref);
  return await room.queue.run(id, async () => {
    const entry = room.table.resolve(id);
    const { record } = entry;
    if (record.state.status === 'removing' || record.state.status === 'dead') {
      throw conflict(
        `Cannot update container ${ref}: Container is marked for removal and cannot be "update".`,
      );
    }
    checkRestartPolicy(input.restartPolicy, false);
    checkHealthPolicy(input.restartPolicy, record.config);
    const planned = planUpdate(record, input);
    checkResources(planned.hostConfig, availableParallelism());
    const { hostConfig, warnings } = room.specs.validate(planned.hostConfig);
    if (isActive(record.state)) {
      const what = `Cannot update container ${id}`;
      try {
        await applyLimits(what, room.specs.limitWrites(record, hostConfig));
      } catch (error) {
        const changed = { ...record, hostConfig };
        const back = room.specs.limitWrites(changed, record.hostConfig);
        await applyLimits(
          what,
          back.map((write) => ({ ...write, optional: true })),
        );
        throw error;
      }
    }
    await commitRecord(room, entry, { ...record, hostConfig });
    emitContainer(room, entry.record, 'update');
    return { warnings: [...planned.warnings, ...warnings] };
  });
}
