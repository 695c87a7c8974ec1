/** One storage worker thread and the jobs that run on it. */

import type { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { internal, unavailable } from '../../core/errors.ts';
import { errorOf } from '../../core/fault.ts';
import { Feed } from './feed.ts';
import type { FromWorker, JobKind, Jobs, ToWorker } from './protocol.ts';
import { releaseMemory } from './release-memory.ts';

export interface Job {
  readonly id: number;
  readonly kind: JobKind;
  readonly input: Jobs[JobKind]['input'];
  readonly signal: AbortSignal;
  readonly source: Readable | undefined;
  /** Takes a chunk of output; calls `taken` when there is room for more. */
  readonly onChunk: ((data: Uint8Array, taken: () => void) => void) | undefined;
  readonly resolve: (result: Jobs[JobKind]['result']) => void;
  readonly reject: (error: Error) => void;
}

export interface ThreadOptions {
  readonly attributesUrl: URL;
  /** Whether others come first where processors are scarce. */
  readonly givesWay: boolean;
  readonly onThreadEnd?: () => void;
}

export class Thread {
  readonly #worker: Worker;
  readonly #running = new Map<
    number,
    { readonly job: Job; readonly feed: Feed; readonly settle: () => void }
  >();
  readonly #onFree: () => void;
  readonly #onEnd: () => void;
  #idle: NodeJS.Timeout | undefined;
  #gone = false;

  /** `onFree` is called after each job, and when the thread has ended. */
  constructor(url: URL, options: ThreadOptions, onFree: () => void) {
    this.#onEnd = options.onThreadEnd ?? ((): void => {});
    this.#onFree = onFree;
    this.#worker = new Worker(url, {
      // A descriptor that is opened by number and closed by a socket stays on Node's list of this thread, and would be closed once
      // more at its end, when the number belongs to somebody else.
      trackUnmanagedFds: false,
      workerData: { attributesUrl: options.attributesUrl.href, givesWay: options.givesWay },
      name: 'storage',
      resourceLimits: { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: 512 },
    });
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('error', (error) => this.#end(internal(`storage worker: ${String(error)}`, error)));
    this.#worker.on('exit', () => this.#end(unavailable('storage worker ended')));
  }

  get gone(): boolean {
    return this.#gone;
  }

  get load(): number {
    return this.#running.size;
  }

  start(job: Job): void {
    clearTimeout(this.#idle);
    this.#worker.ref();
    const feed = new Feed();
    const cancel = (): void => {
      this.#send({ job: job.id, op: 'cancel' });
      feed.stop();
      job.source?.destroy();
    };
    job.signal.addEventListener('abort', cancel, { once: true });
    const settle = (): void => {
      job.signal.removeEventListener('abort', cancel);
      feed.stop();
      this.#running.delete(job.id);
    };
    this.#running.set(job.id, { job, feed, settle });
    this.#send({ job: job.id, op: 'start', kind: job.kind, input: job.input });
    if (job.source !== undefined) this.#feed(job, feed, job.source);
    if (job.signal.aborted) cancel();
  }

  async terminate(): Promise<void> {
    this.#gone = true;
    await this.#worker.terminate();
  }

  /** Ends the thread after a while without work. */
  retire(afterMs: number): void {
    if (this.#running.size > 0 || this.#gone) return;
    this.#worker.unref();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#running.size === 0) void this.terminate().then(releaseMemory).then(this.#onEnd);
    }, afterMs).unref();
  }

  #send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (!this.#gone) this.#worker.postMessage(message, transfer);
  }

  #feed(job: Job, feed: Feed, source: Readable): void {
    feed
      .pump(source, (copy) => this.#send({ job: job.id, op: 'chunk', data: copy }, [copy.buffer]))
      .then(
        () => this.#send({ job: job.id, op: 'end' }),
        (error: unknown) => {
          const running = this.#running.get(job.id);
          if (running === undefined) return;
          // The source failed, not the job: its error is what the caller wants, once the job has cleaned up.
          const failure = error instanceof Error ? error : new Error(String(error));
          this.#running.set(job.id, {
            ...running,
            job: {
              ...job,
              reject: () => job.reject(job.signal.aborted ? unavailable('context canceled') : failure),
            },
          });
          this.#send({ job: job.id, op: 'cancel' });
        },
      );
  }

  #receive(message: FromWorker): void {
    const running = this.#running.get(message.job);
    if (running === undefined) return;
    const { job, feed, settle } = running;
    if (message.op === 'taken') feed.taken(message.bytes, message.block);
    else if (message.op === 'chunk') {
      const bytes = message.data.byteLength;
      const taken = (): void => this.#send({ job: job.id, op: 'taken', bytes });
      if (job.onChunk === undefined) taken();
      else job.onChunk(message.data, taken);
    } else {
      settle();
      if (message.op === 'done') job.resolve(message.result);
      else job.reject(errorOf(message.fault));
      this.#onFree();
    }
  }

  #end(error: Error): void {
    this.#gone = true;
    for (const { job, settle } of this.#running.values()) {
      settle();
      job.reject(error);
    }
    this.#onFree();
  }
}
