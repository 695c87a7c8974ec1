/** Which namespaces a container gets, shares or joins. */

import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { conflict, invalid } from '../../core/errors.ts';
import type { UndoStack } from '../../core/undo.ts';
import { isActive, type ContainerRecord } from '../../core/model/container.ts';
import type { HostConfig } from '../../core/model/container-spec.ts';
import type { NamespaceChoice, SpecInput, SpecMount } from '../../core/ports/spec-builder.ts';
import type { Owner } from '../../core/model/id-mapping.ts';
import type { Room } from './deps.ts';
import { shmDirectory } from './paths.ts';
import { ownerIn, remapOf } from './remap.ts';

/** The container that a mode `container:REF` names. `notFound` when there is none. */
export function sharedWith(room: Pick<Room, 'table'>, mode: string): ContainerRecord | undefined {
  return mode.startsWith('container:')
    ? room.table.resolve(mode.slice('container:'.length)).record
    : undefined;
}

/** As Docker words it for each kind of namespace. */
const refusals = {
  net: (id: string) => `cannot join network of a non running container: ${id}`,
  pid: (id: string) => `can't join PID namespace of container ${id}: container ${id} is not running`,
  ipc: (id: string) => `can't join IPC of container ${id}: container ${id} is not running`,
} as const;

function join(room: Room, mode: string, file: keyof typeof refusals): NamespaceChoice | undefined {
  const other = sharedWith(room, mode);
  if (other === undefined) return undefined;
  if (!isActive(other.state) || other.state.pid === 0) throw conflict(refusals[file](other.id));
  return { path: `/proc/${other.state.pid}/ns/${file}` };
}

/** What a container is called inside: one that joins another's network is called as that one. */
export function hostnameInside(room: Room, record: ContainerRecord): string {
  const other = sharedWith(room, record.hostConfig.NetworkMode ?? '');
  return (other ?? record).config.Hostname ?? '';
}

/**
 * Modes with the ids of the containers that they name, so that a rename changes nothing. A container that is not there is a
 * mistake for process and IPC namespaces; for the network it shows at the start, as with Docker.
 */
export function withContainerIds(room: Pick<Room, 'table'>, host: HostConfig): HostConfig {
  const resolved = (mode: string | undefined, late: boolean): string | undefined => {
    try {
      const other = sharedWith(room, mode ?? '');
      return other === undefined ? mode : `container:${other.id}`;
    } catch (error) {
      if (late) return mode;
      throw invalid(error instanceof Error ? error.message : '', error);
    }
  };
  const network = resolved(host.NetworkMode, true);
  const pid = resolved(host.PidMode, false);
  const ipc = resolved(host.IpcMode, false);
  return {
    ...host,
    ...(network === undefined ? {} : { NetworkMode: network }),
    ...(pid === undefined ? {} : { PidMode: pid }),
    ...(ipc === undefined ? {} : { IpcMode: ipc }),
  };
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
    network: join(room, networkMode, 'net') ?? (network === undefined ? 'host' : { path: network }),
    pid: join(room, hostConfig.PidMode ?? '', 'pid') ?? plain(hostConfig.PidMode),
    ipc: join(room, hostConfig.IpcMode ?? '', 'ipc') ?? plain(hostConfig.IpcMode),
    uts: plain(hostConfig.UTSMode),
    cgroup: hostConfig.CgroupnsMode === 'private' ? 'private' : 'host',
  };
}

/** /dev/shm and /dev/mqueue where they are not the container's own alone. */
export function sharedIpcMounts(room: Room, record: ContainerRecord): readonly SpecMount[] {
  const mode = record.hostConfig.IpcMode ?? '';
  const bind = (path: string, source: string): SpecMount => ({
    destination: path,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate'],
  });
  // Shows the queues of the namespace that it is mounted in.
  const queues = {
    destination: '/dev/mqueue',
    type: 'mqueue',
    source: 'mqueue',
    options: ['nosuid', 'noexec', 'nodev'],
  };
  // The host's queues cannot be mounted by the users of another namespace, only bound.
  if (mode === 'host' && remapOf(room, record) !== undefined) {
    const shared = ['/dev/shm', '/dev/mqueue'].filter((path) => existsSync(path));
    return shared.map((path) => bind(path, path));
  }
  if (mode === 'host') return [bind('/dev/shm', '/dev/shm'), queues];
  if (mode === 'shareable') return [bind('/dev/shm', shmDirectory(room.options, record.id))];
  const other = sharedWith(room, mode);
  if (other === undefined) return [];
  // A mount of another container's namespace cannot be bound: only one that the engine holds on the host can.
  if (other.hostConfig.IpcMode !== 'shareable') {
    throw invalid(
      `can't join IPC of container ${other.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    );
  }
  return [bind('/dev/shm', shmDirectory(room.options, other.id)), queues];
}

const ownedBy = ({ uid, gid }: Owner): string => (uid === 0 && gid === 0 ? '' : `,uid=${uid},gid=${gid}`);

/** Makes the shared memory of a container whose IPC namespace others may join. */
export async function mountSharedMemory(room: Room, undo: UndoStack, record: ContainerRecord): Promise<void> {
  if (record.hostConfig.IpcMode !== 'shareable') return;
  const target = shmDirectory(room.options, record.id);
  await mkdir(target, { recursive: true, mode: 0o700 });
  undo.push('shared memory', () => unmountSharedMemory(room, record));
  await room.host.mount({
    source: 'shm',
    target,
    fstype: 'tmpfs',
    flags: ['nosuid', 'nodev', 'noexec'],
    data: `mode=1777,size=${record.hostConfig.ShmSize ?? 0}${ownedBy(ownerIn(room, record))}`,
  });
}

/** Idempotent. */
export async function unmountSharedMemory(room: Room, record: ContainerRecord): Promise<void> {
  if (record.hostConfig.IpcMode !== 'shareable') return;
  const target = shmDirectory(room.options, record.id);
  await room.host.unmount(target, { detach: true });
  await rm(target, { recursive: true, force: true });
}
