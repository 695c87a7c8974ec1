/**
 * The kernel worker: a thread that visits network namespaces, one request after another, and by synchronous calls only.
 * Started by `lane.ts`. It has a file of its own because a thread is started by its file, also from the bundle.
 */

import { parentPort } from 'node:worker_threads';
import type { MountRequest } from '../core/ports/host.ts';
import { checked, kernelError, toFault } from './ffi/kernel-error.ts';
import { libc, readErrno } from './ffi/libc.ts';
import { describe } from './mount/mounts.ts';
import { planMount } from './mount/plan.ts';
import { LostNamespaceError } from './network/namespaces.ts';
import { networkCalls } from './network/requests.ts';
import { createNetworkThread } from './network/thread.ts';
import type { WorkerCalls, WorkerReply, WorkerRequest } from './worker-protocol.ts';

const CLONE_FS = 0x200;

/** A working directory belongs to a process; after unshare(CLONE_FS) this thread has its own. */
function ownDirectory(): void {
  checked(libc.unshare(CLONE_FS), 'unshare', 'working directory');
}

function mountInDirectory(request: MountRequest): void {
  checked(libc.chdir(request.cwd ?? '/'), 'chdir', request.cwd ?? '/');
  try {
    for (const call of planMount(request)) {
      const result = libc.mount(call.source, call.target, call.fstype, call.flags, call.data);
      if (result !== 0) throw kernelError('mount', readErrno(), describe(request));
    }
  } finally {
    // Staying would keep the filesystem of that directory busy.
    libc.chdir('/');
  }
}

function answer(calls: WorkerCalls, request: WorkerRequest): WorkerReply {
  const call = calls[request.call] as (...input: readonly unknown[]) => unknown;
  return { id: request.id, value: call(...request.input) };
}

function serve(port: NonNullable<typeof parentPort>): void {
  ownDirectory();
  const calls: WorkerCalls = { ...networkCalls(createNetworkThread()), mountInDirectory };
  port.on('message', (request: WorkerRequest) => {
    let reply: WorkerReply;
    try {
      reply = answer(calls, request);
    } catch (error) {
      // A thread in the wrong namespace must not take another request: it ends, and a fresh one takes its place.
      if (error instanceof LostNamespaceError) throw error;
      reply = { id: request.id, fault: toFault(error) };
    }
    port.postMessage(reply);
  });
}

if (parentPort !== null) serve(parentPort);
