/** Checkpoints of a container: written while it is frozen, restored by a start, listed and removed. Docker's words and statuses. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ctx } from '../../core/ctx.ts';
import { conflict, internal, invalid, notImplemented, toSlipwayError } from '../../core/errors.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { Task } from '../../core/ports/runtime.ts';
import {
  checkCheckpointName,
  checkpointNames,
  checkpointsFolder,
  isCheckpoint,
  makeCheckpoint,
  removeUnfinished,
  stageCheckpoint,
} from './checkpoint-store.ts';
import { commitRecord, withState } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { idsOf } from './remap.ts';
import { sigkill } from './signals.ts';
import type { Entry } from './table.ts';
import type { CheckpointInput, CheckpointPlace, StartFrom } from './types.ts';

/** A host that cannot is told what is missing; nothing is begun that cannot be ended well. */
async function requireSupport(room: Room, record: ContainerRecord): Promise<void> {
  const problem = await room.runtime.checkpointProblem(record.runtime);
  if (problem !== undefined) throw notImplemented(problem);
  // criu makes the namespaces anew by itself; those of the network that the engine made belong to another user namespace then.
  if (idsOf(room, record) === undefined) return;
  throw notImplemented(
    'checkpoint and restore: a container in a user namespace of its own cannot be restored: create it with --userns=host',
  );
}

function runningTask(entry: Entry): Task {
  const { task, record } = entry;
  const { status } = record.state;
  if (task === undefined || (status !== 'running' && status !== 'paused')) {
    throw conflict(`container ${entry.id} is not running`);
  }
  return task;
}

/**
 * Writes a checkpoint. With `exit` the container is frozen before and killed after: what it does between the image of its memory and
 * its end would be on its disks and not in the checkpoint. A daemon that dies in between leaves it running.
 */
export async function createCheckpoint(
  room: Room,
  ctx: Ctx,
  ref: string,
  input: CheckpointInput,
): Promise<void> {
  const { id } = room.table.resolve(ref);
  const { record, ended } = await room.queue.run(id, async () => {
    const entry = room.table.resolve(id);
    const task = runningTask(entry);
    checkCheckpointName(input.name);
    const path = join(checkpointsFolder(room.options, id, input.directory), input.name);
    const taken = (): Error =>
      internal(
        `cannot checkpoint container ${ref}: checkpoint with name ${input.name} already exists for container ${ref}`,
      );
    if (await isCheckpoint(path)) throw taken();
    await requireSupport(room, entry.record);
    const freezes = input.exit && entry.record.state.status === 'running';
    if (freezes) await task.pause();
    try {
      await write(room, ctx, { task, path, ref, taken });
    } catch (error) {
      if (freezes) await task.resume();
      throw error;
    }
    if (!input.exit) return { record: entry.record, ended: undefined };
    const exit = entry.ended.promise;
    try {
      await task.signal(sigkill);
    } finally {
      await task.resume();
    }
    return { record: entry.record, ended: exit };
  });
  // Waited for outside: the exit is handled in this same queue.
  await ended;
  emitContainer(room, record, 'checkpoint');
}

async function write(
  room: Room,
  ctx: Ctx,
  made: { readonly task: Task; readonly path: string; readonly ref: string; readonly taken: () => Error },
): Promise<void> {
  const { task, path, ref } = made;
  let isTaken: Error | undefined;
  try {
    await makeCheckpoint(
      path,
      (images) => task.checkpoint(ctx, images),
      (images) => room.host.syncfs(images),
      () => (isTaken = made.taken()),
    );
  } catch (error) {
    if (error === isTaken) throw error;
    throw internal(`Cannot checkpoint container ${ref}: ${toSlipwayError(error).message}`, error);
  }
}

const unknownCheckpoint = (name: string, container: string): Error =>
  internal(`checkpoint ${name} does not exist for container ${container}`);

/** Undefined when the container never had one. */
export async function listCheckpoints(
  room: Room,
  _ctx: Ctx,
  ref: string,
  directory: string,
): Promise<readonly string[] | undefined> {
  const { id } = room.table.resolve(ref);
  const names = await checkpointNames(checkpointsFolder(room.options, id, directory));
  if (names === undefined && directory !== '') throw unknownCheckpoint('', ref);
  return names;
}

export async function removeCheckpoint(
  room: Room,
  _ctx: Ctx,
  ref: string,
  place: CheckpointPlace,
): Promise<void> {
  const { id } = room.table.resolve(ref);
  await room.queue.run(id, async () => {
    checkCheckpointName(place.name);
    const path = join(checkpointsFolder(room.options, id, place.directory), place.name);
    if (!(await isCheckpoint(path))) throw unknownCheckpoint(place.name, ref);
    await rm(path, { recursive: true, force: true });
  });
}

/** The images of a start from a checkpoint; a refusal shows in the container's state, as with Docker. */
export async function openCheckpoint(
  room: Room,
  entry: Entry,
  from: StartFrom,
): Promise<{ readonly images: string; readonly remove: () => Promise<void> } | undefined> {
  if (from.checkpoint === '') {
    if (from.directory === '') return undefined;
    throw invalid('a checkpoint directory was given without a checkpoint');
  }
  try {
    checkCheckpointName(from.checkpoint);
    const folder = checkpointsFolder(room.options, entry.id, from.directory);
    const path = join(folder, from.checkpoint);
    if (!(await isCheckpoint(path))) throw unknownCheckpoint(from.checkpoint, `/${entry.record.name}`);
    await requireSupport(room, entry.record);
    return await stageCheckpoint(path, checkpointsFolder(room.options, entry.id, ''));
  } catch (error) {
    const { message } = toSlipwayError(error);
    await commitRecord(room, entry, withState(entry.record, { error: message }));
    throw error;
  }
}

/** After a start of the daemon, beside its work: what a killed one left half made. */
export async function sweepCheckpoints(room: Room): Promise<void> {
  for (const { id } of room.table.entries()) {
    await room.queue.run(id, () => removeUnfinished(checkpointsFolder(room.options, id, '')));
  }
}
