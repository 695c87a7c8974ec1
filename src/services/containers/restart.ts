import { commitRecord, withState } from './commit.ts';
import type { Room } from './deps.ts';
import type { Entry } from './table.ts';

/** Starts a container again after its back-off, unless a person stops or removes it before. */
export function scheduleRestart(room: Room, entry: Entry, delayMs: number): void {
  const timer = setTimeout(() => {
    if (entry.restartTimer !== timer) return;
    entry.restartTimer = undefined;
    void room.queue
      .run(entry.id, () => restartNow(room, entry))
      .catch((error: unknown) => room.log.error('restart failed', { container: entry.id, error }));
  }, delayMs);
  entry.restartTimer = timer;
}

async function restartNow(room: Room, entry: Entry): Promise<void> {
  if (room.table.get(entry.id) !== entry || entry.record.state.status !== 'restarting') return;
  await room.startAgain(entry);
}

/** Ends the waiting for a restart; the container then counts as exited. Inside the container's queue. */
export async function cancelRestart(room: Room, entry: Entry): Promise<void> {
  if (entry.restartTimer !== undefined) clearTimeout(entry.restartTimer);
  entry.restartTimer = undefined;
  if (entry.record.state.status !== 'restarting') return;
  await commitRecord(room, entry, {
    ...withState(entry.record, { status: 'exited' }),
    manuallyStopped: true,
    restartBackoffMs: 0,
  });
}
