import type { Ctx } from '../../core/ctx.ts';
import { LogBatch, type LogEntry } from '../../core/log-batch.ts';
import type { LogReadOptions } from '../../core/ports/log-driver.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import { beginWalk } from './begin.ts';
import { nanosecondsOf } from './entry.ts';
import { inodeOf, listSegments } from './segments.ts';
import type { SegmentWalk } from './walk.ts';
import { LogWakeups } from './wakeups.ts';

/** The newest file: a reading that does not follow ends with it. */
interface Newest {
  readonly number: number;
  readonly inode: bigint | undefined;
}

async function newestNow(path: string): Promise<Newest> {
  const inode = await inodeOf(path);
  return { number: ((await listSegments(path)).numbers.at(-1) ?? 0) + 1, inode };
}

/** What is there now. What comes meanwhile is left, so that a flood does not make it endless. */
async function* presentBatches(walk: SegmentWalk, newest: Newest): AsyncGenerator<LogBatch> {
  await walk.hold();
  for (;;) {
    const { reader } = walk;
    if (reader === undefined) return;
    const { segment } = reader;
    const isNewest = segment.inode === newest.inode || segment.number >= newest.number;
    const limit = isNewest && !segment.compressed ? segment.size : Infinity;
    for (let batch = await reader.next(limit); batch; batch = await reader.next(limit)) {
      yield batch;
      await walk.hold();
    }
    if (isNewest || !(await walk.advance())) return;
    yield* gap(walk);
    await walk.hold();
  }
}

/** A line of the engine's own in place of what was deleted before it could be read. */
function* gap(walk: SegmentWalk): Generator<LogBatch> {
  const lost = walk.takeLost();
  if (lost === 0) return;
  const text = `slipway: ${lost} files of this log were rotated away before they could be read\n`;
  yield LogBatch.of([{ stream: 'stderr', line: Buffer.from(text), time: formatNano(nowNano()) }]);
}

/** Until when a follow lasts by itself. */
interface Lasting {
  readonly ended: Promise<unknown>;
  /** Milliseconds since the epoch; Infinity for no end. */
  readonly until: number;
}

async function* followedBatches(
  ctx: Ctx,
  wakeups: LogWakeups,
  walk: SegmentWalk,
  lasting: Lasting,
): AsyncGenerator<LogBatch> {
  const state = { hasEnded: false };
  const wake = (): void => wakeups.notify();
  const markEnded = (): void => {
    state.hasEnded = true;
    wake();
  };
  // A container may run for years: what hangs on its end must be as good as nothing once this reading is over.
  const reading: { onEnded: (() => void) | undefined } = { onEnded: markEnded };
  const tell = (): void => reading.onEnded?.();
  void lasting.ended.then(tell, tell);
  ctx.signal.addEventListener('abort', wake, { once: true });
  const left = lasting.until - Date.now();
  const timer = left < 0x7fffffff ? setTimeout(markEnded, Math.max(0, left)) : undefined;
  try {
    while (!ctx.signal.aborted) {
      // Both are looked at before the reading: what comes in between is found in the next round.
      const isLast = state.hasEnded;
      await walk.hold();
      const { isComplete, reader } = walk;
      for (let batch = await reader?.next(Infinity); batch; batch = await reader?.next(Infinity)) {
        yield batch;
        if (ctx.signal.aborted) return;
        await walk.hold();
      }
      // A file is only left when a newer one was there before its end was read: nothing is added to it after that.
      if (isComplete && (await walk.advance())) yield* gap(walk);
      else if (!isComplete && walk.isComplete) continue;
      else if (isLast) return;
      else await wakeups.wait();
    }
  } finally {
    reading.onEnded = undefined;
    clearTimeout(timer);
    ctx.signal.removeEventListener('abort', wake);
  }
}

type Fit = 'all' | readonly number[];

/** Which lines of a batch are wanted. */
function fit(batch: LogBatch, options: LogReadOptions): { readonly wanted: Fit; readonly isLast: boolean } {
  const { sinceNano, untilNano, only } = options;
  if (sinceNano === undefined && untilNano === undefined && only === undefined) {
    return { wanted: 'all', isLast: false };
  }
  const wanted: number[] = [];
  for (let index = 0; index < batch.count; index += 1) {
    if (sinceNano !== undefined || untilNano !== undefined) {
      const at = nanosecondsOf(batch.time(index));
      if (at !== undefined && untilNano !== undefined && at > untilNano) return { wanted, isLast: true };
      if (at !== undefined && sinceNano !== undefined && at < sinceNano) continue;
    }
    if (only !== undefined && batch.fromStderr(index) !== (only === 'stderr')) continue;
    wanted.push(index);
  }
  return { wanted: wanted.length === batch.count ? 'all' : wanted, isLast: false };
}

function pick(batch: LogBatch, wanted: readonly number[]): LogBatch {
  const picked = LogBatch.of(wanted.map((index): LogEntry => batch.entry(index)));
  picked.end = batch.end;
  return picked;
}

async function* within(batches: AsyncIterable<LogBatch>, options: LogReadOptions): AsyncGenerator<LogBatch> {
  for await (const batch of batches) {
    const { wanted, isLast } = fit(batch, options);
    if (wanted === 'all') yield batch;
    else if (wanted.length > 0) yield pick(batch, wanted);
    if (isLast) return;
  }
}

/** Entries over rotated and compressed files, oldest first. */
export async function* readSpool(ctx: Ctx, path: string, options: LogReadOptions): AsyncGenerator<LogBatch> {
  // Watched before the files are opened: no change is missed.
  const wakeups = options.follow ? new LogWakeups(path) : undefined;
  const newest = await newestNow(path);
  const walk = await beginWalk(path, options);
  try {
    const until = options.untilNano === undefined ? Infinity : Number(options.untilNano / 1_000_000n) + 1;
    const batches =
      wakeups === undefined
        ? presentBatches(walk, newest)
        : followedBatches(ctx, wakeups, walk, { ended: options.ended ?? new Promise(() => {}), until });
    for await (const batch of within(batches, options)) {
      yield batch;
      if (ctx.signal.aborted) return;
    }
  } finally {
    wakeups?.close();
    await walk.close();
  }
}
