/**
 * What a daemon that just started must do about its containers. Pure: records and observations in, actions out, so that a
 * dry run can show them and tables can test them.
 */

import { isActive, never, type ContainerRecord } from '../../core/model/container.ts';
import type { TaskExit } from '../../core/ports/runtime.ts';
import { imageSnapshots } from './image-mounts.ts';

export type ObservedTask =
  | { readonly state: 'running' }
  | { readonly state: 'exited'; readonly exit: TaskExit }
  | { readonly state: 'gone' };

export interface Observed {
  /** What the runtime found of each container whose record says that a process may be there. */
  readonly tasks: ReadonlyMap<string, ObservedTask>;
  /** Ids of which the runtime has anything: shim, bundle, state. */
  readonly runtimeIds: readonly string[];
  /** Keys of writable snapshots on disk. */
  readonly snapshots: readonly string[];
  /** Ids of directories below `containers/`, and of those with files of their network. */
  readonly directories: readonly string[];
  /** Ids of cgroups of this instance. */
  readonly cgroups: readonly string[];
  /** Keys of the writable snapshots that are mounted. */
  readonly mounted: readonly string[];
  /** Nanoseconds since the epoch, for exits without a trace. */
  readonly now: bigint;
}

export type Action =
  /** Goes on as it is: streams, exit, health are taken up again. */
  | { readonly do: 'adopt'; readonly id: string }
  /** It ended while no daemon was there. */
  | { readonly do: 'exit'; readonly id: string; readonly exit: TaskExit }
  /** The daemon died in the middle of a start: taken back. */
  | { readonly do: 'undoStart'; readonly id: string; readonly running: boolean }
  /** The daemon died in the middle of a removal, or before the `--rm` of one that had ended. */
  | { readonly do: 'finishRemoval'; readonly id: string }
  /** The daemon died between record and snapshot of a create. */
  | { readonly do: 'prepareSnapshot'; readonly id: string }
  /** The daemon died after it had committed an exit and before it had cleared up. */
  | { readonly do: 'tidy'; readonly id: string }
  | { readonly do: 'restart'; readonly id: string }
  | { readonly do: 'removeOrphan'; readonly what: 'task' | 'snapshot' | 'directory'; readonly id: string };

/** How a container ended of which nothing is left, as after a power cut. */
export const lostExitCode = 255;

function exitOf(record: ContainerRecord, task: ObservedTask | undefined, now: bigint): TaskExit | undefined {
  if (!isActive(record.state)) return undefined;
  if (task?.state === 'running') return undefined;
  if (task?.state === 'exited') return task.exit;
  return { exitCode: lostExitCode, exitedAtNano: now, oomKilled: false };
}

const byTime = (a: { exit: TaskExit }, b: { exit: TaskExit }): number =>
  a.exit.exitedAtNano < b.exit.exitedAtNano ? -1 : a.exit.exitedAtNano > b.exit.exitedAtNano ? 1 : 0;

/** `always` starts at every start of the daemon, even what a person had stopped; `unless-stopped` not that; as Docker. */
function restartsAtBoot(record: ContainerRecord): boolean {
  if (record.state.startedAt === never) return false;
  const policy = record.hostConfig.RestartPolicy?.Name ?? '';
  return policy === 'always' || (policy === 'unless-stopped' && !record.manuallyStopped);
}

/** What does not run has neither bundle nor cgroup nor mount. */
function tidy(record: ContainerRecord, observed: Observed): readonly Action[] {
  const { id, snapshotKey } = record;
  const leftOver =
    observed.runtimeIds.includes(id) ||
    observed.cgroups.includes(id) ||
    [snapshotKey, ...imageSnapshots(record)].some((key) => observed.mounted.includes(key));
  return leftOver ? [{ do: 'tidy', id }] : [];
}

function planRecord(record: ContainerRecord, observed: Observed): readonly Action[] {
  const { id } = record;
  const task = observed.tasks.get(id);
  switch (record.state.status) {
    case 'running':
    case 'paused':
      // Exits are added by the caller, in time order.
      return task?.state === 'running' ? [{ do: 'adopt', id }] : [];
    case 'starting': {
      const undo: Action = { do: 'undoStart', id, running: task?.state === 'running' };
      return restartsAtBoot(record) ? [undo, { do: 'restart', id }] : [undo];
    }
    case 'removing':
    case 'dead':
      return [{ do: 'finishRemoval', id }];
    case 'restarting':
      return [...tidy(record, observed), { do: 'restart', id }];
    case 'exited':
      if (record.hostConfig.AutoRemove === true) return [{ do: 'finishRemoval', id }];
      return restartsAtBoot(record)
        ? [...tidy(record, observed), { do: 'restart', id }]
        : tidy(record, observed);
    case 'created':
      return observed.snapshots.includes(record.snapshotKey)
        ? tidy(record, observed)
        : [{ do: 'prepareSnapshot', id }];
  }
}

function orphans(records: readonly ContainerRecord[], observed: Observed): readonly Action[] {
  const known = new Set(records.map((record) => record.id));
  const keys = new Set(records.flatMap((record) => [record.snapshotKey, ...imageSnapshots(record)]));
  const tasks = new Set([...observed.runtimeIds, ...observed.cgroups]);
  const orphan = (
    what: 'task' | 'snapshot' | 'directory',
    ids: Iterable<string>,
    held: ReadonlySet<string>,
  ): Action[] => [...ids].filter((id) => !held.has(id)).map((id) => ({ do: 'removeOrphan', what, id }));
  return [
    ...orphan('task', tasks, known),
    ...orphan('snapshot', observed.snapshots, keys),
    ...orphan('directory', observed.directories, known),
  ];
}

const rank: Readonly<Record<Action['do'], number>> = {
  adopt: 0,
  exit: 1,
  undoStart: 2,
  finishRemoval: 3,
  prepareSnapshot: 4,
  tidy: 5,
  removeOrphan: 6,
  restart: 7,
};

/** Everything to do, in the order to do it: what lives first, then exits as they happened, then cleaning, restarts last. */
export function planReconcile(records: readonly ContainerRecord[], observed: Observed): readonly Action[] {
  const exits = records
    .flatMap((record) => {
      const exit = exitOf(record, observed.tasks.get(record.id), observed.now);
      return exit === undefined ? [] : [{ do: 'exit' as const, id: record.id, exit }];
    })
    .toSorted(byTime);
  const actions: Action[] = [
    ...exits,
    ...records.flatMap((record) => planRecord(record, observed)),
    ...orphans(records, observed),
  ];
  return actions.toSorted((a, b) => rank[a.do] - rank[b.do]);
}
