/** Layers as a container sees them, without a mount: whiteouts hide, opaque directories hide all below. Synchronous: runs in a worker thread. */

import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { isErrno } from '../../../core/errors.ts';
import type { FileAttributes } from '../../../core/ports/file-attributes.ts';
import { child } from '../../worker/trees.ts';

export interface MergedEntry {
  /** One char a byte. */
  readonly name: string;
  readonly stats: Stats;
  /** Where its content and attributes are. */
  readonly path: Buffer;
  /** Of a directory: where its entries are, topmost first. */
  readonly directories: readonly Buffer[];
}

const isWhiteout = (stats: Stats): boolean => stats.isCharacterDevice() && stats.rdev === 0;

export function namesIn(directory: Buffer): string[] {
  try {
    return readdirSync(directory, { encoding: 'latin1' });
  } catch (error) {
    // Nested deeper than a path may be long.
    if (isErrno(error, 'ENAMETOOLONG')) return [];
    throw error;
  }
}

function resolve(
  attributes: FileAttributes,
  directories: readonly Buffer[],
  name: string,
): MergedEntry | undefined {
  let top: { readonly stats: Stats; readonly path: Buffer } | undefined;
  const found: Buffer[] = [];
  for (const directory of directories) {
    const path = child(directory, Buffer.from(name, 'latin1'));
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) continue;
    if (isWhiteout(stats) || (top !== undefined && !stats.isDirectory())) break;
    top ??= { stats, path };
    if (!stats.isDirectory()) break;
    found.push(path);
    if (attributes.getXattr(path, 'trusted.overlay.opaque')?.toString() === 'y') break;
  }
  return top === undefined ? undefined : { name, ...top, directories: found };
}

/** What shows in a directory that lies in these directories of layers (topmost first), sorted by name. */
export function mergedEntries(attributes: FileAttributes, directories: readonly Buffer[]): MergedEntry[] {
  const names = new Set(directories.flatMap(namesIn));
  return [...names].sort().flatMap((name) => resolve(attributes, directories, name) ?? []);
}
