/**
 * The files of a log as the shim makes them (native/shim/log-segments.h): LOG is written, LOG.0000000001 and so on are full, and
 * LOG.0000000001.gz is one of those, compressed. Shims of the first release had LOG.1 (the newest full one), LOG.2, ... instead.
 */
import { open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isErrno } from '../../core/errors.ts';

const digits = 10;

/** A log file held open: renamed, compressed or deleted, it stays readable to its end. */
export interface Segment {
  readonly handle: FileHandle;
  /** The file's number, or the one that it will get; 0 in logs of the first release. */
  readonly number: number;
  readonly compressed: boolean;
  readonly inode: bigint;
  /** Bytes when it was opened. */
  readonly size: number;
  readonly modifiedNano: bigint;
}

export const segmentPath = (path: string, number: number): string =>
  `${path}.${String(number).padStart(digits, '0')}`;

async function hold(path: string, number: number, compressed = false): Promise<Segment | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const { ino, size, mtimeNs } = await handle.stat({ bigint: true });
  return { handle, number, compressed, inode: ino, size: Number(size), modifiedNano: mtimeNs };
}

/** Which file has that name now; undefined when none has. */
export async function inodeOf(path: string): Promise<bigint | undefined> {
  return await stat(path, { bigint: true }).then(
    ({ ino }) => ino,
    () => undefined,
  );
}

/** Whether LOG of that time has been given its number: then nothing is added to it any more. */
export async function isFull(path: string, number: number): Promise<boolean> {
  const full = segmentPath(path, number);
  return (await inodeOf(full)) !== undefined || (await inodeOf(`${full}.gz`)) !== undefined;
}

export interface Listing {
  /** Ascending. */
  readonly numbers: readonly number[];
  /** Numbers of those that are compressed. */
  readonly compressed: ReadonlySet<number>;
  /** Names of the first release, oldest first. */
  readonly chained: readonly number[];
}

export async function listSegments(path: string): Promise<Listing> {
  const base = `${basename(path)}.`;
  const names = await readdir(dirname(path)).catch((): string[] => []);
  const numbers = new Set<number>();
  const compressed = new Set<number>();
  const chained: number[] = [];
  for (const name of names) {
    const parts = name.startsWith(base) ? /^(\d+)(\.gz)?$/.exec(name.slice(base.length)) : null;
    if (!parts?.[1]) continue;
    const number = Number(parts[1]);
    if (parts[1].length < digits) {
      if (number > 0 && parts[2] === undefined) chained.push(number);
      continue;
    }
    numbers.add(number);
    if (parts[2] !== undefined) compressed.add(number);
  }
  return {
    numbers: [...numbers].sort((a, b) => a - b),
    compressed,
    chained: chained.sort((a, b) => b - a),
  };
}

/** A full file, compressed or not. */
export async function openFull(path: string, number: number): Promise<Segment | undefined> {
  const full = segmentPath(path, number);
  return (
    (await hold(full, number)) ??
    (await hold(`${full}.gz`, number, true)) ??
    // Undone when the compression was cut short.
    (await hold(full, number))
  );
}

/** LOG itself, if it is the file that comes after number `after`; undefined when it is not there or was rotated meanwhile. */
async function openActive(path: string, after: number): Promise<Segment | undefined> {
  const active = await hold(path, after + 1);
  if (active === undefined) return undefined;
  // A rotation in between, and this might be a later file.
  const { numbers } = await listSegments(path);
  if ((numbers.at(-1) ?? 0) <= after) return active;
  await active.handle.close();
  return undefined;
}

/** The file after number `after` (`known` is that one's inode): the full one of the next number that there is, or LOG. */
export async function openNext(path: string, after: number, known?: bigint): Promise<Segment | undefined> {
  let past = after;
  for (;;) {
    const lowest = (await listSegments(path)).numbers.find((number) => number > past);
    const next = lowest === undefined ? await openActive(path, past) : await openFull(path, lowest);
    if (next !== undefined && next.inode !== known) return next;
    await next?.handle.close();
    if (lowest === undefined) {
      if (next === undefined && (await isFull(path, past + 1))) continue;
      return undefined;
    }
    past = lowest;
  }
}

/** A file of the first release, or LOG itself for 0. */
export async function openChained(path: string, position: number): Promise<Segment | undefined> {
  return await hold(position === 0 ? path : `${path}.${position}`, 0);
}

/**
 * Files of the first release that are newer than `after`, oldest first. Goes from the newest name to the oldest: a rotation moves
 * files the same way, so that one which moves meanwhile is met again (and known by its inode) but never missed.
 */
export async function openNewerChained(path: string, after: Segment): Promise<Segment[]> {
  const found: Segment[] = [];
  const known = new Set<bigint>();
  // One more than the highest: a rotation may be adding it.
  const highest = Math.max(0, ...(await listSegments(path)).chained) + 1;
  for (let position = 0; position <= highest; position += 1) {
    const file = await openChained(path, position);
    if (!file) continue;
    if (!known.has(file.inode) && file.inode !== after.inode) {
      known.add(file.inode);
      found.push(file);
      continue;
    }
    await file.handle.close();
    if (file.inode === after.inode) break;
  }
  return found.toReversed();
}

export async function closeSegments(segments: readonly Segment[]): Promise<void> {
  await Promise.all(segments.map(({ handle }) => handle.close()));
}

/** Removes the log and its full files. Idempotent. */
export async function removeSegments(path: string): Promise<void> {
  await rm(path, { force: true });
  const { numbers, chained } = await listSegments(path);
  for (const number of chained) await rm(`${path}.${number}`, { force: true });
  for (const number of numbers) {
    await rm(segmentPath(path, number), { force: true });
    await rm(`${segmentPath(path, number)}.gz`, { force: true });
  }
  for (const name of await readdir(dirname(path)).catch((): string[] => [])) {
    if (name.startsWith(`${basename(path)}.`) && name.endsWith('.gz.new')) {
      await rm(join(dirname(path), name), { force: true });
    }
  }
}
