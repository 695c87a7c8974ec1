/**
 * The containers room: everything that a person does to containers, and what becomes of them over time (exits, restarts,
 * health, reconciling after the daemon's own restart). Called by the API's routes and by the composition root.
 */

import { backgroundCtx, type Ctx } from '../../core/ctx.ts';
import { KeyedQueue } from '../../core/keyed-queue.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { ContainerDirectory, RestoredContainer } from '../networks/index.ts';
import { attachContainer } from './attach.ts';
import { containerChanges } from './changes.ts';
import { createCheckpoint, listCheckpoints, removeCheckpoint, sweepCheckpoints } from './checkpoints.ts';
import { commitImage } from './commit-image.ts';
import { removeStaleViews } from './archive-root.ts';
import { exportContainer, getArchive, putArchive, statPath } from './archive.ts';
import { createContainer } from './create.ts';
import type { ContainerDeps, Room } from './deps.ts';
import { createDirectory } from './directory.ts';
import { execCreate, execInspect, execResize, execStart } from './exec.ts';
import { inspectContainer } from './inspect.ts';
import { listContainers } from './list.ts';
import { containerLogs } from './logs.ts';
import { tendStopped } from './log-tending.ts';
import { pauseContainer, resizeContainer, unpauseContainer } from './pause.ts';
import { pruneContainers } from './prune.ts';
import { loadContainers, observe, planRepair, reconcile } from './reconcile.ts';
import type { Action } from './reconcile-plan.ts';
import { removeContainer } from './remove.ts';
import { renameContainer } from './rename.ts';
import { startContainer, startInQueue } from './start.ts';
import { containerStats } from './stats.ts';
import { endUnhealthy, killContainer, restartContainer, stopContainer } from './stop.ts';
import { ContainerTable } from './table.ts';
import { topContainer } from './top.ts';
import type { ContainerService } from './types.ts';
import { updateContainer } from './update.ts';
import { waitContainer } from './wait.ts';
import { whileThere } from './while-there.ts';

export type * from './types.ts';
export type { ContainerDeps, ContainerHost, ContainerOptions } from './deps.ts';
export type { Action as ReconcileAction } from './reconcile-plan.ts';

/** For the composition root: what happens around the service's life. */
export interface ContainersLifecycle {
  /** Reads the records. Before anything else. */
  load(): Promise<void>;
  /**
   * Finds what still runs and reconciles the rest. `restoreNetworks` is called in between, with what runs, because exits
   * and restarts need networks that work.
   */
  restore(
    ctx: Ctx,
    restoreNetworks: (running: readonly RestoredContainer[]) => Promise<void>,
  ): Promise<readonly Action[]>;
  /** Finds and clears up what should not be there while the engine serves; with `dryRun` only says what. */
  repair(ctx: Ctx, options: { readonly dryRun: boolean }): Promise<readonly Action[]>;
  /** Ends timers and health checks; containers are not touched. */
  close(): void;
  readonly directory: ContainerDirectory;
}

/** A container runs in the engine's eyes when it may come back by itself, too. */
const counts = (records: readonly ContainerRecord[]): ReturnType<ContainerService['counts']> => {
  const running = records.filter(
    ({ state }) => state.status === 'running' || state.status === 'restarting',
  ).length;
  const paused = records.filter(({ state }) => state.status === 'paused').length;
  return { running, paused, stopped: records.length - running - paused };
};

