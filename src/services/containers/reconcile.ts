/** Observes what is there after a start of the daemon, and carries out the plan. */

import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Ctx } from '../../core/ctx.ts';
import { never, type ContainerRecord } from '../../core/model/container.ts';
import type { Task } from '../../core/ports/runtime.ts';
import { nowNano } from '../../core/time.ts';
import { commitRecord, withState } from './commit.ts';
import { removeNetworkFiles } from './bundle.ts';
import type { Room } from './deps.ts';
import { handleExit, takeDown, watchExit } from './exits.ts';
import { startHealth } from './health.ts';
import { tendLog } from './log-tending.ts';
import { bundleDirectory, containerDirectory, containersDirectory, exitPath, filesRoot } from './paths.ts';
import { planReconcile, type Action, type Observed, type ObservedTask } from './reconcile-plan.ts';
import { removeInQueue } from './remove.ts';
import { remainingBackoff } from './restart-policy.ts';
import { scheduleRestart } from './restart.ts';
import { newEntry } from './table.ts';
import { writableSize } from './writable-size.ts';

/** Reads all records into memory. */
export async function loadContainers(room: Room): Promise<void> {
  for (const record of await room.records.list('container')) {
    if (room.table.get(record.id) === undefined) room.table.add(newEntry(record));
  }
}

const mayRun = (record: ContainerRecord): boolean =>
  ['running', 'paused', 'starting'].includes(record.state.status);
const isId = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

async function ids(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter(isId);
}

export interface Observation {
  readonly observed: Observed;
  /** Live connections to what still runs. */
  readonly tasks: ReadonlyMap<string, Task>;
}

async function recover(
  room: Room,
  ctx: Ctx,
  record: ContainerRecord,
): Promise<{ found: ObservedTask; task: Task | undefined }> {
  const result = await room.runtime.recover(ctx, {
    containerId: record.id,
    bundle: bundleDirectory(room.options, record.id),
    exitPath: exitPath(room.options, record.id),
    terminal: record.config.Tty === true,
    cgroupPaths: room.specs.cgroupPaths(record),
    runtime: record.runtime,
  });
  if (result.state === 'running') return { found: { state: 'running' }, task: result.task };
  return { found: result, task: undefined };
}

/** Ids of containers whose directory is named as that of `x`: by the id, or `slipway-ID.scope`. */
async function idsBeside(sample: string): Promise<readonly string[]> {
  const name = basename(sample);
  const at = name.lastIndexOf('x');
  const [before, behind] = [name.slice(0, at), name.slice(at + 1)];
  const names = await readdir(dirname(sample)).catch(() => []);
  return names
    .filter((one) => one.startsWith(before) && one.endsWith(behind))
    .map((one) => one.slice(before.length, one.length - behind.length))
    .filter(isId);
}

/** Directories of this instance's cgroups, found beside where a container's would be. */
async function instanceCgroups(room: Room): Promise<readonly string[]> {
  const sample = { id: 'x', hostConfig: {} } as ContainerRecord;
  const found = await Promise.all(room.specs.cgroupPaths(sample).map(idsBeside));
  return [...new Set(found.flat())];
}

/** Looks at everything that a dead daemon may have left. */
export async function observe(room: Room, ctx: Ctx): Promise<Observation> {
  const tasks = new Map<string, Task>();
  const found = new Map<string, ObservedTask>();
  await Promise.all(
    [...room.table.entries()].map(async ({ record, task }) => {
      if (!mayRun(record)) return;
      // Held already: asked while the daemon serves.
      if (task !== undefined) return void found.set(record.id, { state: 'running' });
      const result = await recover(room, ctx, record);
      found.set(record.id, result.found);
      if (result.task !== undefined) tasks.set(record.id, result.task);
    }),
  );
  const [runtimeIds, onDisk, directories, files, cgroups, mounts] = await Promise.all([
    room.runtime.list(),
    room.snapshots.list(),
    ids(containersDirectory(room.options)),
    ids(filesRoot(room.options)),
    instanceCgroups(room),
    room.host.mounts(room.options.dataRoot),
  ]);
  const mountPoints = new Set(mounts.map((mount) => mount.target));
  return {
    tasks,
    observed: {
      tasks: found,
      runtimeIds,
      snapshots: onDisk.snapshots,
      directories: [...new Set([...directories, ...files])],
      cgroups,
      mounted: onDisk.snapshots.filter((key) => mountPoints.has(room.snapshots.mountPath(key))),
      now: nowNano(),
    },
  };
}

/** What would be done; for dry runs too. */
export function planFor(room: Room, observation: Observation): readonly Action[] {
  return planReconcile(
    [...room.table.entries()].map((entry) => entry.record),
    observation.observed,
  );
}

const onlyAtBoot: readonly Action['do'][] = ['adopt', 'restart'];

