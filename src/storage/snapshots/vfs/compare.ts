/** What a tree changed against the layers that it was copied from. Synchronous: runs in a worker thread. */

import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import type { FileAttributes } from '../../../core/ports/file-attributes.ts';
import type { JobIo } from '../../worker/job-io.ts';
import { child } from '../../worker/trees.ts';
import { mergedEntries, namesIn, type MergedEntry } from './merged-tree.ts';

export interface TreeChange {
  /** From the root, without a slash in front; one char a byte. */
  readonly path: string;
  readonly kind: 'modified' | 'added' | 'deleted';
  /** Bytes of a regular file that is there. */
  readonly size: number;
}

/** Times are copied in units of a floating-point number. */
const sameTime = (a: number, b: number): boolean => Math.abs(a - b) < 0.01;

function isSame(now: Stats, path: Buffer, before: MergedEntry): boolean {
  const { stats } = before;
  if (now.mode !== stats.mode || now.uid !== stats.uid || now.gid !== stats.gid) return false;
  if (now.isDirectory()) return true;
  if (now.rdev !== stats.rdev || now.size !== stats.size || !sameTime(now.mtimeMs, stats.mtimeMs))
    return false;
  return !now.isSymbolicLink() || readlinkSync(path, 'latin1') === readlinkSync(before.path, 'latin1');
}

const sizeOf = (stats: Stats): number => (stats.isFile() ? stats.size : 0);

/** Sorted, parents first. A directory in which something changed is modified, as it is where a change is a copy of it. */
export function compareTree(
  attributes: FileAttributes,
  io: JobIo,
  { root, layers }: { readonly root: string; readonly layers: readonly string[] },
): TreeChange[] {
  const compare = (prefix: string, directory: Buffer, below: readonly Buffer[]): TreeChange[] => {
    io.check();
    const before = new Map(mergedEntries(attributes, below).map((entry) => [entry.name, entry]));
    const names = new Set([...namesIn(directory), ...before.keys()]);
    return [...names].sort().flatMap((name) => {
      const path = prefix === '' ? name : `${prefix}/${name}`;
      return one(path, child(directory, Buffer.from(name, 'latin1')), before.get(name));
    });
  };
  const one = (path: string, at: Buffer, before: MergedEntry | undefined): TreeChange[] => {
    const now = lstatSync(at, { throwIfNoEntry: false });
    // Sockets were not copied.
    if (now === undefined)
      return before === undefined || before.stats.isSocket() ? [] : [{ path, kind: 'deleted', size: 0 }];
    const isNew = before === undefined || now.isDirectory() !== before.stats.isDirectory();
    const inside = now.isDirectory() ? compare(path, at, isNew ? [] : before.directories) : [];
    if (isNew) {
      const kind = before === undefined ? 'added' : 'modified';
      return [{ path, kind, size: sizeOf(now) }, ...inside];
    }
    if (inside.length === 0 && isSame(now, at, before)) return [];
    return [{ path, kind: 'modified', size: sizeOf(now) }, ...inside];
  };
  return compare(
    '',
    Buffer.from(root),
    layers.map((layer) => Buffer.from(layer)),
  );
}
