/** The files that the engine puts into every container: hosts, hostname, resolv.conf. */

import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writingTo } from '../../core/errors.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { SpecMount } from '../../core/ports/spec-builder.ts';
import type { Room } from './deps.ts';
import { sharedWith } from './namespaces.ts';
import { filesDirectory, hostnamePath, hostsPath, resolvConfPath } from './paths.ts';
import { ownerIn } from './remap.ts';

const localHosts = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;

/** /etc/hosts of a container; `base` is the host's own with the host's network. Pure. */
export function hostsFile(entries: readonly (readonly [string, string])[], base = localHosts): string {
  const lines = entries.map(([address, names]) => `${address}\t${names}\n`).join('');
  return base.endsWith('\n') || base === '' ? base + lines : `${base}\n${lines}`;
}

/**
 * Writes the three files. In place, not by rename: a running container has them bind-mounted by inode. Without the
 * thread pool: on tmpfs that costs less than a turn through it.
 */
export function writeNetworkFiles(room: Room, record: ContainerRecord): void {
  const { options, networks } = room;
  const usesHost = record.hostConfig.NetworkMode === 'host';
  mkdirSync(filesDirectory(options, record.id), { recursive: true, mode: 0o711 });
  const owner = ownerIn(room, record);
  const write = (path: string, text: string): void => {
    writingTo(path, () => writeFileSync(path, text, { mode: 0o644 }));
    if (owner.uid !== 0 || owner.gid !== 0) chownSync(path, owner.uid, owner.gid);
  };
  write(
    hostsPath(options, record.id),
    hostsFile(networks.hostEntries(record), usesHost ? ownHosts() : localHosts),
  );
  write(hostnamePath(options, record.id), `${record.config.Hostname ?? ''}\n`);
  write(resolvConfPath(options, record.id), networks.resolvConf(record));
}

/** With the container itself. Idempotent. */
export function removeNetworkFiles(room: Pick<Room, 'options'>, id: string): void {
  rmSync(filesDirectory(room.options, id), { recursive: true, force: true });
}

function ownHosts(): string {
  try {
    return readFileSync('/etc/hosts', 'utf8');
  } catch {
    return localHosts;
  }
}

/** Their binds; a container that joins another's network sees that one's files. */
export function networkFileMounts(room: Room, record: ContainerRecord): readonly SpecMount[] {
  const other = sharedWith(room, record.hostConfig.NetworkMode ?? '');
  const id = other?.id ?? record.id;
  const own = new Set(record.mounts.map((mount) => mount.destination));
  const files = [
    { destination: '/etc/resolv.conf', source: resolvConfPath(room.options, id) },
    { destination: '/etc/hostname', source: hostnamePath(room.options, id) },
    { destination: '/etc/hosts', source: hostsPath(room.options, id) },
  ];
  const access = record.hostConfig.ReadonlyRootfs === true ? ['ro'] : [];
  return files
    .filter((file) => !own.has(file.destination))
    .map((file) => ({ ...file, type: 'bind', options: ['rbind', 'rprivate', ...access] }));
}
