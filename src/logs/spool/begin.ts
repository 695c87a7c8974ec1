/** Where a reading begins: at the first file, at the last lines, at a time, or where an earlier one stopped. */
import type { LogReadOptions } from '../../core/ports/log-driver.ts';
import { closeSegments, listSegments, openChained, openFull, openNext, type Segment } from './segments.ts';
import { tailOfFile } from './tail.ts';
import { SegmentWalk } from './walk.ts';

/** The kernel stamps files with a clock that lags some milliseconds behind the one that stamps lines. */
const clockSlackNano = 1_000_000_000n;

/** Files from the newest to the oldest, each opened when it is asked for. */
async function* newestFirst(path: string): AsyncGenerator<Segment> {
  const { numbers, chained } = await listSegments(path);
  const highest = numbers.at(-1) ?? 0;
  const active = await openNext(path, highest);
  const seen = new Set<bigint>();
  if (active !== undefined) {
    seen.add(active.inode);
    yield active;
  }
  const older: readonly (() => Promise<Segment | undefined>)[] = [
    ...numbers.toReversed().map((number) => () => openFull(path, number)),
    ...chained.toReversed().map((position) => () => openChained(path, position)),
  ];
  for (const openOlder of older) {
    const file = await openOlder();
    if (file === undefined) continue;
    if (seen.has(file.inode)) {
      await file.handle.close();
      continue;
    }
    seen.add(file.inode);
    yield file;
  }
}

interface Start {
  /** Oldest first. */
  readonly held: Segment[];
  readonly offset: number;
}

/** Goes back only as far as the options need. */
async function openBackwards(path: string, options: LogReadOptions): Promise<Start> {
  const held: Segment[] = [];
  try {
    return { held, offset: await collectBackwards(path, options, held) };
  } catch (error) {
    await closeSegments(held);
    throw error;
  }
}

/** Fills `held`; returns where in its first file to begin. */
async function collectBackwards(path: string, options: LogReadOptions, held: Segment[]): Promise<number> {
  let wanted = options.tail;
  for await (const file of newestFirst(path)) {
    const isTooOld =
      options.sinceNano !== undefined && file.modifiedNano + clockSlackNano < options.sinceNano;
    // The newest is kept in any case: a follow goes on from there.
    if (isTooOld && held.length > 0) {
      await file.handle.close();
      break;
    }
    held.unshift(file);
    if (wanted === undefined) continue;
    const found = await tailOfFile(file, wanted);
    if (found.lines === wanted) return found.offset;
    wanted -= found.lines;
  }
  return 0;
}

export async function beginWalk(path: string, options: LogReadOptions): Promise<SegmentWalk> {
  const { from } = options;
  if (from !== undefined) {
    const first = await openNext(path, from.segment - 1);
    if (first === undefined) return new SegmentWalk(path, [], 0, from.segment - 1);
    return new SegmentWalk(path, [first], first.number === from.segment ? from.offset : 0, 0);
  }
  const { numbers, chained } = await listSegments(path);
  const isWhole = options.tail === undefined && options.sinceNano === undefined;
  // All of it: full files are opened when it is their turn.
  if (isWhole && chained.length === 0) return new SegmentWalk(path, [], 0, (numbers[0] ?? 1) - 1);
  const { held, offset } = await openBackwards(path, options);
  return new SegmentWalk(path, held, offset, 0);
}
