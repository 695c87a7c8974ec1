import type { Ctx } from '../../core/ctx.ts';
import type { Runtime, Task, TaskExit } from '../../core/ports/runtime.ts';
import { isKind } from '../../core/errors.ts';
import { formerCheckpoint } from './checkpoint.ts';
import { killProcess } from './cleanup.ts';
import { openConnection } from './connection.ts';
import { ShimControl } from './control.ts';
import { shimPatienceMs, withDeadline } from './deadline.ts';
import type { ShimDeps } from './deps.ts';
import { role, type ShimState } from './protocol.ts';
import { readExitRecord, readShimRecord } from './records.ts';
import { createTask, endWithoutShim, exitOf, type TaskInput } from './task.ts';

type Recovered = Awaited<ReturnType<Runtime['recover']>>;

/** Without a shim: the record tells; a process that is still there has lost its shim and is ended. */
function fromFiles(deps: ShimDeps, input: TaskInput): TaskExit | undefined {
  const recorded = readExitRecord(input.exitPath);
  if (recorded) return recorded;
  const shim = readShimRecord(input.bundle);
  if (!shim) return undefined;
  return endWithoutShim(deps, input, shim.pid, shim.pidStartTicks);
}

/** A shim that does not answer cannot be served: it is ended, and its container with it. */
function endStuckShim(deps: ShimDeps, input: TaskInput, error: unknown): void {
  deps.log.error('a shim does not answer and is ended', { container: input.containerId, error });
  const shim = readShimRecord(input.bundle);
  if (shim) killProcess(deps, shim.shimPid, shim.shimStartTicks);
}

/** What the shim says, if there is one; undefined also when the start that it was at has failed. */
async function askShim(
  deps: ShimDeps,
  input: TaskInput,
): Promise<{ control: ShimControl; state: ShimState } | undefined> {
  const path = deps.paths.socket(input.containerId);
  let control: ShimControl | undefined;
  try {
    control = new ShimControl(await openConnection(path, role.control, 0));
    const outcome = await withDeadline(control.started, shimPatienceMs, `the shim at ${path}`);
    if (outcome.kind === 'started') return { control, state: outcome.state };
  } catch (error) {
    // A daemon that is older than its shims must not end what it does not understand.
    if (isKind(error, 'notImplemented')) throw error;
    if (isKind(error, 'unavailable')) endStuckShim(deps, input, error);
  }
  control?.close();
  return undefined;
}

/** Freezing and thawing wait until nobody else is at the freezer. */
function afterCheckpoint(task: Task, former: Promise<void>): Task {
  return {
    ...task,
    pause: async () => {
      await former;
      await task.pause();
    },
    resume: async () => {
      await former;
      await task.resume();
    },
  };
}

/**
 * What became of a container while no daemon was there. A shim that is still starting its container is waited for. A container whose
 * start failed meanwhile is `gone`.
 */
export async function recoverTask(deps: ShimDeps, _ctx: Ctx, input: TaskInput): Promise<Recovered> {
  const answer = await askShim(deps, input);
  if (answer) {
    const { control, state } = answer;
    if (state.phase === 'running') {
      const shimPid = readShimRecord(input.bundle)?.shimPid ?? 0;
      const task = createTask(deps, input, control, state, { shimPid, attachments: [] });
      return { state: 'running', task: afterCheckpoint(task, formerCheckpoint(deps, input.containerId)) };
    }
    // Its record is on disk and stays there until the next start; the shim may go.
    control.release();
    return { state: 'exited', exit: exitOf(state) };
  }
  const exit = fromFiles(deps, input);
  return exit ? { state: 'exited', exit } : { state: 'gone' };
}
