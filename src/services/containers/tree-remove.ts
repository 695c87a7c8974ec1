/** Removes a tree that a container may change meanwhile: each directory is opened without following a link and emptied through that descriptor. */

import { closeSync, constants as C, lstatSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { isErrno } from '../../core/errors.ts';

const batch = 200;

/** Byte strings, as tar headers hold them. */
const at = (directory: number, name: string): Buffer =>
  Buffer.from(`/proc/self/fd/${directory}/${name}`, 'latin1');

/** Removes an entry of a directory with all below it. Succeeds when it is gone. */
export async function removeEntry(directory: number, name: string): Promise<void> {
  let count = 0;
  const remove = async (parent: number, child: string): Promise<void> => {
    if (++count % batch === 0) await turn();
    const stats = lstatSync(at(parent, child), { throwIfNoEntry: false });
    if (stats === undefined) return;
    if (!stats.isDirectory()) return unlinkSync(at(parent, child));
    const fd = openSync(at(parent, child), C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW);
    try {
      for (const entry of readdirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' }))
        await remove(fd, entry.toString('latin1'));
    } finally {
      closeSync(fd);
    }
    rmdirSync(at(parent, child));
  };
  try {
    await remove(directory, name);
  } catch (error) {
    // Swapped or gone between two looks: whoever did that can do it again.
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
