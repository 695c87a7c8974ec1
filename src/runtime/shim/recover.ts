import type { Ctx } from '../../core/ctx.ts';
import type { Runtime, TaskExit } from '../../core/ports/runtime.ts';
import { openConnection } from './connection.ts';
import { ShimControl } from './control.ts';
import type { ShimDeps } from './deps.ts';
import { role } from './protocol.ts';
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

/**
 * What became of a container while no daemon was there. A shim that is still starting its container is waited for. A container whose
 * start failed meanwhile is `gone`.
 */
export async function recoverTask(deps: ShimDeps, _ctx: Ctx, input: TaskInput): Promise<Recovered> {
  const connection = await openConnection(deps.paths.socket(input.containerId), role.control, 0).catch(
    () => undefined,
  );
  if (connection) {
    const control = new ShimControl(connection);
    const outcome = await control.started;
    if (outcome.kind === 'started' && outcome.state.phase === 'running') {
      const shimPid = readShimRecord(input.bundle)?.shimPid ?? 0;
      return {
        state: 'running',
        task: createTask(deps, input, control, outcome.state, { shimPid, attachments: [] }),
      };
    }
    if (outcome.kind === 'started') {
      // Its record is on disk and stays there until the next start; the shim may go.
      control.release();
      return { state: 'exited', exit: exitOf(outcome.state) };
    }
    control.close();
  }
  const exit = fromFiles(deps, input);
  return exit ? { state: 'exited', exit } : { state: 'gone' };
}
