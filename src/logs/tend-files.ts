import type { LogTending } from '../core/ports/log-driver.ts';
import type { Ctx } from '../core/ctx.ts';
import { compressFull, type CompressionQueue } from './spool/compress.ts';
import { LogWakeups } from './spool/wakeups.ts';

/** Compresses the files of a log as they become full, until its output has ended. */
export async function tendFiles(
  ctx: Ctx,
  queue: CompressionQueue,
  { path, plan, ended }: LogTending,
): Promise<void> {
  if (plan.compress !== true) return;
  const wakeups = new LogWakeups(path, 'rotations');
  const state = { hasEnded: false };
  const finish = (): void => {
    state.hasEnded = true;
    wakeups.notify();
  };
  void ended.then(finish, finish);
  ctx.signal.addEventListener('abort', finish, { once: true });
  try {
    for (;;) {
      const isLast = state.hasEnded;
      if (ctx.signal.aborted) return;
      try {
        await compressFull(ctx, queue, { path, maxFile: plan.maxFile, below: Infinity });
      } catch (error) {
        ctx.log.warn('a log file is not compressed', { path, error });
      }
      if (isLast) return;
      await wakeups.wait();
    }
  } finally {
    ctx.signal.removeEventListener('abort', finish);
    wakeups.close();
  }
}
