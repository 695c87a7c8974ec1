/**
 * The main thread's end of the kernel worker. Requests go one by one into the worker's queue; when the worker dies the
 * pending ones are rejected and the next request starts a fresh one. An idle worker does not keep the process alive.
 */

import { Worker } from 'node:worker_threads';
import { unavailable } from '../core/errors.ts';
import { fromFault } from './ffi/kernel-error.ts';
import type { WorkerCall, WorkerCalls, WorkerReply, WorkerRequest } from './worker-protocol.ts';

export interface Lane {
  call<K extends WorkerCall>(
    call: K,
    ...input: Parameters<WorkerCalls[K]>
  ): Promise<ReturnType<WorkerCalls[K]>>;
  /** Thread id of the present worker; undefined before the first call and after a death. For tests. */
  threadId(): number | undefined;
  /** Ends the worker as a crash would; for tests. */
  terminate(): Promise<void>;
  close(): Promise<void>;
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** A small young generation, because the worker keeps nothing between requests; room for one large dump of a set. */
const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 256, stackSizeMb: 1 };

export function createLane(workerUrl: URL): Lane {
  let worker: Worker | undefined;
  let closed = false;
  let lastId = 0;
  const pending = new Map<number, Pending>();

  const fail = (dead: Worker, reason: string): void => {
    if (worker !== dead) return;
    worker = undefined;
    const lost = [...pending.values()];
    pending.clear();
    for (const { reject } of lost) reject(unavailable(`the kernel worker ended: ${reason}`));
  };

  const start = (): Worker => {
    const fresh = new Worker(workerUrl, { resourceLimits, env: {}, name: 'kernel', execArgv: [] });
    fresh.on('message', (reply: WorkerReply) => {
      const entry = pending.get(reply.id);
      pending.delete(reply.id);
      if (pending.size === 0) fresh.unref();
      if ('fault' in reply) entry?.reject(fromFault(reply.fault));
      else entry?.resolve(reply.value as never);
    });
    fresh.on('error', (error) => fail(fresh, error instanceof Error ? error.message : String(error)));
    fresh.on('exit', (code) => fail(fresh, `exit code ${code}`));
    fresh.unref();
    return fresh;
  };

  return {
    call(call, ...input) {
      if (closed) return Promise.reject(unavailable('the host is closed'));
      worker ??= start();
      const request: WorkerRequest = { id: ++lastId, call, input };
      return new Promise((resolve, reject) => {
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker, not a window
        worker?.postMessage(request);
        pending.set(request.id, { resolve, reject });
        worker?.ref();
      });
    },
    threadId: () => worker?.threadId,
    async terminate() {
      await worker?.terminate();
    },
    async close() {
      closed = true;
      await worker?.terminate();
    },
  };
}
