/** A container's log in the hands of its driver: compressed and sent on while it is written, and settled before it is removed. */
import { setTimeout as delay } from 'node:timers/promises';
import { backgroundCtx } from '../../core/ctx.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { LogDriver, LoggedContainer, LogPlan } from '../../core/ports/log-driver.ts';
import type { Room } from './deps.ts';
import type { Entry } from './table.ts';

/** What the log may tell of this container. */
export function loggedContainer(record: ContainerRecord): LoggedContainer {
  const { config } = record;
  return {
    id: record.id,
    name: record.name,
    imageId: record.imageId,
    imageName: record.imageRef,
    createdAt: record.createdAt,
    path: record.path,
    args: record.args,
    labels: config.Labels ?? {},
    env: config.Env ?? [],
    logPath: record.logPath,
  };
}

/** The driver of a container's log with what its options mean; undefined where it has none that is known. */
export function logOf(
  room: Pick<Room, 'logDrivers'>,
  record: ContainerRecord,
): { readonly driver: LogDriver; readonly plan: LogPlan } | undefined {
  const { Type = '', Config } = record.hostConfig.LogConfig ?? {};
  const driver = room.logDrivers.get(Type);
  return driver === undefined ? undefined : { driver, plan: driver.validate(Config ?? {}) };
}

const mayWrite = ({ state }: ContainerRecord): boolean => isActive(state) || state.status === 'starting';

/** What a daemon that was killed has left to be compressed or sent on of containers that do not run. */
export function tendStopped(room: Room): void {
  for (const entry of room.table.entries()) {
    const { status } = entry.record.state;
    if (entry.tending !== undefined || status === 'created' || mayWrite(entry.record)) continue;
    try {
      tendLog(room, entry);
    } catch (error) {
      room.log.warn('the rest of a log is not taken care of', { container: entry.id, error });
    }
  }
}

/** Hands the log to its driver, for the run that `entry.ended` is of. */
export function tendLog(room: Room, entry: Entry): void {
  const before = entry.tending;
  before?.stop();
  entry.tending = undefined;
  const { record } = entry;
  const log = logOf(room, record);
  if (log?.driver.tend === undefined || record.logPath === '') return;
  const abort = new AbortController();
  const ctx = { ...backgroundCtx(room.log.with({ container: record.id })), signal: abort.signal };
  const { driver } = log;
  const tending = {
    path: record.logPath,
    options: record.hostConfig.LogConfig?.Config ?? {},
    plan: log.plan,
    container: loggedContainer(record),
    ended: mayWrite(record) ? entry.ended.promise : Promise.resolve(),
  };
  // One at a time: they share what is written down of how far it came.
  const done = (before?.done ?? Promise.resolve()).then(() => driver.tend?.(ctx, tending));
  entry.tending = { stop: () => abort.abort(), done, sendsOn: log.plan.unsentMax !== undefined };
}

/** Waits until the driver is done with the log of a run that ended, for a time; then the log may be removed. */
export async function settleLog(room: Room, entry: Entry, timeoutMs: number): Promise<void> {
  const { tending } = entry;
  if (tending === undefined) return;
  const abort = new AbortController();
  // What would only be compressed need not be.
  const wait = tending.sendsOn ? timeoutMs : 0;
  const isDone = await Promise.race([
    tending.done.then(() => true),
    delay(wait, false, { signal: abort.signal }).catch(() => true),
  ]);
  abort.abort();
  if (!isDone && tending.sendsOn) {
    room.log.warn('the log was not sent on to its end before the container was removed', {
      container: entry.id,
    });
  }
  tending.stop();
  await tending.done;
  entry.tending = undefined;
}
