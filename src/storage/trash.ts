/**
 * Where removed trees go: a rename takes microseconds, deleting takes as long as it takes, in the background. What an
 * earlier daemon left there is deleted at start.
 */

import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { backgroundCtx, type Ctx } from '../core/ctx.ts';
import { isErrno, isFull } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import type { Logger } from '../core/log.ts';
import type { StorageWorkers } from './worker/pool.ts';

export interface Trash {
  /** Moves a file or tree away; succeeds when it is gone already. */
  discard(path: string): Promise<void>;
  /** Resolves when all that was discarded so far has been deleted. */
  idle(): Promise<void>;
  /** Starts deleting what is there. */
  empty(): void;
  /** Stops deleting; the rest is for the next start. */
  close(): Promise<void>;
}

/** Deleting waits for a lull, so that it does not take the processor from what is being started; but not for long. */
const lullMs = 300;
const latestMs = 3000;

/** `directory` lies on the same filesystem as what is discarded. */
export async function openTrash(
  deps: { readonly workers: StorageWorkers; readonly log: Logger },
  directory: string,
): Promise<Trash> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const stop = new AbortController();
  const ctx: Ctx = { ...backgroundCtx(deps.log), signal: stop.signal };
  let running: Promise<void> | undefined;
  let again = false;
  /** Told once, not after every container that goes. */
  const told = new Set<string>();

  const round = async (): Promise<void> => {
    do {
      again = false;
      const { left } = await deps.workers.run(ctx, 'empty', { directory });
      const fresh = left.filter((each) => !told.has(each));
      for (const each of fresh) told.add(each);
      if (fresh.length > 0) deps.log.warn('left in the trash', { paths: fresh });
    } while (again && !stop.signal.aborted);
  };
  const empty = (): void => {
    if (stop.signal.aborted) return;
    again = true;
    running ??= round()
      .catch((error: unknown) => {
        if (!stop.signal.aborted) deps.log.error('emptying the trash failed', { error });
      })
      .finally(() => {
        running = undefined;
        // Something may have come in after the last round had looked.
        if (again) empty();
      });
  };
  let timer: NodeJS.Timeout | undefined;
  let waitingSince: number | undefined;
  const emptyNow = (): void => {
    clearTimeout(timer);
    timer = undefined;
    waitingSince = undefined;
    empty();
  };
  const emptySoon = (): void => {
    if (stop.signal.aborted) return;
    const now = performance.now();
    waitingSince ??= now;
    clearTimeout(timer);
    timer = setTimeout(emptyNow, Math.min(lullMs, Math.max(0, waitingSince + latestMs - now))).unref();
  };
  return {
    discard: async (path) => {
      try {
        await rename(path, join(directory, newId()));
      } catch (error) {
        if (isErrno(error, 'ENOENT')) return;
        if (!isFull(error)) throw error;
        // Not even room for another name: then it goes where it is, which takes longer.
        await rm(path, { recursive: true, force: true });
        return;
      }
      emptySoon();
    },
    idle: async () => {
      if (timer !== undefined) emptyNow();
      for (let round = running; round !== undefined; round = running) await round;
    },
    empty,
    close: async () => {
      stop.abort();
      clearTimeout(timer);
      await running;
    },
  };
}
