/** Which user namespace a container shares when it joins namespaces of others. */

import { statSync } from 'node:fs';
import { conflict } from '../../core/errors.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { Room } from './deps.ts';
import { sharedWith } from './namespaces.ts';

/**
 * The user namespace of the containers whose other namespaces this one joins: the kernel lets nobody into a namespace that belongs
 * to another one's users. Undefined when it joins none. `conflict` when there are two of them, or it is the host's.
 */
export function joinedUserNamespace(
  room: Pick<Room, 'table'>,
  { hostConfig }: ContainerRecord,
): string | undefined {
  let found: { readonly path: string; readonly inode: number } | undefined;
  for (const mode of [hostConfig.NetworkMode, hostConfig.PidMode, hostConfig.IpcMode]) {
    const other = sharedWith(room, mode ?? '');
    // What is not running is refused by whoever joins that kind of namespace, in its own words.
    if (other === undefined || !isActive(other.state) || other.state.pid === 0) continue;
    const path = `/proc/${other.state.pid}/ns/user`;
    const inode = statSync(path).ino;
    if (inode === statSync('/proc/self/ns/user').ino)
      throw conflict(
        `cannot join namespaces of container ${other.id}, which has the host's users: user namespaces are enabled (start this one with --userns=host)`,
      );
    if (found !== undefined && found.inode !== inode)
      throw conflict(`cannot join namespaces of two containers with user namespaces of their own`);
    found = { path, inode };
  }
  return found?.path;
}
