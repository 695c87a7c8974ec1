import { mkdir, stat } from 'node:fs/promises';
import type { Ctx } from '../../core/ctx.ts';
import { conflict, isKind, notModified, toSlipwayError, type SlipwayError } from '../../core/errors.ts';
import { never, type ContainerRecord } from '../../core/model/container.ts';
import type { ResolvedUser, SpecInput } from '../../core/ports/spec-builder.ts';
import type { Task, TaskSpec } from '../../core/ports/runtime.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import { withUndo, type UndoStack } from '../../core/undo.ts';
import { networkFileMounts, writeNetworkFiles } from './bundle.ts';
import { commitRecord, withState } from './commit.ts';
import { settleAll } from './create.ts';
import type { Room } from './deps.ts';
import { emitContainer } from './emit.ts';
import { containerEnv } from './environment.ts';
import { watchExit } from './exits.ts';
import { startHealth } from './health.ts';
import { chooseNamespaces, mountSharedMemory, sharedIpcMounts } from './namespaces.ts';
import { bundleDirectory, exitPath } from './paths.ts';
import { removeInQueue } from './remove.ts';
import { ensureDirectory } from './rootfs-files.ts';
import { startFailure } from './start-errors.ts';
import { newEnded, type Entry } from './table.ts';
import { imageUser } from './user.ts';
import { mountVolumes } from './volumes.ts';

