/** Where a container's things live. All derived from its id, so that reconcile finds them again. */

import { join } from 'node:path';
import type { ContainerOptions } from './deps.ts';

type Roots = Pick<ContainerOptions, 'dataRoot' | 'runRoot'>;

export const containersDirectory = (roots: Roots): string => join(roots.dataRoot, 'containers');
export const containerDirectory = (roots: Roots, id: string): string =>
  join(roots.dataRoot, 'containers', id);
export const bundlesDirectory = (roots: Roots): string => join(roots.runRoot, 'bundles');
export const bundleDirectory = (roots: Roots, id: string): string => join(roots.runRoot, 'bundles', id);
/** Shared memory of a container with a shareable IPC namespace; on tmpfs, mounted by the engine. */
export const shmDirectory = (roots: Roots, id: string): string => join(roots.runRoot, 'shm', id);
/** Filesystems of stopped containers while something is copied in or out. */
export const viewsDirectory = (roots: Roots): string => join(roots.runRoot, 'views');
export const exitPath = (roots: Roots, id: string): string => join(containerDirectory(roots, id), 'exit');
export const logPath = (roots: Roots, id: string): string =>
  join(containerDirectory(roots, id), `${id}-json.log`);
/**
 * The files that are written at every start lie on tmpfs, since they are cheap there; beside the bundle, for they outlive a run: tools read them of stopped
 * containers, too.
 */
export const filesRoot = (roots: Roots): string => join(roots.runRoot, 'files');
export const filesDirectory = (roots: Roots, id: string): string => join(filesRoot(roots), id);
export const hostsPath = (roots: Roots, id: string): string => join(filesDirectory(roots, id), 'hosts');
export const hostnamePath = (roots: Roots, id: string): string => join(filesDirectory(roots, id), 'hostname');
export const resolvConfPath = (roots: Roots, id: string): string =>
  join(filesDirectory(roots, id), 'resolv.conf');
