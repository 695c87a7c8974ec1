/**
 * User namespaces of containers (`slipwayd --userns-remap`): who gets one, and which ids it has. What is
 * refused with them is refused in dockerd's words, at create and again at start, since the daemon's option may have changed.
 */

import { readFileSync } from 'node:fs';
import { chown, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { invalid } from '../../core/errors.ts';
import type { HostConfig } from '../../core/model/container-spec.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import { isIdentity, parseIdMap, rootOf, type IdMapping, type Owner } from '../../core/model/id-mapping.ts';
import type { Room } from './deps.ts';

type Options = Pick<Room, 'options'>;

/** The ids that a container gets at its next start; undefined for the host's own. */
export function remapOf(
  { options }: Options,
  { hostConfig }: Pick<ContainerRecord, 'hostConfig'>,
): IdMapping | undefined {
  return hostConfig.UsernsMode === 'host' ? undefined : options.idMapping;
}

/** The same as the owner of what the engine makes for it. */
export const ownerIn = (room: Options, record: Pick<ContainerRecord, 'hostConfig'>): Owner =>
  rootOf(remapOf(room, record));

/** The ids that a process has, whatever the daemon's option was when it was started. Throws when it is gone. */
export function idsOfProcess(pid: number): IdMapping | undefined {
  const read = (file: string) => parseIdMap(readFileSync(`/proc/${pid}/${file}`, 'utf8'));
  const [uids, gids] = [read('uid_map'), read('gid_map')];
  return isIdentity(uids) && isIdentity(gids) ? undefined : { uids, gids };
}

/** Of its process while it runs, else those of its next start. */
export function idsOf(room: Options, record: ContainerRecord): IdMapping | undefined {
  const { state } = record;
  if (!isActive(state) || state.pid === 0) return remapOf(room, record);
  try {
    return idsOfProcess(state.pid);
  } catch {
    return remapOf(room, record);
  }
}

/** `invalid` for what cannot go with a user namespace. */
export function checkRemap(room: Options, hostConfig: HostConfig): void {
  if (remapOf(room, { hostConfig }) === undefined) return;
  if (hostConfig.Privileged === true)
    throw invalid(
      'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
    );
  if (hostConfig.NetworkMode === 'host')
    throw invalid("cannot share the host's network namespace when user namespaces are enabled");
  if (hostConfig.PidMode === 'host')
    throw invalid('cannot share the host PID namespace when user namespaces are enabled');
}

/** Makes a directory with its parents; those that are new belong to `owner`. */
export async function makeOwned(path: string, owner: Owner): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined || (owner.uid === 0 && owner.gid === 0)) return;
  for (let at = path; at.length >= first.length; at = dirname(at)) await chown(at, owner.uid, owner.gid);
}
