/** The record store's thread: gathers the commits that came in together and syncs once for all of them. */

import { parentPort, workerData } from 'node:worker_threads';
import { openRecordDatabase, type RecordDatabase } from './database.ts';
import type { Answer, Request } from './protocol.ts';

type Commit = Extract<Request, { op: 'commit' }>;

const port = parentPort;
if (port === null) throw new Error('records-worker runs as a worker thread');
const say = (answer: Answer): void => port.postMessage(answer);
const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const pauseMs = 500;
/** After a try that found the disk full. */
const retryMs = 10_000;

function serve(db: RecordDatabase): void {
  let waiting: Commit[] = [];
  let timer: NodeJS.Timeout | undefined;
  const tend = (): void => {
    timer = undefined;
    if (!db.tend()) tendIn(retryMs);
  };
  // A while after the first commit that may have used something: a start shall not wait for it, nor shall it wait for a lull.
  const tendIn = (ms: number): void => {
    timer ??= setTimeout(tend, ms).unref();
  };
  tendIn(pauseMs);
  const flush = (): void => {
    const group = waiting;
    if (group.length === 0) return;
    waiting = [];
    const results = db.commitAll(group.map((commit) => commit.changes));
    group.forEach((commit, index) => {
      const error = results[index];
      say(error === undefined ? { call: commit.call } : { call: commit.call, error: error.message });
    });
    tendIn(pauseMs);
  };
  const answer = (request: Exclude<Request, Commit>): void => {
    // Reads see every commit that was handed in before them.
    flush();
    if (request.op === 'list') say({ call: request.call, rows: db.list(request.kind) });
    else if (request.op === 'damaged') say({ call: request.call, damaged: db.damaged() });
    else {
      clearTimeout(timer);
      db.close();
      say({ call: request.call });
      port?.close();
    }
  };
  port?.on('message', (request: Request) => {
    if (request.op === 'commit') {
      // All messages that are already here are handed over before the immediate runs.
      if (waiting.push(request) === 1) setImmediate(flush);
      return;
    }
    try {
      answer(request);
    } catch (error) {
      say({ call: request.call, error: words(error) });
    }
  });
}

try {
  serve(openRecordDatabase((workerData as { path: string }).path));
  say({ ready: true });
} catch (error) {
  say({ failed: words(error) });
}
