/** Full log files become gzip files: one at a time for the whole daemon, so that a flood does not take all processors. */
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat, utimes } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Ctx } from '../../core/ctx.ts';
import { isErrno } from '../../core/errors.ts';
import { listSegments, segmentPath } from './segments.ts';

/** JSON of log lines shrinks to a tenth at any level; the low ones take a third of the time. */
const level = 3;

async function compressFile(ctx: Ctx, path: string): Promise<void> {
  const unfinished = `${path}.gz.new`;
  try {
    const { atime, mtime, mode } = await stat(path);
    await pipeline(
      createReadStream(path),
      createGzip({ level }),
      createWriteStream(unfinished, { mode: mode & 0o777 }),
      { signal: ctx.signal },
    );
    // Readings by time go by it.
    await utimes(unfinished, atime, mtime);
    await rename(unfinished, `${path}.gz`);
    const isGone = await rm(path).then(
      () => false,
      (error: unknown) => isErrno(error, 'ENOENT'),
    );
    // The shim had deleted it meanwhile, as one too many.
    if (isGone) await rm(`${path}.gz`, { force: true });
  } catch (error) {
    await rm(unfinished, { force: true });
    if (!isErrno(error, 'ENOENT') && !ctx.signal.aborted) throw error;
  }
}

/** Runs one task after the other. */
export class CompressionQueue {
  #last: Promise<unknown> = Promise.resolve();

  async run(task: () => Promise<void>): Promise<void> {
    const mine = this.#last.then(task);
    this.#last = mine.catch(() => {});
    await mine;
  }
}

export interface CompressRequest {
  readonly path: string;
  /** Files that the log may have in all; 0 for as many as there are. */
  readonly maxFile: number;
  /** Files below this number only: the others are still to be sent on. */
  readonly below: number;
}

/** Compresses what is full and not compressed yet; deletes what a compression that was cut short has left beyond the limit. */
export async function compressFull(
  ctx: Ctx,
  queue: CompressionQueue,
  { path, maxFile, below }: CompressRequest,
): Promise<void> {
  const { numbers, compressed } = await listSegments(path);
  const newest = numbers.at(-1) ?? 0;
  for (const number of numbers) {
    if (number >= below) return;
    const full = segmentPath(path, number);
    if (maxFile > 0 && number <= newest - (maxFile - 1)) {
      await rm(`${full}.gz`, { force: true });
      continue;
    }
    if (ctx.signal.aborted) return;
    // Both there: the end of an earlier compression was cut short.
    if (compressed.has(number)) await rm(full, { force: true });
    else await queue.run(() => compressFile(ctx, full));
  }
}
