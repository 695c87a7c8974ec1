import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Ctx } from '../../core/ctx.ts';
import { conflict, internal } from '../../core/errors.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { HostConfig, Resources } from '../../core/model/container-spec.ts';
import { limitWrites, type CgroupWrite } from './cgroup-limits.ts';
import { commitRecord } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import type { UpdateInput } from './types.ts';
import { checkResources, checkRestartPolicy } from './validate.ts';

/** Only what is given and not zero changes a limit, as with Docker. */
function given(resources: Resources): Partial<HostConfig> {
  return Object.fromEntries(
    Object.entries(resources).filter(
      ([, value]) =>
        value != null && value !== 0 && value !== '' && !(Array.isArray(value) && value.length === 0),
    ),
  );
}

function merged(record: ContainerRecord, input: UpdateInput): HostConfig {
  const change = given(input.resources);
  const policy = input.restartPolicy;
  const memory = change.Memory;
  const swap = change.MemorySwap ?? record.hostConfig.MemorySwap ?? 0;
  if (memory !== undefined && change.MemorySwap === undefined && swap > 0 && memory > swap) {
    throw conflict(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  }
  return {
    ...record.hostConfig,
    ...change,
    ...(policy === undefined || (policy.Name ?? '') === '' ? {} : { RestartPolicy: policy }),
  };
}

async function apply(writes: readonly CgroupWrite[]): Promise<void> {
  for (const write of writes) {
    try {
      await writeFile(join(write.directory, write.file), write.value);
    } catch (error) {
      if (write.optional) continue;
      throw internal(
        `Cannot update container: writing ${write.file}: ${error instanceof Error ? error.message : ''}`,
        error,
      );
    }
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
    checkRestartPolicy(input.restartPolicy, record.hostConfig.AutoRemove === true);
    const hostConfig = merged(record, input);
    checkResources(hostConfig, availableParallelism());
    const warnings = room.specs.validate(hostConfig);
    const undo = limitWrites(room.host.cgroupLayout(), room.specs.cgroupPaths(record), record.hostConfig);
    if (isActive(record.state)) {
      try {
        await apply(limitWrites(room.host.cgroupLayout(), room.specs.cgroupPaths(record), hostConfig));
      } catch (error) {
        await apply(undo.map((write) => ({ ...write, optional: true })));
        throw error;
      }
    }
    await commitRecord(room, entry, { ...record, hostConfig });
    emitContainer(room, entry.record, 'update');
    return { warnings };
  });
}
