import type { Ctx } from '../../core/ctx.ts';
import { conflict, isKind, notModified, toSlipwayError, type SlipwayError } from '../../core/errors.ts';
import { never, type ContainerRecord } from '../../core/model/container.ts';
import { rootOf } from '../../core/model/id-mapping.ts';
import type { Task, TaskSpec } from '../../core/ports/runtime.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import { withUndo, type UndoStack } from '../../core/undo.ts';
import { applyLimits } from './apply-limits.ts';
import { openCheckpoint } from './checkpoints.ts';
import { commitRecord, withState } from './commit.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { watchExit } from './exits.ts';
import { startHealth } from './health.ts';
import { startingHealth } from './health-rules.ts';
import { tendLog } from './log-tending.ts';
import { mountSharedMemory } from './namespaces.ts';
import { bundleDirectory, exitPath } from './paths.ts';
import {
  closeNamespaces,
  newPrepared,
  prepareFiles,
  prepareNetwork,
  prepareRoot,
  specInput,
  taskLog,
  withEndpoints,
} from './prepare-start.ts';
import { removeInQueue } from './remove.ts';
import { settleAll } from './settle-all.ts';
import { startFailure } from './start-errors.ts';
import { newEnded, type Entry } from './table.ts';
import { checkRemap, remapOf } from './remap.ts';
import type { StartFrom } from './types.ts';

/** Starts a container, anew or from a checkpoint; `notModified` when it runs already. */
export async function startContainer(room: Room, ctx: Ctx, ref: string, from?: StartFrom): Promise<void> {
  const { id } = room.table.resolve(ref);
  await room.queue.run(id, async () => {
    const entry = room.table.resolve(id);
    checkStartable(entry.record);
    if (entry.restartTimer !== undefined) clearTimeout(entry.restartTimer);
    entry.restartTimer = undefined;
    const checkpoint = from === undefined ? undefined : await openCheckpoint(room, entry, from);
    try {
      const images = checkpoint === undefined ? {} : { restoreFrom: checkpoint.images };
      await startInQueue(room, ctx, entry, { restartCount: 0, backoffMs: 0, ...images });
    } finally {
      await checkpoint?.remove();
    }
  });
}

function checkStartable(record: ContainerRecord): void {
  switch (record.state.status) {
    case 'paused':
      throw conflict('cannot start a paused container, try unpause instead');
    case 'running':
    case 'starting':
      throw notModified(`container ${record.id} is already running`);
    case 'removing':
    case 'dead':
      throw conflict('container is marked for removal and cannot be started');
    case 'created':
    case 'exited':
    case 'restarting':
      return;
  }
}

export interface StartOptions {
  readonly restartCount: number;
  /** The back-off that came before this start; 0 for a start by hand. */
  readonly backoffMs: number;
  /** Images of a checkpoint that its processes go on from. */
  readonly restoreFrom?: string;
}

/** The start itself, inside the container's queue. On failure everything is as before, and the state says why. */
export async function startInQueue(room: Room, ctx: Ctx, entry: Entry, options: StartOptions): Promise<void> {
  const before = entry.record;
  const abort = new AbortController();
  // A client that hangs up does not end a start, as with Docker; `rm -f` does.
  const own: Ctx = { signal: abort.signal, log: ctx.log };
  entry.starting = abort;
  // Who follows the log from now on follows this run.
  entry.ended = newEnded();
  entry.stopRequested = false;
  try {
    await withUndo(own, (undo) => start(room, own, undo, entry, options));
  } catch (error) {
    const failure = await failed(room, entry, before, error);
    if (before.hostConfig.AutoRemove === true) await removeUnstarted(room, own, entry, failure);
    throw failure;
  } finally {
    entry.starting = undefined;
  }
  tendLog(room, entry);
  emitContainer(room, entry.record, 'start');
  startHealth(room, entry);
}

/** `--rm` holds for a container that could not start, too. */
async function removeUnstarted(room: Room, ctx: Ctx, entry: Entry, failure: SlipwayError): Promise<void> {
  try {
    await removeInQueue(room, ctx, entry, { volumes: true, force: false });
  } catch (error) {
    failure.undoErrors.push(toSlipwayError(error));
  }
}

/** Puts the failure into the record, as Docker does, and ends who waits for output. */
async function failed(
  room: Room,
  entry: Entry,
  before: ContainerRecord,
  error: unknown,
): Promise<SlipwayError> {
  for (const pending of entry.pending) pending.settle(undefined);
  entry.pending.clear();
  entry.ended.resolve();
  const failure = fromRuntime.get(error as object) ?? { error: toSlipwayError(error), exitCode: 128 };
  const status = before.state.status === 'restarting' ? 'exited' : before.state.status;
  const record = withState(before, { status, exitCode: failure.exitCode, error: failure.error.message });
  try {
    await commitRecord(room, entry, record);
  } catch (commitError) {
    failure.error.undoErrors.push(
      commitError instanceof Error ? commitError : new Error(String(commitError)),
    );
  }
  for (const waiting of entry.waiting) {
    // There is no exit to see of a start that never was: who waits for one goes on waiting, as with Docker.
    if (waiting.condition !== 'not-running') continue;
    entry.waiting.delete(waiting);
    waiting.settle({ exitCode: failure.exitCode });
  }
  if (isKind(failure.error, 'internal'))
    room.log.error('start failed', { container: entry.id, error: failure.error });
  return failure.error;
}

