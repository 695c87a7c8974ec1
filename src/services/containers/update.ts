import { availableParallelism } from 'node:os';
import type { Ctx } from '../../core/ctx.ts';
import { conflict } from '../../core/errors.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { HostConfig } from '../../core/model/container-spec.ts';
import { applyLimits } from './apply-limits.ts';
import { commitRecord } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { planUpdate } from './plan-update.ts';
import type { UpdateInput } from './types.ts';
import { checkHealthPolicy, checkResources, checkRestartPolicy } from './validate.ts';

/** All of them, or none. systemd comes first: it rounds what it writes, and the cgroup's files then have it exactly. */
async function changeLimits(room: Room, record: ContainerRecord, next: HostConfig): Promise<void> {
  const what = `Cannot update container ${record.id}`;
  const unit = room.specs.unitChange(record, next);
  if (unit !== undefined) await room.changeUnit(unit);
  try {
    await applyLimits(what, room.specs.limitWrites(record, next));
  } catch (error) {
    const changed = { ...record, hostConfig: next };
    const before = room.specs.unitChange(changed, record.hostConfig);
    if (before !== undefined) await room.changeUnit(before).catch(() => {});
    const back = room.specs.limitWrites(changed, record.hostConfig);
    await applyLimits(
      what,
      back.map((write) => ({ ...write, optional: true })),
    );
    throw error;
  }
}

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
      await changeLimits(room, record, hostConfig);
    }
    await commitRecord(room, entry, { ...record, hostConfig });
    emitContainer(room, entry.record, 'update');
    return { warnings: [...planned.warnings, ...warnings] };
  });
}
