import { conflict } from '../../core/errors.ts';
import type { Attachment, AttachOptions, Task, TaskExit } from '../../core/ports/runtime.ts';
import { ShimAttachment } from './attachment.ts';
import { checkpointTask } from './checkpoint.ts';
import { killProcess, releaseControl } from './cleanup.ts';
import { openConnection } from './connection.ts';
import type { ShimControl } from './control.ts';
import type { ShimDeps } from './deps.ts';
import { startExec } from './exec.ts';
import { setFrozen } from './freezer.ts';
import { frameType, role, streamBits, type ShimState } from './protocol.ts';
import { readExitRecord } from './records.ts';

export interface TaskInput {
  readonly containerId: string;
  readonly bundle: string;
  readonly exitPath: string;
  readonly runtime: string;
  readonly cgroupPaths: readonly string[];
}

export function exitOf(state: ShimState): TaskExit {
  return { exitCode: state.exitCode, exitedAtNano: state.exitedAtNano, oomKilled: state.oomKilled };
}

/** A container without a shim cannot be held: its output goes nowhere and its exit is lost. It is ended, as Docker does. */
export function endWithoutShim(deps: ShimDeps, input: TaskInput, pid: number, startTicks: string): TaskExit {
  const recorded = readExitRecord(input.exitPath);
  if (recorded) return recorded;
  deps.log.error('the shim of a running container died; the container was killed', {
    container: input.containerId,
    pid,
  });
  killProcess(deps, pid, startTicks);
  return { exitCode: 137, exitedAtNano: BigInt(Date.now()) * 1_000_000n, oomKilled: false };
}

function signalProcess(deps: ShimDeps, signal: number, pid: number, startTicks: string): void {
  const pidfd = deps.host.openPidfd(pid, startTicks);
  if (pidfd < 0) return;
  deps.host.signalPidfd(pidfd, signal);
  deps.host.closeFd(pidfd);
}

/** The task over an established control connection. */
export function createTask(
  deps: ShimDeps,
  input: TaskInput,
  control: ShimControl,
  state: ShimState,
  found: { readonly shimPid: number; readonly attachments: readonly Attachment[] },
): Task {
  const { pid, pidStartTicks } = state;
  const socketPath = deps.paths.socket(input.containerId);
  deps.controls.set(input.containerId, control);
  const execs = new Map<string, { pid: number; pidStartTicks: string }>();
  const exit = control.exited.then((ended) => {
    if (!ended) return endWithoutShim(deps, input, pid, pidStartTicks);
    if (ended.lostLogLines > 0n) {
      const fields = { container: input.containerId, lines: String(ended.lostLogLines) };
      deps.log.warn('the disk was full: lines of a log are missing', fields);
    }
    return exitOf(ended);
  });

  const attach = async (options: AttachOptions): Promise<Attachment> => {
    const connection = await openConnection(socketPath, role.attach, streamBits(options)).catch(
      (error: unknown) => {
        throw conflict(`container ${input.containerId} is not running`, error);
      },
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    const attachment = new ShimAttachment(connection, options, (frame) => {
      if (frame.type === frameType.attached) resolve();
    });
    connection.socket.once('close', () => resolve());
    // Until the shim has answered, output may pass by.
    await promise;
    return attachment;
  };

  return {
    pid,
    pidStartTicks,
    shimPid: found.shimPid,
    attachments: found.attachments,
    exit,
    attach,
    resize: async (rows, columns) => control.resize(0, rows, columns),
    exec: async (_ctx, spec) => {
      const started = await startExec({ ...input, socketPath, control, spec });
      const { task } = started;
      execs.set(spec.execId, { pid: task.pid, pidStartTicks: started.pidStartTicks });
      void task.exit.then(() => execs.delete(spec.execId));
      return task;
    },
    signal: async (signal, execId) => {
      const target = execId === undefined ? { pid, pidStartTicks } : execs.get(execId);
      if (target) signalProcess(deps, signal, target.pid, target.pidStartTicks);
    },
    checkpoint: (_ctx, images) => checkpointTask(deps, { ...input, pid }, images),
    pause: () => setFrozen(input.cgroupPaths, true),
    resume: () => setFrozen(input.cgroupPaths, false),
    release: () => releaseControl(deps, input.containerId, control),
  };
}