function service(room: Room): ContainerService {
  const records = (): readonly ContainerRecord[] => [...room.table.entries()].map((entry) => entry.record);
  return {
    create: (ctx, input) => createContainer(room, ctx, input),
    start: (ctx, ref, from) => startContainer(room, ctx, ref, from),
    stop: (ctx, ref, input) => stopContainer(room, ctx, ref, input),
    kill: (ctx, ref, signal) => killContainer(room, ctx, ref, signal),
    restart: (ctx, ref, input) => restartContainer(room, ctx, ref, input),
    pause: (ctx, ref) => pauseContainer(room, ctx, ref),
    unpause: (ctx, ref) => unpauseContainer(room, ctx, ref),
    remove: (ctx, ref, input) => removeContainer(room, ctx, ref, input),
    rename: (ctx, ref, name) => renameContainer(room, ctx, ref, name),
    resize: (ctx, ref, rows, columns) => resizeContainer(room, ctx, ref, rows, columns),
    attach: (ctx, ref, input) => attachContainer(room, ctx, ref, input),
    wait: (ctx, ref, condition) => waitContainer(room, ctx, ref, condition),
    logs: (ctx, ref, input) => containerLogs(room, ctx, ref, input),
    list: (ctx, input) => listContainers(room, ctx, input),
    inspect: (ctx, ref, input) => whileThere(room, ref, () => inspectContainer(room, ctx, ref, input)),
    top: (ctx, ref, args) => whileThere(room, ref, () => topContainer(room, ctx, ref, args)),
    stats: (ctx, ref, input) => containerStats(room, ctx, ref, input),
    update: (ctx, ref, input) => updateContainer(room, ctx, ref, input),
    changes: (ctx, ref) => whileThere(room, ref, () => containerChanges(room, ctx, ref)),
    export: (ctx, ref) => whileThere(room, ref, () => exportContainer(room, ctx, ref)),
    statPath: (ctx, ref, path) => whileThere(room, ref, () => statPath(room, ctx, ref, path)),
    getArchive: (ctx, ref, path) => whileThere(room, ref, () => getArchive(room, ctx, ref, path)),
    putArchive: (ctx, ref, input) => whileThere(room, ref, () => putArchive(room, ctx, ref, input)),
    createCheckpoint: (ctx, ref, input) => createCheckpoint(room, ctx, ref, input),
    listCheckpoints: (ctx, ref, directory) => listCheckpoints(room, ctx, ref, directory),
    removeCheckpoint: (ctx, ref, place) => removeCheckpoint(room, ctx, ref, place),
    prune: (ctx, filters) => pruneContainers(room, ctx, filters),
    commit: (ctx, ref, input) => whileThere(room, ref, () => commitImage(room, ctx, ref, input)),
    execCreate: (ctx, ref, input) => execCreate(room, ctx, ref, input),
    execStart: (ctx, id, input) => execStart(room, ctx, id, input),
    execInspect: (_ctx, id) => execInspect(room, id),
    execResize: (_ctx, id, rows, columns) => execResize(room, id, rows, columns),
    connectNetwork: (ctx, network, ref, endpoint) => room.networks.connect(ctx, network, ref, endpoint),
    disconnectNetwork: (ctx, network, ref, force) => room.networks.disconnect(ctx, network, ref, force),
    records,
    resolve: (ref) => room.table.resolve(ref).record,
    counts: () => counts(records()),
  };
}

export function createContainers(deps: ContainerDeps): {
  readonly service: ContainerService;
  readonly lifecycle: ContainersLifecycle;
} {
  const room: Room = {
    ...deps,
    table: new ContainerTable(),
    queue: new KeyedQueue(),
    startAgain: (entry) =>
      startInQueue(room, backgroundCtx(deps.log), entry, {
        restartCount: entry.record.restartCount,
        backoffMs: entry.record.restartBackoffMs ?? 0,
      }),
    endUnhealthy: (entry) => endUnhealthy(room, entry),
  };
  const directory = createDirectory(room);
  const running = (): readonly RestoredContainer[] =>
    [...room.table.entries()]
      .filter((entry) => isActive(entry.record.state))
      .map(({ record }) => ({ record, namespace: directory.namespace(record) }));
  return {
    service: service(room),
    lifecycle: {
      directory,
      load: () => loadContainers(room),
      restore: async (ctx, restoreNetworks) => {
        await removeStaleViews(room);
        const observation = await observe(room, ctx);
        const alive = running().filter(({ record }) => observation.tasks.has(record.id));
        await restoreNetworks(alive);
        const actions = await reconcile(room, ctx, observation);
        tendStopped(room);
        sweepCheckpoints(room).catch((error: unknown) =>
          room.log.warn('unfinished checkpoints are not removed', { error }),
        );
        return actions;
      },
      repair: async (ctx, { dryRun }) => {
        const { actions, observation } = await planRepair(room, ctx);
        return dryRun ? actions : await reconcile(room, ctx, observation, actions);
      },
      close: () => {
        for (const entry of room.table.entries()) {
          entry.health?.stop();
          entry.tending?.stop();
          if (entry.restartTimer !== undefined) clearTimeout(entry.restartTimer);
        }
      },
    },
  };
}
