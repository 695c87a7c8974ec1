/**
 * A reference dockerd (Debian's docker.io, unpacked and never installed), alone in network, mount and process
 * namespaces of its own, with its own containerd, data root and cgroup parent: to hold our answers and our speed
 * against. When its first process is killed the kernel ends everything in it. 20.10 (Debian 12's) runs in the host's tree,
 * 26.1 (Debian 13's) in a tree of its own with its own C library.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackPackages } from '../helpers/images/debian.ts';
import { startPeer, type Peer, type PeerOptions } from './process.ts';
import { unpackTrixie } from './trixie.ts';

/** With the newest version of the API that each one has: 1.41 and 1.45. */
export type DockerdVersion = '20.10' | '26.1';
export const dockerdVersions: readonly DockerdVersion[] = ['20.10', '26.1'];

/** Unpacks dockerd and containerd into `.cache/dockerd` once; returns that folder. */
export const unpackDockerd = (): Promise<string> =>
  unpackPackages('dockerd', ['docker.io', 'containerd', 'tini']);

interface Places {
  /** The peer's folder as dockerd sees it. */
  readonly folder: string;
  /** Where its package is unpacked, as dockerd sees it. */
  readonly unpacked: string;
}

function dockerdArguments(places: Places, options: PeerOptions): string[] {
  writeFileSync(join(options.folder, 'daemon.json'), '{}\n');
  return [
    `--config-file=${join(places.folder, 'daemon.json')}`,
    `--data-root=${join(places.folder, 'data')}`,
    // On the /run of its own mount namespace: a tmpfs, as everywhere.
    '--exec-root=/run/docker',
    '--pidfile=/run/docker.pid',
    `--host=unix://${join(places.folder, 'docker.sock')}`,
    `--cgroup-parent=/${options.name}`,
    `--init-path=${join(places.unpacked, 'usr/bin/tini-static')}`,
    '--storage-driver=overlay2',
    ...(options.args ?? []),
  ];
}

/**
 * containerd reads no counters when a hierarchy of cgroups has no mount that it can see, although it does not use it. Beside
 * /sys/fs/cgroup nobody makes groups in it.
 */
const allHierarchies = `while IFS=: read -r number name path; do
  case "$number:$name" in 0:*|*:name=*|*:) continue;; esac
  while read -r id parent device root place rest; do
    case "$rest" in *" - cgroup "*) case ",\${rest##*rw,}," in *",$name,"*) continue 2;; esac;; esac
  done < /proc/self/mountinfo
  mkdir -p "/run/cgroup/$name"
  mount -t cgroup -o "$name" cgroup "/run/cgroup/$name" || true
done < /proc/self/cgroup`;

const binaries = ['usr/sbin', 'usr/bin', 'usr/libexec/docker'];

export async function startDockerd(options: PeerOptions, version: DockerdVersion = '20.10'): Promise<Peer> {
  const { folder } = options;
  mkdirSync(folder, { recursive: true });
  const common = {
    socket: join(folder, 'docker.sock'),
    log: join(folder, 'dockerd.log'),
    preparation: allHierarchies,
  };
  if (version === '26.1') {
    const tree = await unpackTrixie();
    const places = { folder: '/peer', unpacked: '/' };
    return await startPeer(options, {
      ...common,
      command: ['dockerd', ...dockerdArguments(places, options)],
      env: { PATH: binaries.map((bin) => `/${bin}`).join(':') },
      tree,
    });
  }
  const unpacked = await unpackDockerd();
  const bins = binaries.map((bin) => join(unpacked, bin));
  return await startPeer(options, {
    ...common,
    command: ['dockerd', ...dockerdArguments({ folder, unpacked }, options)],
    env: { PATH: [...bins, process.env['PATH'] ?? ''].join(':') },
  });
}