const fromRuntime = new WeakMap<
  object,
  { readonly error: ReturnType<typeof toSlipwayError>; readonly exitCode: number }
>();

async function start(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  entry: Entry,
  options: StartOptions,
): Promise<void> {
  const before = entry.record;
  checkRemap(room, before.hostConfig);
  undo.push('claims of addresses and ports', () => room.networks.release(entry.id));
  const planned = withEndpoints(room, before);
  const claimed = room.networks.reserve(planned);
  const reservation = claimed instanceof Promise ? await claimed : claimed;
  const starting: ContainerRecord = {
    ...withState(before, { status: 'starting', error: '', oomKilled: false }),
    endpoints: { ...planned.endpoints, ...reservation.endpoints },
    ports: reservation.ports,
    manuallyStopped: false,
    cgroupsPath: room.specs.cgroupsPath(before),
  };
  const prepared = newPrepared();
  await settleAll([
    commitRecord(room, entry, starting),
    prepareNetwork(room, ctx, undo, starting, prepared),
    prepareRoot(room, undo, starting, prepared),
    prepareFiles(room, ctx, undo, starting, prepared),
    mountSharedMemory(room, undo, starting),
  ]);
  ctx.signal.throwIfAborted();
  undo.push('network events', () => room.networks.announce(starting, 'disconnect'));
  room.networks.announce(starting, 'connect');
  const input = await specInput(room, ctx, undo, entry, starting, prepared);
  const ociSpec = await room.specs.container(ctx, input);
  // Before it can write: whoever asks for the log since then gets its first line.
  const startedAt = formatNano(nowNano());
  const task = await runTask(room, ctx, undo, entry, starting, ociSpec, options.restoreFrom);
  closeNamespaces(room, prepared);
  const published = { ...starting, ports: prepared.ports ?? starting.ports };
  await commitRunning(room, undo, entry, published, task, { ...options, startedAt });
}

function rootForStreams(room: Room, record: ContainerRecord): TaskSpec['root'] {
  const mapping = remapOf(room, record);
  return mapping === undefined ? undefined : rootOf(mapping);
}

async function runTask(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  entry: Entry,
  record: ContainerRecord,
  ociSpec: unknown,
  restoreFrom: string | undefined,
): Promise<Task> {
  const { options } = room;
  const { config, hostConfig } = record;
  const pending = [...entry.pending];
  const bundle = bundleDirectory(options, record.id);
  const cgroupPaths = room.specs.cgroupPaths(record);
  undo.push('task', async (own) => {
    entry.task = undefined;
    await room.runtime.cleanup(own, { containerId: record.id, bundle, cgroupPaths, runtime: record.runtime });
  });
  let task: Task;
  try {
    task = await room.runtime.start(ctx, {
      containerId: record.id,
      bundle,
      ociSpec,
      terminal: config.Tty === true,
      ...(hostConfig.ConsoleSize == null ? {} : { consoleSize: hostConfig.ConsoleSize }),
      root: rootForStreams(room, record),
      openStdin: config.OpenStdin === true,
      stdinOnce: config.StdinOnce === true,
      log: taskLog(room, record),
      exitPath: exitPath(options, record.id),
      runtime: record.runtime,
      cgroupPaths,
      attachments: pending.map((attachment) => attachment.options),
      ...(restoreFrom === undefined ? {} : { restoreFrom }),
    });
  } catch (error) {
    const failure = startFailure(toSlipwayError(error), record.path, record.runtime);
    fromRuntime.set(failure.error, failure);
    throw failure.error;
  }
  pending.forEach((attachment, index) => {
    entry.pending.delete(attachment);
    attachment.settle(task.attachments[index]);
  });
  return task;
}

async function commitRunning(
  room: Room,
  undo: UndoStack,
  entry: Entry,
  record: ContainerRecord,
  task: Task,
  options: StartOptions & { readonly startedAt: string },
): Promise<void> {
  undo.push('running process', async () => {
    await task.signal(9);
    await task.exit;
    task.release();
  });
  await applyLimits('failed to set limits', room.specs.lateWrites(record));
  // crun 1.8 writes limits into the cgroup and does not tell systemd, which takes them back when it reads its units again.
  const unit = room.specs.unitChange({ ...record, hostConfig: {} }, record.hostConfig);
  if (unit !== undefined) await room.changeUnit(unit);
  const running = withState(record, {
    status: 'running',
    pid: task.pid,
    pidStartTicks: task.pidStartTicks,
    shimPid: task.shimPid,
    exitCode: 0,
    error: '',
    oomKilled: false,
    startedAt: options.startedAt,
    finishedAt: record.state.finishedAt || never,
  });
  const health = startingHealth(record);
  await commitRecord(room, entry, {
    ...running,
    restartCount: options.restartCount,
    restartBackoffMs: options.backoffMs,
    ...(health === undefined ? {} : { health }),
  });
  entry.task = task;
  // Not before the commit: an exit that came first would be written over.
  watchExit(room, entry, task);
  attachLate(entry, task);
}

/** Attachments that were asked for while the process was being started: too late for its first byte, not for the rest. */
function attachLate(entry: Entry, task: Task): void {
  for (const pending of entry.pending) {
    entry.pending.delete(pending);
    task.attach(pending.options).then(pending.settle, () => pending.settle(undefined));
  }
}
