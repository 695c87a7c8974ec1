/** The thread that does storage's heavy work, so that the main loop stays free: see protocol.ts for its jobs. */

import { parentPort, workerData } from 'node:worker_threads';
import { faultOf } from '../../core/fault.ts';
import { giveWay } from '../../core/give-way.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import { runJob } from './jobs.ts';
import type { Tools } from './run.ts';
import { JobIo } from './job-io.ts';
import type { FromWorker, ToWorker } from './protocol.ts';

const port = parentPort;
if (port === null) throw new Error('storage-worker runs as a worker thread');
const { attributesUrl, givesWay } = workerData as {
  readonly attributesUrl: string;
  readonly givesWay: boolean;
};
if (givesWay) giveWay();

let attributes: Promise<FileAttributes> | undefined;
/** Loading the native part takes a few milliseconds and megabytes: not for jobs that move bytes only. */
const tools: Tools = {
  attributes: () => {
    attributes ??= import(attributesUrl).then((module) =>
      (module as { createFileAttributes(): FileAttributes }).createFileAttributes(),
    );
    return attributes;
  },
};

const say = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
const jobs = new Map<number, JobIo>();

/** Where a job writes: a file that is written by its number does not say it. */
function placeOf(input: object): string | undefined {
  const { path, target, to, directory } = input as Readonly<Record<string, unknown>>;
  return [path, target, to, directory].find((each) => typeof each === 'string');
}

async function start(message: Extract<ToWorker, { op: 'start' }>): Promise<void> {
  const { job, kind, input } = message;
  const io = new JobIo(job, say);
  jobs.set(job, io);
  try {
    const result = await runJob(tools, io, kind, input);
    say({ job, op: 'done', result });
  } catch (error) {
    say({ job, op: 'failed', fault: faultOf(error, placeOf(input)) });
  } finally {
    jobs.delete(job);
  }
}

port.on('message', (message: ToWorker) => {
  const io = jobs.get(message.job);
  if (message.op === 'start') void start(message);
  else if (message.op === 'chunk') io?.receive(message.data);
  else if (message.op === 'end') io?.end();
  else if (message.op === 'cancel') io?.cancel();
  else io?.taken(message.bytes);
});
