/** What Docker puts into every container's root filesystem: programs look for `/.dockerenv` to learn where they are, and read `/etc/mtab`. */

import { closeSync, constants, lchownSync, lstatSync, openSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Owner } from '../../core/model/id-mapping.ts';
import { engineFile, mtab } from '../../core/model/system-paths.ts';
import type { ContainerHost } from './deps.ts';

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

async function makeMtab(host: ContainerHost, root: string, { uid, gid }: Owner): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  const directory = await host.openInRoot(root, mtab.directory, { flags, noSymlinks: true });
  try {
    const path = `/proc/self/fd/${directory}/${mtab.name}`;
    symlinkSync(mtab.target, path);
    if (uid !== 0 || gid !== 0) lchownSync(path, uid, gid);
  } finally {
    host.closeFd(directory);
  }
}

/**
 * Makes what is missing in the mounted root filesystem; most often the storage driver's layer of mount points has it. A container
 * runs without as well, so nothing fails here: an image may have no `/etc`, and a disk no room.
 */
export async function makeEngineFiles(host: ContainerHost, root: string, owner: Owner): Promise<void> {
  try {
    const path = join(root, engineFile);
    if (!isThere(path)) {
      closeSync(openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o755));
      if (owner.uid !== 0 || owner.gid !== 0) lchownSync(path, owner.uid, owner.gid);
    }
    // A link in the image's path may lead this look astray, not what is made then.
    if (!isThere(join(root, mtab.directory, mtab.name))) await makeMtab(host, root, owner);
  } catch {
    // See above.
  }
}