/** Starts a container; `notModified` when it runs already. */
export async function startContainer(room: Room, ctx: Ctx, ref: string): Promise<void> {
  const { id } = room.table.resolve(ref);
  await room.queue.run(id, async () => {
    const entry = room.table.resolve(id);
    checkStartable(entry.record);
    if (entry.restartTimer !== undefined) clearTimeout(entry.restartTimer);
    entry.restartTimer = undefined;
    entry.backoffMs = 0;
    await startInQueue(room, ctx, entry, { restartCount: 0 });
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
}

/** The start itself, inside the container's queue. On failure everything is as before, and the state says why. */
export async function startInQueue(room: Room, ctx: Ctx, entry: Entry, options: StartOptions): Promise<void> {
  const before = entry.record;
  const abort = new AbortController();
  // A client that hangs up does not end a start, as with Docker; `rm -f` does.
  const own: Ctx = { signal: abort.signal, log: ctx.log };
  entry.starting = abort;
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
  undo.push('claims of addresses and ports', () => room.networks.release(entry.id));
  const planned = withEndpoints(room, before);
  const reservation = room.networks.reserve(planned);
  const starting: ContainerRecord = {
    ...withState(before, { status: 'starting', error: '', oomKilled: false }),
    endpoints: { ...planned.endpoints, ...reservation.endpoints },
    ports: reservation.ports,
    manuallyStopped: false,
  };
  const prepared = newPrepared();
  await settleAll([
    commitRecord(room, entry, starting),
    prepareNetwork(room, ctx, undo, starting, prepared),
    prepareRoot(room, undo, starting, prepared),
    prepareFiles(room, starting),
    mountSharedMemory(room, undo, starting),
  ]);
  ctx.signal.throwIfAborted();
  const input = await specInput(room, ctx, undo, entry, starting, prepared);
  const ociSpec = await room.specs.container(ctx, input);
  const task = await runTask(room, ctx, undo, entry, starting, ociSpec);
  if (prepared.network !== undefined) room.host.closeFd(prepared.network.fd);
  prepared.network = undefined;
  const published = { ...starting, ports: prepared.ports ?? starting.ports };
  await commitRunning(room, undo, entry, published, task, options);
}

/** A network that did not exist at create must exist now: `notFound` otherwise. */
function withEndpoints(room: Room, record: ContainerRecord): ContainerRecord {
  const joins = record.hostConfig.NetworkMode?.startsWith('container:') === true;
  if (joins || Object.keys(record.endpoints).length > 0) return record;
  const endpoints = room.networks.planEndpoints({
    containerId: record.id,
    containerName: record.name,
    config: record.config,
    hostConfig: record.hostConfig,
    networking: undefined,
  });
  return { ...record, endpoints };
}

interface Prepared {
  rootPath: string;
  /** As they were published in the end; undefined where nothing was. */
  ports: ContainerRecord['ports'] | undefined;
  /** A namespace made for this start; its descriptor is ours until the container's process holds it. */
  network: { readonly fd: number; readonly path: string } | undefined;
}

const newPrepared = (): Prepared => ({ rootPath: '', network: undefined, ports: undefined });

async function prepareNetwork(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  record: ContainerRecord,
  prepared: Prepared,
): Promise<void> {
  const mode = record.hostConfig.NetworkMode ?? '';
  if (mode === 'host' || mode.startsWith('container:')) return;
  undo.push('network namespace', () => {
    if (prepared.network !== undefined) room.host.closeFd(prepared.network.fd);
    prepared.network = undefined;
  });
  const made = await room.networks.createNamespace(ctx);
  prepared.network = made;
  const namespace = { path: made.path };
  undo.push('network attachment', (own) => room.networks.detach(own, record, namespace));
  prepared.ports = await room.networks.attach(ctx, record, namespace);
}

async function prepareRoot(
  room: Room,
  undo: UndoStack,
  record: ContainerRecord,
  prepared: Prepared,
): Promise<void> {
  undo.push('root filesystem', () => room.snapshots.unmount(record.snapshotKey));
  const { path } = await room.snapshots.mount(record.snapshotKey, {
    volatile: record.hostConfig.AutoRemove === true,
  });
  prepared.rootPath = path;
}

async function prepareFiles(room: Room, record: ContainerRecord): Promise<void> {
  await Promise.all([
    writeNetworkFiles(room, record),
    mkdir(bundleDirectory(room.options, record.id), { recursive: true, mode: 0o711 }),
    recreateBindSources(record),
  ]);
}

/** `-v` makes a missing source at every start; `--mount` never does. */
async function recreateBindSources(record: ContainerRecord): Promise<void> {
  if ((record.hostConfig.Binds ?? []).length === 0) return;
  const strict = new Set((record.hostConfig.Mounts ?? []).map((mount) => mount.Target));
  for (const mount of record.mounts) {
    if (mount.type !== 'bind' || strict.has(mount.destination)) continue;
    const found = await stat(mount.source).catch(() => undefined);
    if (found === undefined) await mkdir(mount.source, { recursive: true });
  }
}

async function specInput(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  entry: Entry,
  record: ContainerRecord,
  prepared: Prepared,
): Promise<SpecInput> {
  const user: ResolvedUser = await imageUser(room, entry, prepared.rootPath);
  const workingDir = record.config.WorkingDir || '/';
  if (workingDir !== '/') await ensureDirectory(room.host, prepared.rootPath, workingDir);
  const volumes = record.mounts.length === 0 ? [] : await mountVolumes(room, ctx, undo, record);
  const namespaces = chooseNamespaces(room, record, prepared.network?.path);
  return {
    record,
    rootPath: prepared.rootPath,
    mounts: [...networkFileMounts(room, record), ...sharedIpcMounts(room, record), ...volumes],
    user,
    env: containerEnv(record, room.networks.linkEnvironment(record), user.home),
    hostname: namespaces.uts === 'private' ? (record.config.Hostname ?? '') : '',
    namespaces,
    initPath: record.hostConfig.Init === true ? room.options.initPath : undefined,
    workingDir,
  };
}

/** Where the shim writes the output, how much of it is kept, and what stands in every line. */
function taskLog(room: Room, record: ContainerRecord): TaskSpec['log'] {
  const { config, hostConfig } = record;
  const driver = room.logDrivers.get(hostConfig.LogConfig?.Type ?? '');
  const logOptions = hostConfig.LogConfig?.Config ?? {};
  const limits = driver?.validate(logOptions) ?? { maxSize: 0, maxFile: 1 };
  const attributes = driver?.attributes?.(logOptions, {
    id: record.id,
    name: record.name,
    imageId: record.imageId,
    imageName: record.imageRef,
    labels: config.Labels ?? {},
    env: config.Env ?? [],
  });
  const path = record.logPath === '' ? undefined : record.logPath;
  return attributes === undefined ? { path, ...limits } : { path, ...limits, attributes };
}

async function runTask(
  room: Room,
  ctx: Ctx,
  undo: UndoStack,
  entry: Entry,
  record: ContainerRecord,
  ociSpec: unknown,
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
      openStdin: config.OpenStdin === true,
      stdinOnce: config.StdinOnce === true,
      log: taskLog(room, record),
      exitPath: exitPath(options, record.id),
      runtime: record.runtime,
      cgroupPaths,
      attachments: pending.map((attachment) => attachment.options),
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
  options: StartOptions,
): Promise<void> {
  undo.push('running process', async () => {
    await task.signal(9);
    await task.exit;
    task.release();
  });
  const running = withState(record, {
    status: 'running',
    pid: task.pid,
    pidStartTicks: task.pidStartTicks,
    shimPid: task.shimPid,
    exitCode: 0,
    error: '',
    oomKilled: false,
    startedAt: formatNano(nowNano()),
    finishedAt: record.state.finishedAt || never,
  });
  await commitRecord(room, entry, { ...running, restartCount: options.restartCount });
  entry.task = task;
  entry.ended = newEnded();
  // Not before the commit: an exit that came first would be written over.
  watchExit(room, entry, task);
}
