/** What happens when a container's process has ended: handled once, inside the container's queue. */

import { backgroundCtx, type Ctx } from '../../core/ctx.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { Task, TaskExit } from '../../core/ports/runtime.ts';
import { formatNano, parseNano } from '../../core/time.ts';
import { commitRecord, withState } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { isUnhealthy } from './health-rules.ts';
import { settleLog } from './log-tending.ts';
import { unmountSharedMemory } from './namespaces.ts';
import { bundleDirectory } from './paths.ts';
import { removeInQueue } from './remove.ts';
import { nextBackoff, shouldRestart } from './restart-policy.ts';
import { scheduleRestart } from './restart.ts';
import type { Entry } from './table.ts';
import { unmountVolumes } from './volumes.ts';

/** Arranges that the exit of `task` is handled. */
export function watchExit(room: Room, entry: Entry, task: Task): void {
  void task.exit
    .then((exit) => room.queue.run(entry.id, () => handleExit(room, entry, task, exit)))
    .catch((error: unknown) => room.log.error('exit not handled', { container: entry.id, error }));
}

/** The record after an exit; pure. A container that is to start again is `restarting`. */
export function exitedRecord(
  room: Pick<Room, 'networks'>,
  record: ContainerRecord,
  exit: TaskExit,
  restart: { readonly backoffMs: number } | undefined,
): ContainerRecord {
  const restarting = restart !== undefined;
  const ended = withState(record, {
    status: restarting ? 'restarting' : 'exited',
    pid: 0,
    pidStartTicks: '',
    shimPid: 0,
    exitCode: exit.exitCode,
    oomKilled: exit.oomKilled,
    finishedAt: formatNano(exit.exitedAtNano),
  });
  return {
    ...ended,
    endpoints: room.networks.cleared(record.endpoints),
    ports: [],
    restartCount: restarting ? record.restartCount + 1 : record.restartCount,
    restartBackoffMs: restart?.backoffMs ?? 0,
  };
}

/** How long `--rm` waits for a log's receiver, as dockerd waits for its drivers. */
const settleMs = 10_000;

const nanosPerSecond = 1_000_000_000n;
const nanosPerMilli = 1_000_000n;

function ranNano(record: ContainerRecord, exit: TaskExit): bigint {
  const started = parseNano(record.state.startedAt) ?? exit.exitedAtNano;
  const ran = exit.exitedAtNano - started;
  return ran < 0n ? 0n : ran;
}

/** Commits the exit and takes down what the run had; restarts or removes by the container's policy. */
export async function handleExit(
  room: Room,
  entry: Entry,
  task: Task | undefined,
  exit: TaskExit,
): Promise<void> {
  if (entry.task !== task || room.table.get(entry.id) !== entry) return;
  const ctx = backgroundCtx(room.log);
  const before = entry.record;
  const ran = ranNano(before, exit);
  const stopped = entry.stopRequested || before.manuallyStopped;
  const restarting = shouldRestart({
    policy: before.hostConfig.RestartPolicy,
    exitCode: exit.exitCode,
    stopped,
    restartCount: before.restartCount,
    unhealthy: isUnhealthy(before),
  });
  const backoffMs = nextBackoff(before.restartBackoffMs ?? 0, Number(ran / nanosPerMilli));
  const restart = restarting ? { backoffMs } : undefined;
  entry.task = undefined;
  entry.health?.stop();
  entry.health = undefined;
  dropUnstarted(room, entry);
  // The teardown needs the addresses of the run, so it gets the record of before the exit.
  const told = Promise.withResolvers<void>();
  const teardown = takeDown(room, ctx, before, task, told.promise);
  await commitExit(room, entry, exitedRecord(room, before, exit, restart));
  room.networks.release(entry.id);
  announce(room, entry, exit, ran);
  room.networks.announce(before, 'disconnect');
  told.resolve();
  await teardown;
  entry.ended.resolve();
  if (restart !== undefined) scheduleRestart(room, entry, restart.backoffMs);
  else if (before.hostConfig.AutoRemove === true) {
    await settleLog(room, entry, settleMs);
    room.table.rememberExit(entry.id, exit.exitCode);
    await removeInQueue(room, ctx, entry, { volumes: true, force: false });
  }
}

/** Execs that were prepared and never started end with the run that they were for. */
function dropUnstarted(room: Room, entry: Entry): void {
  for (const session of entry.execs.values()) {
    if (session.started) continue;
    entry.execs.delete(session.id);
    room.table.forgetExec(session.id);
  }
}

/**
 * With a full disk the exit cannot be written. It has happened all the same: clients are told, and a daemon that starts
 * later finds it again in the shim's own record.
 */
async function commitExit(room: Room, entry: Entry, record: ContainerRecord): Promise<void> {
  try {
    await commitRecord(room, entry, record);
  } catch (error) {
    room.log.error('exit not written', { container: entry.id, error });
    entry.record = record;
  }
}

function announce(room: Room, entry: Entry, exit: TaskExit, ran: bigint): void {
  for (const waiting of entry.waiting) {
    if (waiting.condition === 'removed') continue;
    entry.waiting.delete(waiting);
    waiting.settle({ exitCode: exit.exitCode });
  }
  if (exit.oomKilled) emitContainer(room, entry.record, 'oom');
  emitContainer(room, entry.record, 'die', {
    exitCode: String(exit.exitCode),
    execDuration: String(ran / nanosPerSecond),
  });
}

/**
 * Network, runtime state, volumes and root filesystem of a run that ended. A step that fails is logged and left to
 * reconcile: the exit itself must be told in any case.
 */
export async function takeDown(
  room: Room,
  ctx: Ctx,
  record: ContainerRecord,
  task: Task | undefined,
  exitTold: Promise<void> = Promise.resolve(),
): Promise<void> {
  const step = async (what: string, work: Promise<unknown>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      room.log.warn('teardown incomplete', { container: record.id, step: what, error });
    }
  };
  task?.release();
  const input = {
    containerId: record.id,
    bundle: bundleDirectory(room.options, record.id),
    cgroupPaths: room.specs.cgroupPaths(record),
    runtime: record.runtime,
  };
  await Promise.all([
    step('network', room.networks.detach(ctx, record)),
    step('runtime', room.runtime.cleanup(ctx, input)),
    // Its event comes behind that of the exit.
    step(
      'volumes',
      exitTold.then(() => unmountVolumes(room, ctx, record)),
    ),
    step('shared memory', unmountSharedMemory(room, record)),
  ]);
  room.snapshots.release(record.snapshotKey);
}