/** What a repair of a serving engine would do: all but what belongs to a start of the daemon. */
export async function planRepair(
  room: Room,
  ctx: Ctx,
): Promise<{ actions: readonly Action[]; observation: Observation }> {
  const observation = await observe(room, ctx);
  // What is under way now is not broken.
  const actions = planFor(room, observation).filter(
    (action) => !onlyAtBoot.includes(action.do) && !room.queue.busy(action.id),
  );
  return { actions, observation };
}

/** Carries the plan out. One action that fails is logged and does not keep the others from being done. */
export async function reconcile(
  room: Room,
  ctx: Ctx,
  observation: Observation,
  actions: readonly Action[] = planFor(room, observation),
): Promise<readonly Action[]> {
  for (const action of actions) {
    try {
      await perform(room, ctx, action, observation);
      if (action.do !== 'adopt') room.log.info('reconciled', { action: action.do, container: action.id });
    } catch (error) {
      room.log.error('reconcile step failed', { action: action.do, container: action.id, error });
    }
  }
  return actions;
}

async function perform(room: Room, ctx: Ctx, action: Action, observation: Observation): Promise<void> {
  if (action.do === 'removeOrphan') return await removeOrphan(room, ctx, action.what, action.id);
  const { id } = action;
  await room.queue.run(id, async () => {
    const entry = room.table.get(id);
    if (entry === undefined) return;
    const task = observation.tasks.get(id);
    switch (action.do) {
      case 'adopt':
        if (task === undefined) return;
        entry.task = task;
        watchExit(room, entry, task);
        await restoreFreezer(room, entry.record, task);
        startHealth(room, entry);
        tendLog(room, entry);
        return;
      case 'exit':
        return await handleExit(room, entry, undefined, action.exit);
      case 'undoStart':
        return await undoStart(room, ctx, entry.record, task);
      case 'tidy':
        return await takeDown(room, ctx, entry.record, undefined);
      case 'finishRemoval':
        await takeDown(room, ctx, entry.record, undefined);
        return await removeInQueue(room, ctx, entry, {
          volumes: entry.record.hostConfig.AutoRemove === true,
          force: true,
        });
      case 'prepareSnapshot': {
        const image = room.images.get(entry.record.imageId);
        const parent = image === undefined ? undefined : room.images.topLayer(image);
        const size = writableSize(room, entry.record.hostConfig);
        return await room.snapshots.prepare(entry.record.snapshotKey, parent, { size });
      }
      case 'restart': {
        const { status } = entry.record.state;
        if (status !== 'restarting')
          await commitRecord(room, entry, withState(entry.record, { status: 'restarting' }));
        return scheduleRestart(room, entry, status === 'restarting' ? backoffLeft(entry.record) : 0);
      }
    }
  });
}

/** The daemon may have died between freezing or thawing and the record of it: the record holds. */
async function restoreFreezer(room: Room, record: ContainerRecord, task: Task): Promise<void> {
  try {
    if (record.state.status === 'paused') await task.pause();
    else await task.resume();
  } catch (error) {
    room.log.warn('freezer not restored', { container: record.id, error });
  }
}

const backoffLeft = ({ restartBackoffMs, state }: ContainerRecord): number =>
  remainingBackoff(restartBackoffMs ?? 0, state.finishedAt, Date.now());

async function undoStart(
  room: Room,
  ctx: Ctx,
  record: ContainerRecord,
  task: Task | undefined,
): Promise<void> {
  const entry = room.table.get(record.id);
  if (entry === undefined) return;
  if (task !== undefined) {
    await task.signal(9);
    await task.exit;
  }
  await takeDown(room, ctx, record, task);
  await commitRecord(room, entry, {
    ...withState(record, {
      status: record.state.startedAt === never ? 'created' : 'exited',
      error: 'the engine was killed while it started this container',
    }),
    endpoints: room.networks.cleared(record.endpoints),
    ports: [],
  });
}

async function removeOrphan(
  room: Room,
  ctx: Ctx,
  what: 'task' | 'snapshot' | 'directory',
  id: string,
): Promise<void> {
  if (what === 'snapshot') return await room.snapshots.removeSnapshot(id);
  if (what === 'directory') {
    removeNetworkFiles(room, id);
    return await room.discard(containerDirectory(room.options, id));
  }
  const cgroupPaths = room.specs.cgroupPaths({ id, hostConfig: {} } as ContainerRecord);
  const bundle = bundleDirectory(room.options, id);
  const runtime = room.options.defaultRuntime;
  const found = await room.runtime.recover(ctx, {
    containerId: id,
    bundle,
    exitPath: exitPath(room.options, id),
    terminal: false,
    cgroupPaths,
    runtime,
  });
  if (found.state === 'running') {
    await found.task.signal(9);
    await found.task.exit;
    found.task.release();
  }
  await room.runtime.cleanup(ctx, { containerId: id, bundle, cgroupPaths, runtime });
}
