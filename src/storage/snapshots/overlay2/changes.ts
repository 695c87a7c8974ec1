/** What an upper directory of overlayfs changed against its lower ones. Synchronous: runs in a worker thread. */

import { lstatSync, readdirSync, type Stats } from 'node:fs';
import type { FileAttributes } from '../../../core/ports/file-attributes.ts';
import type { JobIo } from '../../worker/job-io.ts';
import type { Change } from '../../worker/protocol.ts';

const isWhiteout = (stats: Stats): boolean => stats.isCharacterDevice() && stats.rdev === 0;

/** Names need not be UTF-8: paths are byte strings here. */
const bytes = (path: string): Buffer => Buffer.from(path, 'latin1');

/** Whether a path shows through the lower layers, topmost first: a whiteout or an opaque parent ends the search. */
function inLowers(attributes: FileAttributes, lowers: readonly string[], path: string): boolean {
  for (const lower of lowers) {
    const stats = lstatSync(bytes(`${lower}${path}`), { throwIfNoEntry: false });
    if (stats !== undefined) return !isWhiteout(stats);
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const parent = bytes(`${lower}${path.slice(0, at)}`);
      const above = lstatSync(parent, { throwIfNoEntry: false });
      if (above === undefined) continue;
      if (!above.isDirectory()) return false;
      if (attributes.getXattr(parent, 'trusted.overlay.opaque')?.toString() === 'y') return false;
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
  const [top, ...below] = [upper, ...lowers].map((path) => Buffer.from(path).toString('latin1'));
  const tell = (path: string, kind: Change['kind']): void =>
    void found.push({ path: bytes(path).toString('utf8'), kind });
  const walk = (directory: string): void => {
    io.check();
    for (const name of readdirSync(bytes(`${top}${directory}`), { encoding: 'latin1' }).sort()) {
      const path = `${directory}/${name}`;
      const stats = lstatSync(bytes(`${top}${path}`), { throwIfNoEntry: false });
      if (stats === undefined) continue;
      if (isWhiteout(stats)) tell(path, 'deleted');
      else tell(path, inLowers(attributes, below, path) ? 'modified' : 'added');
      if (stats.isDirectory()) walk(path);
    }
  };
  walk('');
  return found;
}
