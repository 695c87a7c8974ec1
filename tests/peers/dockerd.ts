/**
 * A reference dockerd (Debian's docker.io, unpacked and never installed), alone in network, mount and process
 * namespaces of its own, with its own containerd, data root and cgroup parent: to hold our answers and our speed
 * against. When its first process is killed the kernel ends everything in it.
 */

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { downloadPackage } from '../helpers/images/debian.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../..');

export interface Peer {
  readonly socket: string;
  /** dockerd's process as the host sees it. */
  readonly pid: number;
  /** Runs a command in dockerd's network namespace: to reach its containers and published ports. */
  readonly execInside: (command: readonly string[]) => Promise<{ stdout: string; stderr: string }>;
  /** Ends it and all it started, and removes its cgroups and files. */
  readonly stop: () => Promise<void>;
}

export interface PeerOptions {
  /** An empty or missing folder for everything that it writes; removed by `stop`. */
  readonly folder: string;
  /** Names its cgroup parent. */
  readonly name: string;
  readonly args?: readonly string[];
  /** A process whose network namespace it joins, instead of one of its own. */
  readonly networkOf?: number;
}

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

const script = `
set -e
ip link set lo up
mount -t tmpfs tmpfs /run
exec dockerd "$@"
`;

function dockerdArguments(unpacked: string, options: PeerOptions): string[] {
  const { folder } = options;
  writeFileSync(join(folder, 'daemon.json'), '{}\n');
  return [
    `--config-file=${join(folder, 'daemon.json')}`,
    `--data-root=${join(folder, 'data')}`,
    `--exec-root=${join(folder, 'exec')}`,
    `--pidfile=${join(folder, 'pid')}`,
    `--host=unix://${join(folder, 'docker.sock')}`,
    `--cgroup-parent=/${options.name}`,
    `--init-path=${join(unpacked, 'usr/bin/tini-static')}`,
    '--storage-driver=overlay2',
    ...(options.args ?? []),
  ];
}

async function answers(socket: string): Promise<boolean> {
  const client = connect(socket);
  try {
    await once(client, 'connect');
    client.end('GET /_ping HTTP/1.0\r\n\r\n');
    const [data] = (await once(client, 'data')) as [Buffer];
    return data.toString('latin1').includes(' 200 ');
  } catch {
    return false;
  } finally {
    client.destroy();
  }
}

async function waitReady(child: ChildProcess, socket: string, log: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await answers(socket))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`dockerd did not come up:\n${readFileSync(log, 'utf8').slice(-3000)}`);
    }
    await delay(50);
  }
}

/** unshare(1) forks: the first process of the namespaces is its only child. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

function removeCgroups(name: string): void {
  const roots = globSync(['/sys/fs/cgroup/*/', '/sys/fs/cgroup/']).map((root) => join(root, name));
  for (const root of roots.filter((path) => existsSync(path))) {
    const folders = globSync(join(root, '**/')).sort((a, b) => b.length - a.length);
    for (const folder of [...folders, root]) {
      if (existsSync(folder)) rmdirSync(folder);
    }
  }
}

export async function startDockerd(options: PeerOptions): Promise<Peer> {
  const unpacked = await unpackDockerd();
  const { folder } = options;
  mkdirSync(folder, { recursive: true });
  const socket = join(folder, 'docker.sock');
  const log = join(folder, 'dockerd.log');
  const output = openSync(log, 'w');
  const bins = ['usr/sbin', 'usr/bin', 'usr/libexec/docker'].map((bin) => join(unpacked, bin));
  const unshare = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'slave'];
  const command = ['unshare', ...unshare, 'sh', '-c', script, 'sh', ...dockerdArguments(unpacked, options)];
  const joined = ['nsenter', `--net=/proc/${options.networkOf}/ns/net`, ...command];
  const [program = '', ...args] = options.networkOf === undefined ? ['unshare', '--net', ...command] : joined;
  const child = spawn(program, args, {
    stdio: ['ignore', output, output],
    env: { ...process.env, PATH: [...bins, process.env['PATH'] ?? ''].join(':'), DOCKER_RAMDISK: '' },
  });
  closeSync(output);
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
    await removeWhenIdle(options.name);
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    await waitReady(child, socket, log);
  } catch (error) {
    await stop();
    throw error;
  }
  const pid = childOf(child.pid ?? 0);
  const execInside: Peer['execInside'] = async (inside) =>
    await run('nsenter', ['--net', '--target', String(pid), ...inside], { maxBuffer: 16 << 20 });
  return { socket, pid, execInside, stop };
}

/** The kernel ends the namespace's processes after its first one: their cgroups are busy until then. */
async function removeWhenIdle(name: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      removeCgroups(name);
      return;
    } catch (error) {
      if (tries >= 100) throw error;
      await delay(50);
    }
  }
}
