import type { ExecTask } from '../../core/ports/runtime.ts';
import type { ExecCreateInput } from './types.ts';

/** One exec from its creation until a while after its end. */
export interface ExecSession {
  readonly id: string;
  readonly containerId: string;
  readonly input: ExecCreateInput;
  started: boolean;
  running: boolean;
  exitCode: number | undefined;
  pid: number;
  task: ExecTask | undefined;
  /** Settles when the end is in this session; there once it runs. */
  exit: Promise<unknown> | undefined;
  /** The client has seen the end of the output. */
  outputEnded: boolean;
  /** The size given before the process was there. */
  size: readonly [number, number] | undefined;
  /** Takes an ended session out of memory. */
  forget: NodeJS.Timeout | undefined;
}

export function newExecSession(id: string, containerId: string, input: ExecCreateInput): ExecSession {
  return {
    id,
    containerId,
    input,
    started: false,
    running: false,
    exitCode: undefined,
    pid: 0,
    task: undefined,
    exit: undefined,
    outputEnded: false,
    size: undefined,
    forget: undefined,
  };
}
