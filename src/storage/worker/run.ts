import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import type { JobIo } from './job-io.ts';
import type { JobKind, Jobs } from './protocol.ts';

/** What the worker thread has for its jobs. */
export interface Tools {
  attributes(): Promise<FileAttributes>;
}

export type Run<K extends JobKind> = (
  tools: Tools,
  io: JobIo,
  input: Jobs[K]['input'],
) => Promise<Jobs[K]['result']>;
