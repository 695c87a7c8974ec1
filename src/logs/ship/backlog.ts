/** The spool of a log that is sent on: what may be deleted or compressed, and how much waits. */
import { rm, stat } from 'node:fs/promises';
import type { Ctx } from '../../core/ctx.ts';
import type { LogPosition } from '../../core/log-batch.ts';
import { compressFull, type CompressionQueue } from '../spool/compress.ts';
import { listSegments, segmentPath } from '../spool/segments.ts';

/** Deletes full files that were sent and are more than `logs` is to see; `keep` counts the one that is written. */
export async function pruneSent(path: string, position: LogPosition, keep: number): Promise<void> {
  const { numbers, chained } = await listSegments(path);
  const surplus = numbers.slice(0, Math.max(0, numbers.length - Math.max(0, keep - 1)));
  for (const number of surplus.filter((each) => each < position.segment)) {
    await rm(segmentPath(path, number), { force: true });
    await rm(`${segmentPath(path, number)}.gz`, { force: true });
  }
  for (const each of chained) await rm(`${path}.${each}`, { force: true });
}

export async function compressSent(
  ctx: Ctx,
  queue: CompressionQueue,
  path: string,
  position: LogPosition,
): Promise<void> {
  await compressFull(ctx, queue, { path, maxFile: 0, below: position.segment });
}

/** Where the log begins. */
export async function firstPosition(path: string): Promise<LogPosition> {
  return { segment: (await listSegments(path)).numbers[0] ?? 1, offset: 0 };
}

/** Bytes of each file behind a position, oldest first. */
async function waiting(path: string, from: LogPosition): Promise<{ segment: number; size: number }[]> {
  const { numbers } = await listSegments(path);
  const found: { segment: number; size: number }[] = [];
  for (const segment of numbers.filter((number) => number >= from.segment)) {
    const size = await sizeOf(segmentPath(path, segment));
    if (size !== undefined) found.push({ segment, size });
  }
  const active = (numbers.at(-1) ?? 0) + 1;
  found.push({ segment: Math.max(active, from.segment), size: (await sizeOf(path)) ?? 0 });
  return found;
}

async function sizeOf(path: string): Promise<number | undefined> {
  return await stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

/** Where to go on so that no more than `limit` bytes wait, and how many are left out; undefined when no more do. */
export async function skipTo(
  path: string,
  from: LogPosition,
  limit: number,
): Promise<{ readonly position: LogPosition; readonly bytes: number } | undefined> {
  const files = await waiting(path, from);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const offset = files[0]?.segment === from.segment ? from.offset : 0;
  let surplus = total - offset - limit;
  if (surplus <= 0) return undefined;
  const bytes = surplus;
  for (const { segment, size } of files) {
    const start = segment === from.segment ? offset : 0;
    // In the middle of a line: what is left of it is not one, and is left out.
    if (surplus < size - start) return { position: { segment, offset: start + surplus }, bytes };
    surplus -= size - start;
  }
  return undefined;
}
