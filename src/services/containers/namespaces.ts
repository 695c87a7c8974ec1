/** Which namespaces a container gets, shares or joins. */

import { conflict } from '../../core/errors.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { NamespaceChoice, SpecInput, SpecMount } from '../../core/ports/spec-builder.ts';
import type { Room } from './deps.ts';

/** The container that a mode `container:REF` names. `notFound` when there is none. */
export function sharedWith(room: Pick<Room, 'table'>, mode: string): ContainerRecord | undefined {
  return mode.startsWith('container:')
    ? room.table.resolve(mode.slice('container:'.length)).record
    : undefined;
}

function join(room: Room, what: string, mode: string, file: string): NamespaceChoice | undefined {
  const other = sharedWith(room, mode);
  if (other === undefined) return undefined;
  if (!isActive(other.state) || other.state.pid === 0) {
    throw conflict(`cannot join ${what} of a non running container: ${other.id}`);
  }
  return { path: `/proc/${other.state.pid}/ns/${file}` };
}

function plain(mode: string | undefined): NamespaceChoice {
  return mode === 'host' ? 'host' : 'private';
}

/** Choices by the record's modes; `network` is the namespace that was made for it, if one was. */
export function chooseNamespaces(
  room: Room,
  record: ContainerRecord,
  network: string | undefined,
): SpecInput['namespaces'] {
  const { hostConfig } = record;
  const networkMode = hostConfig.NetworkMode ?? '';
  return {
    network:
      join(room, 'network', networkMode, 'net') ?? (network === undefined ? 'host' : { path: network }),
    pid: join(room, 'PID namespace', hostConfig.PidMode ?? '', 'pid') ?? plain(hostConfig.PidMode),
    ipc: join(room, 'IPC namespace', hostConfig.IpcMode ?? '', 'ipc') ?? plain(hostConfig.IpcMode),
    uts: plain(hostConfig.UTSMode),
    cgroup: hostConfig.CgroupnsMode === 'private' ? 'private' : 'host',
  };
}

/** /dev/shm and /dev/mqueue where the IPC namespace is not the container's own. */
export function sharedIpcMounts(room: Room, record: ContainerRecord): readonly SpecMount[] {
  const mode = record.hostConfig.IpcMode ?? '';
  const other = sharedWith(room, mode);
  if (other === undefined && mode !== 'host') return [];
  const root = other === undefined ? '' : `/proc/${other.state.pid}/root`;
  return ['/dev/shm', '/dev/mqueue'].map((path) => ({
    destination: path,
    type: 'bind',
    source: `${root}${path}`,
    options: ['rbind', 'rprivate'],
  }));
}
