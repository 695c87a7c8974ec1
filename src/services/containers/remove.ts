import type { Ctx } from '../../core/ctx.ts';
import { conflict, isKind, toSlipwayError } from '../../core/errors.ts';
import { isActive } from '../../core/model/container.ts';
import { removeNetworkFiles } from './bundle.ts';
import { commitRecord, withState } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { imageSnapshots } from './image-mounts.ts';
import { containerDirectory } from './paths.ts';
import { settleLog } from './log-tending.ts';
import { removeLink } from './remove-link.ts';
import { cancelRestart } from './restart.ts';
import { settleAll } from './settle-all.ts';
import { sigkill } from './signals.ts';
import type { Entry } from './table.ts';
import type { RemoveInput } from './types.ts';

/** Removes a container; with `force` a running one is killed first. */
export async function removeContainer(room: Room, ctx: Ctx, ref: string, input: RemoveInput): Promise<void> {
  if (input.link) return await removeLink(room, ref);
  const entry = room.table.resolve(ref);
  const { status } = entry.record.state;
  if (status === 'removing') throw conflict(`removal of container ${ref} is already in progress`);
  if (!input.force) refuseRunning(entry);
  else await end(room, entry);
  await room.queue.run(entry.id, async () => {
    // Removed by --rm or by another client while this one waited.
    if (room.table.get(entry.id) !== entry) return;
    if (!input.force) refuseRunning(entry);
    await removeInQueue(room, ctx, entry, input);
  });
}

function refuseRunning(entry: Entry): void {
  const { state, name } = entry.record;
  switch (state.status) {
    case 'paused':
      throw conflict(`cannot remove container "/${name}": container is paused and must be unpaused first`);
    case 'running':
    case 'starting':
    case 'restarting':
      throw conflict(
        `cannot remove container "/${name}": container is ${state.status === 'restarting' ? 'restarting' : 'running'}: stop the container before removing or force remove`,
      );
    case 'created':
    case 'exited':
    case 'removing':
    case 'dead':
      return;
  }
}

/** Aborts a start that is under way, kills what runs, and waits for its exit. */
async function end(room: Room, entry: Entry): Promise<void> {
  entry.starting?.abort(conflict(`container ${entry.id} is being removed`));
  let ended: Promise<void> | undefined;
  await room.queue.run(entry.id, async () => {
    if (room.table.get(entry.id) !== entry) return;
    await cancelRestart(room, entry);
    const { task, record } = entry;
    if (task === undefined || !isActive(record.state)) return;
    entry.stopRequested = true;
    // Waited for outside: the exit is handled in this same queue.
    ended = entry.ended.promise;
    await task.signal(sigkill);
    if (record.state.status === 'paused') await task.resume();
    emitContainer(room, record, 'kill', { signal: String(sigkill) });
  });
  await ended;
}

/** How long a removal waits for a log's receiver: a person waits too. */
const settleMs = 3000;

/**
 * The removal itself, inside the container's queue. The record goes first: after a crash in the middle, reconcile finds what belongs
 * to nobody and clears it away.
 */
export async function removeInQueue(
  room: Room,
  ctx: Ctx,
  entry: Entry,
  input: { readonly volumes: boolean; readonly force: boolean },
): Promise<void> {
  const { record, id } = entry;
  const { exitCode } = record.state;
  await settleLog(room, entry, settleMs);
  entry.record = withState(record, { status: 'removing' });
  try {
    await room.records.commit([{ op: 'delete', kind: 'container', id }]);
  } catch (error) {
    // Nothing is gone yet.
    entry.record = record;
    throw toSlipwayError(error);
  }
  try {
    await settleAll([
      room.snapshots.removeSnapshot(record.snapshotKey),
      ...imageSnapshots(record).map((key) => room.snapshots.removeSnapshot(key)),
      room.discard(containerDirectory(room.options, id)),
    ]);
  } catch (error) {
    // Half of it may be gone: it can only be removed again, which does the rest.
    const failure = toSlipwayError(error);
    entry.record = withState(record, { status: 'dead', error: failure.message });
    await commitRecord(room, entry, entry.record).catch((commitError: unknown) =>
      room.log.error('state of a failed removal not kept', { container: id, error: commitError }),
    );
    throw failure;
  }
  removeNetworkFiles(room, id);
  room.table.drop(id);
  for (const pending of entry.pending) pending.settle(undefined);
  if (input.volumes) await removeAnonymousVolumes(room, ctx, entry);
  for (const waiting of entry.waiting) waiting.settle({ exitCode });
  entry.waiting.clear();
  emitContainer(room, record, 'destroy');
}

async function removeAnonymousVolumes(room: Room, ctx: Ctx, entry: Entry): Promise<void> {
  for (const mount of entry.record.mounts) {
    if (mount.type !== 'volume' || mount.anonymous !== true || mount.name === undefined) continue;
    try {
      await room.volumes.remove(ctx, mount.name, { force: true });
    } catch (error) {
      // Another container may have taken it by --volumes-from.
      if (!isKind(error, 'conflict'))
        room.log.warn('anonymous volume not removed', { volume: mount.name, error });
    }
  }
}
