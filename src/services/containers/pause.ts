import type { Ctx } from '../../core/ctx.ts';
import { conflict } from '../../core/errors.ts';
import { commitRecord, withState } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';

export async function pauseContainer(room: Room, _ctx: Ctx, ref: string): Promise<void> {
  const { id } = room.table.resolve(ref);
  await room.queue.run(id, async () => {
    const entry = room.table.resolve(id);
    const { status } = entry.record.state;
    if (status === 'paused') throw conflict(`Container ${id} is already paused`);
    if (status === 'restarting') {
      throw conflict(`container ${id} is restarting, wait until the container is running`);
    }
    if (status !== 'running' || entry.task === undefined) throw conflict(`container ${id} is not running`);
    const { task } = entry;
    await task.pause();
    try {
      await commitRecord(room, entry, withState(entry.record, { status: 'paused' }));
    } catch (error) {
      // Nobody would know that it is frozen.
      await task.resume();
      throw error;
    }
    emitContainer(room, entry.record, 'pause');
  });
}

export async function unpauseContainer(room: Room, _ctx: Ctx, ref: string): Promise<void> {
  const { id } = room.table.resolve(ref);
  await room.queue.run(id, async () => {
    const entry = room.table.resolve(id);
    if (entry.record.state.status !== 'paused' || entry.task === undefined) {
      throw conflict(`Container ${id} is not paused`);
    }
    await entry.task.resume();
    await commitRecord(room, entry, withState(entry.record, { status: 'running' }));
    emitContainer(room, entry.record, 'unpause');
  });
}

/**
 * Freezes a running container while `work` runs; one that does not run is left alone. The record on disk stays `running`: a
 * daemon that dies meanwhile must not leave the container frozen, and the next one thaws what its record says is running.
 */
export async function whilePaused<T>(room: Room, id: string, work: () => Promise<T>): Promise<T> {
  const isFrozen = await room.queue.run(id, async () => {
    const entry = room.table.resolve(id);
    if (entry.record.state.status !== 'running' || entry.task === undefined) return false;
    await entry.task.pause();
    entry.record = withState(entry.record, { status: 'paused' });
    emitContainer(room, entry.record, 'pause');
    return true;
  });
  try {
    return await work();
  } finally {
    if (isFrozen) await room.queue.run(id, () => thaw(room, id));
  }
}

/** Somebody may have unpaused, ended or removed it before. */
async function thaw(room: Room, id: string): Promise<void> {
  const entry = room.table.get(id);
  if (entry?.record.state.status !== 'paused' || entry.task === undefined) return;
  await entry.task.resume();
  // Others may have written the record meanwhile, as it was.
  await commitRecord(room, entry, withState(entry.record, { status: 'running' }));
  emitContainer(room, entry.record, 'unpause');
}

/** Size of the container's terminal. */
export async function resizeContainer(
  room: Room,
  _ctx: Ctx,
  ref: string,
  rows: number,
  columns: number,
): Promise<void> {
  const entry = room.table.resolve(ref);
  if (entry.task === undefined) throw conflict(`container ${entry.id} is not running`);
  await entry.task.resize(rows, columns);
  emitContainer(room, entry.record, 'resize', { height: String(rows), width: String(columns) });
}
