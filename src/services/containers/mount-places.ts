/** What has to exist in a container for its mounts: told to the storage driver, which may have it at hand. */

import type { HostConfig } from '../../core/model/container-spec.ts';
import { initDestination } from '../../core/model/system-paths.ts';
import type { MountPlace } from '../../core/ports/snapshot-driver.ts';
import type { PlannedMount } from './parse-mount.ts';

/** Any user may write to a tmpfs that says nothing else. */
const tmpfsMode = 0o1777;

function modeOf(options: readonly string[]): number {
  const given = options.findLast((option) => option.startsWith('mode='));
  const mode = given === undefined ? tmpfsMode : Number.parseInt(given.slice('mode='.length), 8);
  return Number.isNaN(mode) ? tmpfsMode : mode & 0o7777;
}

/** `kind` is that of the source. Undefined for a part of a volume or an image, of which only the start tells whether it is a file. */
export function placeOf(mount: PlannedMount, kind: MountPlace['kind']): MountPlace | undefined {
  const { destination: path } = mount;
  if (mount.subpath !== undefined) return undefined;
  // The runtimes give a tmpfs the mode of the directory that they find.
  return mount.type === 'tmpfs' ? { path, kind, mode: modeOf(mount.options ?? []) } : { path, kind };
}

/** Of the init program that the engine puts into a container. */
export const initPlaces = ({ Init }: HostConfig): readonly MountPlace[] =>
  Init === true ? [{ path: initDestination, kind: 'file' }] : [];
