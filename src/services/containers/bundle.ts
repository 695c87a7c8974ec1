/** The files that the engine puts into every container: hosts, hostname, resolv.conf. */

import { readFile, writeFile } from 'node:fs/promises';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { SpecMount } from '../../core/ports/spec-builder.ts';
import type { Room } from './deps.ts';
import { sharedWith } from './namespaces.ts';
import { hostnamePath, hostsPath, resolvConfPath } from './paths.ts';

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

/** Writes the three files. In place, not by rename: a running container has them bind-mounted by inode. */
export async function writeNetworkFiles(room: Room, record: ContainerRecord): Promise<void> {
  const { options, networks } = room;
  const usesHost = record.hostConfig.NetworkMode === 'host';
  const base = usesHost ? await readFile('/etc/hosts', 'utf8').catch(() => localHosts) : localHosts;
  await Promise.all([
    writeFile(hostsPath(options, record.id), hostsFile(networks.hostEntries(record), base), { mode: 0o644 }),
    writeFile(hostnamePath(options, record.id), `${record.config.Hostname ?? ''}\n`, { mode: 0o644 }),
    writeFile(resolvConfPath(options, record.id), networks.resolvConf(record), { mode: 0o644 }),
  ]);
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
