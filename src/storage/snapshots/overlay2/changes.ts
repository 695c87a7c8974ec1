/** What an upper directory of overlayfs changed against its lower ones. Synchronous: runs in a worker thread. */

import { lstatSync, readdirSync, type Stats } from 'node:fs';
import type { FileAttributes } from '../../../core/ports/file-attributes.ts';
import type { JobIo } from '../../worker/job-io.ts';
import type { Change } from '../../worker/protocol.ts';

const isWhiteout = (stats: Stats): boolean => stats.isCharacterDevice() && stats.rdev === 0;

/** Whether a path shows through the lower layers, topmost first: a whiteout or an opaque parent ends the search. */
function inLowers(attributes: FileAttributes, lowers: readonly string[], path: string): boolean {
  for (const lower of lowers) {
    const stats = lstatSync(`${lower}${path}`, { throwIfNoEntry: false });
    if (stats !== undefined) return !isWhiteout(stats);
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const parent = `${lower}${path.slice(0, at)}`;
      const above = lstatSync(parent, { throwIfNoEntry: false });
      if (above === undefined) continue;
      if (!above.isDirectory()) return false;
      if (attributes.getXattr(Buffer.from(parent), 'trusted.overlay.opaque')?.toString() === 'y')
        return false;
    }
  }
  return false;
}

/** Sorted, parents first; `path` starts with a slash. */
export function findChanges(
  attributes: FileAttributes,
  io: JobIo,
  { upper, lowers }: { readonly upper: string; readonly lowers: readonly string[] },
): Change[] {
  const found: Change[] = [];
  const walk = (directory: string): void => {
    io.check();
    for (const name of readdirSync(`${upper}${directory}`).sort()) {
      const path = `${directory}/${name}`;
      const stats = lstatSync(`${upper}${path}`, { throwIfNoEntry: false });
      if (stats === undefined) continue;
      if (isWhiteout(stats)) found.push({ path, kind: 'deleted' });
      else found.push({ path, kind: inLowers(attributes, lowers, path) ? 'modified' : 'added' });
      if (stats.isDirectory()) walk(path);
    }
  };
  walk('');
  return found;
}
