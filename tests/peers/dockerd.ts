/**
 * A reference dockerd (Debian's docker.io, unpacked and never installed), alone in network, mount and process
 * namespaces of its own, with its own containerd, data root and cgroup parent: to hold our answers and our speed
 * against. When its first process is killed the kernel ends everything in it.
 */

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { downloadPackage } from '../helpers/images/debian.ts';
import { startPeer, type Peer, type PeerOptions } from './process.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../..');

/** Unpacks dockerd and containerd into `.cache/dockerd` once; returns that folder. */
export async function unpackDockerd(): Promise<string> {
  const target = join(repository, '.cache/dockerd');
  if (existsSync(join(target, 'done'))) return target;
  for (const name of ['docker.io', 'containerd', 'tini']) {
    const file = await downloadPackage(name, join(repository, '.cache/packages'));
    await run('dpkg-deb', ['-x', file, target]);
  }
  writeFileSync(join(target, 'done'), '');
  return target;
}

function dockerdArguments(unpacked: string, options: PeerOptions): string[] {
  const { folder } = options;
  writeFileSync(join(folder, 'daemon.json'), '{}\n');
  return [
    `--config-file=${join(folder, 'daemon.json')}`,
    `--data-root=${join(folder, 'data')}`,
    // On the /run of its own mount namespace: a tmpfs, as everywhere.
    '--exec-root=/run/docker',
    '--pidfile=/run/docker.pid',
    `--host=unix://${join(folder, 'docker.sock')}`,
    `--cgroup-parent=/${options.name}`,
    `--init-path=${join(unpacked, 'usr/bin/tini-static')}`,
    '--storage-driver=overlay2',
    ...(options.args ?? []),
  ];
}

export async function startDockerd(options: PeerOptions): Promise<Peer> {
  const unpacked = await unpackDockerd();
  const { folder } = options;
  mkdirSync(folder, { recursive: true });
  const bins = ['usr/sbin', 'usr/bin', 'usr/libexec/docker'].map((bin) => join(unpacked, bin));
  return await startPeer(options, {
    command: ['dockerd', ...dockerdArguments(unpacked, options)],
    socket: join(folder, 'docker.sock'),
    log: join(folder, 'dockerd.log'),
    env: { PATH: [...bins, process.env['PATH'] ?? ''].join(':') },
  });
}
