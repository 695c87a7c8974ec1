/** Makes one tree of layers: a copy, which shares its blocks with them where the filesystem can. Runs in a worker thread. */

import { linkSync, lstatSync } from 'node:fs';
import type { FileAttributes } from '../../../core/ports/file-attributes.ts';
import { copyAttributes, copyEntry } from '../../worker/copy-tree.ts';
import type { JobIo } from '../../worker/job-io.ts';
import { child } from '../../worker/trees.ts';
import { mergedEntries } from './merged-tree.ts';

/** `layers`: directories, topmost first. `target` exists and is empty; it takes after the topmost layer's root. */
export function flatten(
  attributes: FileAttributes,
  io: JobIo,
  { layers, target }: { readonly layers: readonly string[]; readonly target: string },
): void {
  /** Hard links within a layer, by device and inode. */
  const links = new Map<string, Buffer>();
  const copyInto = (directories: readonly Buffer[], to: Buffer): void => {
    for (const entry of mergedEntries(attributes, directories)) {
      io.check();
      const { stats, path } = entry;
      if (stats.isSocket()) continue;
      const at = child(to, Buffer.from(entry.name, 'latin1'));
      const key = `${stats.dev} ${stats.ino}`;
      const isLinked = stats.nlink > 1 && !stats.isDirectory();
      const first = isLinked ? links.get(key) : undefined;
      if (first !== undefined) {
        linkSync(first, at);
        continue;
      }
      if (isLinked) links.set(key, at);
      copyEntry(attributes, path, at, stats);
      if (stats.isDirectory()) copyInto(entry.directories, at);
      copyAttributes(attributes, path, at, stats);
    }
  };
  const roots = layers.map((layer) => Buffer.from(layer));
  const [top] = roots;
  if (top === undefined) return;
  copyInto(roots, Buffer.from(target));
  copyAttributes(attributes, top, Buffer.from(target), lstatSync(top));
}
