/** What passes between the main thread and the kernel worker: one message in, one out. */

import type { MountRequest } from '../core/ports/host.ts';
import type { KernelFault } from './ffi/kernel-error.ts';
import type { NetworkCalls } from './network/requests.ts';

/** The network calls, and the mounts that need a working directory. */
export interface WorkerCalls extends NetworkCalls {
  mountInDirectory(request: MountRequest): void;
}

export type WorkerCall = keyof WorkerCalls;

export interface WorkerRequest {
  readonly id: number;
  readonly call: WorkerCall;
  readonly input: readonly unknown[];
}

export type WorkerReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly fault: KernelFault };
