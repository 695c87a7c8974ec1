/** Walks over whole trees: their size, and their removal in the background. */

import {
  lstatSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  type Dirent,
} from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isErrno } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { JobIo } from './job-io.ts';

type Entry = Dirent<Buffer>;

function entries(directory: Buffer): Entry[] {
  try {
    return readdirSync(directory, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    // Gone meanwhile; or, when sizes are summed up, nested deeper than a path may be long.
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENAMETOOLONG')) return [];
    throw error;
  }
}

const slash = Buffer.from('/');
export const child = (directory: Buffer, name: Buffer): Buffer => Buffer.concat([directory, slash, name]);

/** Bytes of regular files, each inode once; the size that users see, not blocks. */
export function directorySize(io: JobIo, directory: string): number {
  const seen = new Set<number>();
  let size = 0;
  const pending: Buffer[] = [Buffer.from(directory)];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    io.check();
    for (const entry of entries(at)) {
      const path = child(at, entry.name);
      if (entry.isDirectory()) pending.push(path);
      if (!entry.isFile()) continue;
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined || (stats.nlink > 1 && seen.has(stats.ino))) continue;
      if (stats.nlink > 1) seen.add(stats.ino);
      size += stats.size;
    }
  }
  return size;
}

/** Where anything is mounted, one char a byte. */
function mountTargets(): string[] {
  return readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_all, code: string) =>
        String.fromCharCode(Number.parseInt(code, 8)),
      ),
    );
}

/** Mount points at or below a path: deleting through one would delete what is mounted there. */
function hasMounts(targets: readonly string[], path: string): boolean {
  const bytes = Buffer.from(path).toString('latin1');
  return targets.some((target) => target === bytes || target.startsWith(`${bytes}/`));
}

/** This thread alone gives way to everything else. */
function becomeNice(): void {
  const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  setPriority(thread, 10);
}

const batch = 200;
/** Bytes of a path from which on a subtree is moved up first: a container can nest directories deeper than a path may be long. */
const deepPath = 2000;

/**
 * Deletes everything in `directory`, with a pause after each batch of unlinks: with `discard` each may hold up the
 * journal. Returns what could not be deleted, with the reason (something is mounted there, a file is immutable).
 */
export async function emptySlowly(io: JobIo, directory: string): Promise<string[]> {
  becomeNice();
  const root = Buffer.from(directory);
  const left: string[] = [];
  const failed = new Set<string>();
  let count = 0;
  const step = async (): Promise<void> => {
    io.check();
    if (++count % batch === 0) await pause(2);
  };
  const removeTree = async (at: Buffer): Promise<void> => {
    for (const entry of entries(at)) {
      const path = child(at, entry.name);
      await step();
      if (!entry.isDirectory()) unlinkSync(path);
      else if (path.length < deepPath) await removeTree(path);
      else renameSync(path, child(root, Buffer.from(newId())));
    }
    rmdirSync(at);
  };
  // What was moved up is found by the next round.
  for (
    let work = entries(root);
    work.length > 0;
    work = entries(root).filter((entry) => !failed.has(entry.name.toString()))
  ) {
    // Nothing is mounted on what lies here already, so one look after the listing holds for all that was listed.
    const targets = mountTargets();
    for (const entry of work) {
      const name = entry.name.toString();
      const path = join(directory, name);
      await step();
      try {
        if (hasMounts(targets, path)) throw new Error('something is mounted there');
        if (entry.isDirectory()) await removeTree(Buffer.from(path));
        else unlinkSync(path);
      } catch (error) {
        io.check();
        failed.add(name);
        left.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return left;
}
