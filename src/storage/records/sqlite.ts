/**
 * Durable records in one SQLite file, written by a worker thread: on the main loop a commit would wait for the disk
 * beside every other writer. Serialising happens here, so that a commit carries the records as they were when handed in.
 */

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { internal, unavailable } from '../../core/errors.ts';
import type { RecordChange, RecordStore } from '../../core/ports/record-store.ts';
import type { StoredChange } from './database.ts';
import { journalOf, stowedOf } from './journal.ts';
import type { Answer, Request } from './protocol.ts';
import { schema, versionOf } from './schema.ts';

export interface SqliteRecordsOptions {
  /** Absolute path of the database file; its directory exists. */
  readonly path: string;
  /** Where the worker's code is, when it does not lie beside this file. */
  readonly workerUrl?: URL;
  /** Makes an empty file whose bytes are written over in place, where the filesystem does not do so by itself. */
  readonly makeInPlaceFile?: (path: string) => void;
}

type RequestBody = { [O in Request['op']]: Omit<Extract<Request, { op: O }>, 'call'> }[Request['op']];
type Result = Extract<Answer, { call: number }>;

interface Call {
  resolve(answer: Extract<Result, { rows?: unknown }>): void;
  reject(error: Error): void;
}

function toStored(change: RecordChange): StoredChange {
  if (change.op === 'delete') return change;
  const { op, kind, id } = change;
  return { op, kind, id, version: versionOf(schema, kind), json: JSON.stringify(change.record) };
}

/** Requests to the worker and their answers; the thread keeps the process alive only while a call is open. */
class WorkerCalls {
  readonly #worker: Worker;
  readonly #calls = new Map<number, Call>();
  #next = 1;
  #gone: Error | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (answer: Answer) => this.#settle(answer));
    worker.on('error', (error) => this.#end(internal(`record store: ${error.message}`, error)));
    worker.on('exit', () => this.#end(unavailable('record store is closed')));
  }

  call(body: RequestBody): Promise<Extract<Result, { rows?: unknown }>> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const call = this.#next++;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      this.#worker.ref();
      const request: Request = { ...body, call };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
      this.#worker.postMessage(request);
    });
  }

  #settle(answer: Answer): void {
    if (!('call' in answer)) return;
    const open = this.#calls.get(answer.call);
    this.#calls.delete(answer.call);
    if (this.#calls.size === 0) this.#worker.unref();
    if ('error' in answer) open?.reject(internal(`record store: ${answer.error}`));
    else open?.resolve(answer);
  }

  #end(error: Error): void {
    this.#gone ??= error;
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}

async function startWorker(options: SqliteRecordsOptions): Promise<Worker> {
  const worker = new Worker(options.workerUrl ?? new URL('./records-worker.ts', import.meta.url), {
    workerData: { path: options.path },
    name: 'records',
    // It holds no data between calls; small heaps keep the daemon's resident size down.
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64, stackSizeMb: 1 },
  });
  const [answer] = (await once(worker, 'message')) as [Answer];
  if ('failed' in answer) {
    await worker.terminate();
    const why = answer.failed.includes('locked') ? 'another daemon uses this data root' : answer.failed;
    throw internal(`cannot open ${options.path}: ${why}`);
  }
  worker.unref();
  return worker;
}

async function closeWorker(worker: Worker, calls: WorkerCalls): Promise<void> {
  const exited = once(worker, 'exit');
  await calls.call({ op: 'close' });
  worker.ref();
  await exited;
}

/** The database and its journal are written over on a full disk. */
function makeFiles({ path, makeInPlaceFile: make }: SqliteRecordsOptions): void {
  if (make === undefined) return;
  if (!existsSync(path)) make(path);
  if (!existsSync(journalOf(path)) && !existsSync(stowedOf(path))) make(stowedOf(path));
}

export async function openSqliteRecords(options: SqliteRecordsOptions): Promise<RecordStore> {
  makeFiles(options);
  const worker = await startWorker(options);
  const calls = new WorkerCalls(worker);
  let closing: Promise<void> | undefined;
  return {
    list: async (kind) => {
      const { rows = [] } = await calls.call({ op: 'list', kind });
      return rows.map((row) => JSON.parse(row) as never);
    },
    commit: async (changes) => {
      if (changes.length === 0) return;
      await calls.call({ op: 'commit', changes: changes.map(toStored) });
    },
    damaged: async () => (await calls.call({ op: 'damaged' })).damaged ?? [],
    close: () => {
      closing ??= closeWorker(worker, calls);
      return closing;
    },
  };
}
