/** Hands jobs to storage worker threads. Threads start when there is work and end when there has been none for a while. */

import { Readable } from 'node:stream';
import type { Ctx } from '../../core/ctx.ts';
import { unavailable } from '../../core/errors.ts';
import type { JobKind, Jobs } from './protocol.ts';
import { Thread, type Job } from './thread.ts';

export interface StorageWorkersOptions {
  /** The module that gives `createFileAttributes` (src/host/file-attributes.ts, or its bundle). */
  readonly attributesUrl: URL;
  /** Where the worker's code is, when it does not lie beside this file. */
  readonly workerUrl?: URL;
  /** Threads for jobs that keep one busy. */
  readonly threads?: number;
  /** Threads that unpack layers. Some of them may wait for layers that come in slowly. */
  readonly unpackThreads?: number;
  /** Called when a thread has ended and its memory is free: the place to give it back to the system. */
  readonly onThreadEnd?: () => void;
  /** Milliseconds without work after which a thread ends. */
  readonly idleMs?: number;
}

/**
 * `unpack` and `busy` jobs have a thread of their own while they run, and a container that waits for a copy does not wait
 * for a pull; `shared` ones only move bytes; `slow` ones give way to all.
 */
type LaneName = 'unpack' | 'busy' | 'shared' | 'slow';
const lanes: Readonly<Record<JobKind, LaneName>> = {
  ingest: 'shared',
  verify: 'shared',
  unpack: 'unpack',
  stage: 'unpack',
  record: 'busy',
  remake: 'busy',
  pack: 'busy',
  changes: 'busy',
  flatten: 'busy',
  compare: 'busy',
  packChanges: 'busy',
  explore: 'busy',
  usage: 'busy',
  copy: 'busy',
  empty: 'slow',
};

interface Lane {
  readonly most: number;
  /** Jobs that one thread runs side by side. */
  readonly width: number;
  /** As `ThreadOptions` has it. */
  readonly givesWay: boolean;
  threads: Thread[];
  readonly queue: Job[];
}

export class StorageWorkers {
  readonly #options: StorageWorkersOptions;
  readonly #url: URL;
  readonly #lanes: Readonly<Record<LaneName, Lane>>;
  #next = 1;
  #closed = false;

  constructor(options: StorageWorkersOptions) {
    this.#options = options;
    this.#url = options.workerUrl ?? new URL('./storage-worker.ts', import.meta.url);
    this.#lanes = {
      unpack: { most: options.unpackThreads ?? 2, width: 1, givesWay: true, threads: [], queue: [] },
      busy: { most: options.threads ?? 2, width: 1, givesWay: false, threads: [], queue: [] },
      shared: { most: 1, width: Number.POSITIVE_INFINITY, givesWay: true, threads: [], queue: [] },
      slow: { most: 1, width: 1, givesWay: true, threads: [], queue: [] },
    };
  }

  /**
   * Runs a job to its end, feeding it `source` where it takes an input stream. Cancelling the context ends it; the
   * promise settles only when the worker has let go of everything.
   */
  run<K extends JobKind>(
    ctx: Ctx,
    kind: K,
    input: Jobs[K]['input'],
    source?: Readable,
  ): Promise<Jobs[K]['result']> {
    return this.#submit(ctx.signal, kind, input, source, undefined);
  }

  /** Runs a job whose output is a stream. The stream fails when the job fails; destroying it cancels the job. */
  stream<K extends JobKind>(ctx: Ctx, kind: K, input: Jobs[K]['input']): Readable {
    const stop = new AbortController();
    const waiting: (() => void)[] = [];
    const out = new Readable({
      highWaterMark: 1 << 20,
      read: () => {
        for (const taken of waiting.splice(0)) taken();
      },
      destroy: (error, done) => {
        stop.abort();
        done(error);
      },
    });
    const onChunk = (data: Uint8Array, taken: () => void): void => {
      if (out.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength))) taken();
      else waiting.push(taken);
    };
    this.#submit(AbortSignal.any([ctx.signal, stop.signal]), kind, input, undefined, onChunk).then(
      () => out.push(null),
      (error: unknown) => out.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    return out;
  }

  /** Ends all threads; jobs under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = Object.values(this.#lanes);
    for (const job of all.flatMap((lane) => lane.queue.splice(0)))
      job.reject(unavailable('storage is closed'));
    await Promise.all(all.flatMap((lane) => lane.threads).map((thread) => thread.terminate()));
  }

  #submit<K extends JobKind>(
    signal: AbortSignal,
    kind: K,
    input: Jobs[K]['input'],
    source: Readable | undefined,
    onChunk: Job['onChunk'],
  ): Promise<Jobs[K]['result']> {
    if (this.#closed) return Promise.reject(unavailable('storage is closed'));
    const lane = this.#lanes[lanes[kind]];
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      lane.queue.push({
        id,
        kind,
        input,
        signal,
        source,
        onChunk,
        resolve,
        reject,
      });
      this.#dispatch(lane);
    });
  }

  #dispatch(lane: Lane): void {
    lane.threads = lane.threads.filter((thread) => !thread.gone);
    while (lane.queue.length > 0) {
      const thread = lane.threads.find((each) => each.load < lane.width) ?? this.#grow(lane);
      const job = thread === undefined ? undefined : lane.queue.shift();
      if (thread === undefined || job === undefined) break;
      thread.start(job);
    }
    for (const thread of lane.threads) thread.retire(this.#options.idleMs ?? 5000);
  }

  #grow(lane: Lane): Thread | undefined {
    if (this.#closed || lane.threads.length >= lane.most) return undefined;
    const thread = new Thread(this.#url, { ...this.#options, givesWay: lane.givesWay }, () =>
      this.#dispatch(lane),
    );
    lane.threads.push(thread);
    return thread;
  }
}
