import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, unavailable, writingTo } from '../../core/errors.ts';
import type { Attachment, ExecSpec, ExecTask } from '../../core/ports/runtime.ts';
import { ShimAttachment } from './attachment.ts';
import { openConnection } from './connection.ts';
import { withConsoleSize } from './console-size.ts';
import type { ShimControl } from './control.ts';
import { runtimeError } from './failure.ts';
import {
  decodeExecStarted,
  decodeFailure,
  encodeExec,
  execFlag,
  frameType,
  role,
  streamBits,
  type Frame,
} from './protocol.ts';

const nothing = { stdin: false, stdout: false, stderr: false } as const;

export interface ExecInput {
  readonly containerId: string;
  readonly bundle: string;
  readonly socketPath: string;
  readonly runtime: string;
  readonly control: ShimControl;
  readonly spec: ExecSpec;
}

/** An exec'd process and what names it to signals. */
export interface StartedExec {
  readonly task: ExecTask;
  readonly pidStartTicks: string;
}

function firstArgument(process: unknown): string {
  const args = (process as { args?: unknown } | undefined)?.args;
  return Array.isArray(args) ? String(args[0] ?? '') : '';
}

/** Resolves with EXEC_STARTED or EXEC_FAILED, undefined when the shim went away before either. */
function outcomeOf(connection: Awaited<ReturnType<typeof openConnection>>, spec: ExecSpec) {
  const { promise, resolve } = Promise.withResolvers<Frame | undefined>();
  const attachment = new ShimAttachment(connection, spec.attach ?? nothing, (frame) => {
    if (frame.type === frameType.execStarted || frame.type === frameType.execFailed) resolve(frame);
  });
  connection.socket.once('close', () => resolve(undefined));
  return { attachment, outcome: promise };
}

/** One connection is one exec: it asks, hears what came of it, and carries the streams. */
export async function startExec(input: ExecInput): Promise<StartedExec> {
  const { spec } = input;
  const document = join(input.bundle, `exec-${spec.execId}.json`);
  const streams = spec.attach ? streamBits(spec.attach) : 0;
  const connection = await openConnection(input.socketPath, role.exec, streams).catch((error: unknown) => {
    throw conflict(`container ${input.containerId} is not running`, error);
  });
  const { attachment, outcome } = outcomeOf(connection, spec);
  const flags = (spec.terminal ? execFlag.terminal : 0) | (spec.openStdin ? execFlag.stdin : 0);
  const [rows, columns] = spec.consoleSize ?? [0, 0];
  let frame: Frame | undefined;
  try {
    const process = withConsoleSize(spec.process, spec.terminal ? spec.consoleSize : undefined);
    writingTo(document, () => writeFileSync(document, JSON.stringify(process), { mode: 0o600 }));
    connection.send(encodeExec(flags, rows, columns, document));
    frame = await outcome;
  } finally {
    rmSync(document, { force: true });
  }
  if (frame?.type === frameType.execFailed) {
    attachment.detach();
    const failure = decodeFailure(frame.payload);
    throw runtimeError({
      verb: 'exec',
      runtime: input.runtime,
      command: firstArgument(spec.process),
      ...failure,
    });
  }
  if (frame?.type !== frameType.execStarted) {
    attachment.detach();
    throw unavailable(`the shim of container ${input.containerId} ended while it started a process`);
  }
  const { session } = frame;
  const started = decodeExecStarted(frame.payload);
  return { task: execTask(input, session, started.pid, attachment), pidStartTicks: started.pidStartTicks };
}

function execTask(input: ExecInput, session: number, pid: number, attachment: Attachment): ExecTask {
  // When the whole container ended, the kernel killed what ran in it, and the shim may be gone before it could say so.
  const killed = input.control.exited.then(() => 137);
  return {
    pid,
    attachment: input.spec.attach ? attachment : undefined,
    exit: Promise.race([input.control.execExit(session), killed]).then((exitCode) => ({ exitCode })),
    resize: async (rows, columns) => input.control.resize(session, rows, columns),
  };
}
