/** What starting and ending an engine in namespaces of its own needs, whichever engine it is. */

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
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Peer {
  readonly socket: string;
  /** The engine's process as the host sees it. */
  readonly pid: number;
  /** Runs a command in the engine's network namespace: to reach its containers and published ports. */
  readonly execInside: (command: readonly string[]) => Promise<{ stdout: string; stderr: string }>;
  /** Ends it and all it started, and removes its cgroups and files. */
  readonly stop: () => Promise<void>;
}

export interface PeerOptions {
  /** An empty or missing folder for everything that it writes; removed by `stop`. */
  readonly folder: string;
  /** Names its cgroups, and everything else that is named for an instance. */
  readonly name: string;
  /** More arguments for the daemon. */
  readonly args?: readonly string[];
  /** A process whose network namespace it joins, instead of one of its own. */
  readonly networkOf?: number;
  /** Files below /etc that it alone sees, with their texts: `{ hosts: '...' }`. */
  readonly etc?: Readonly<Record<string, string>>;
}

export interface PeerCommand {
  readonly command: readonly string[];
  readonly socket: string;
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Shell commands before it starts, in its namespaces, with its own /run. */
  readonly preparation?: string;
  /** A system tree that it runs in instead of the host's; there the folder is `/peer`. */
  readonly tree?: string;
}

/** What the peer wants done, and files of its own over the /etc that it has, on the tmpfs of its own /run. */
const privateEtc = `eval "$PEER_PREPARATION"
if [ -d "$PEER_FOLDER/etc" ]; then
  mkdir -p /run/peer-etc/work
  cp -r "$PEER_FOLDER/etc" /run/peer-etc/upper
  mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/peer-etc/upper,workdir=/run/peer-etc/work /etc
fi`;

/** Nothing of the host's /run is seen or touched: no lock, socket or pid file of an engine there. */
const script = `
set -e
ip link set lo up
mount -t tmpfs tmpfs /run
${privateEtc}
exec "$@"
`;

/** With a tree for its root: not by chroot, from which the OCI runtime could not pivot again. */
const treeScript = `
set -e
ip link set lo up
tree=$1
mount --bind "$tree" "$tree"
for name in proc sys dev; do mount --rbind /$name "$tree/$name"; done
mount --bind "$2" "$tree/peer"
mount -t tmpfs tmpfs "$tree/run"
mount -t tmpfs tmpfs "$tree/tmp"
cd "$tree"
pivot_root . old
cd /
umount -l /old
shift 2
${privateEtc}
exec "$@"
`;

async function answersPing(socket: string): Promise<boolean> {
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

/** Waits until the engine answers on its socket, or fails with the end of its log. */
async function waitForSocket(child: ChildProcess, socket: string, log: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await answersPing(socket))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`the engine did not come up:\n${readFileSync(log, 'utf8').slice(-3000)}`);
    }
    await delay(50);
  }
}

/** unshare(1) forks: the first process of the namespaces is its only child. */
function firstChildOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

function removeOnce(name: string): void {
  const roots = globSync(['/sys/fs/cgroup/*/', '/sys/fs/cgroup/']).map((root) => join(root, name));
  for (const root of roots.filter((path) => existsSync(path))) {
    const folders = globSync(join(root, '**/')).sort((a, b) => b.length - a.length);
    for (const folder of [...folders, root]) {
      if (existsSync(folder)) rmdirSync(folder);
    }
  }
}

/** The kernel ends the namespace's processes after its first one: their cgroups are busy until then. */
async function removeCgroups(name: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      removeOnce(name);
      return;
    } catch (error) {
      if (tries >= 100) throw error;
      await delay(50);
    }
  }
}

/** The kernel ends the first process of the namespaces when unshare is gone, and with that one all others. */
async function waitGone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await delay(10);
}

/** Starts an engine in network, mount and process namespaces of its own and waits until it answers. */
export async function startPeer(options: PeerOptions, started: PeerCommand): Promise<Peer> {
  const { socket, log } = started;
  const output = openSync(log, 'w');
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'slave'];
  const { tree } = started;
  const shell = tree === undefined ? [script, 'sh'] : [treeScript, 'sh', tree, options.folder];
  const inside = ['unshare', ...namespaces, 'sh', '-c', ...shell, ...started.command];
  const network =
    options.networkOf === undefined
      ? ['unshare', '--net']
      : ['nsenter', `--net=/proc/${options.networkOf}/ns/net`];
  const [program = '', ...args] = [...network, ...inside];
  for (const [name, text] of Object.entries(options.etc ?? {})) {
    mkdirSync(dirname(join(options.folder, 'etc', name)), { recursive: true });
    writeFileSync(join(options.folder, 'etc', name), text);
  }
  const env = {
    ...process.env,
    ...started.env,
    PEER_PREPARATION: started.preparation ?? '',
    PEER_FOLDER: tree === undefined ? options.folder : '/peer',
  };
  const child = spawn(program, args, { stdio: ['ignore', output, output], env });
  closeSync(output);
  const exited = once(child, 'exit');
  let first: number | undefined;
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
    if (first !== undefined) await waitGone(first);
    await removeCgroups(options.name);
    rmSync(options.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    await waitForSocket(child, socket, log);
  } catch (error) {
    await stop();
    throw error;
  }
  // nsenter and unshare replace themselves by the next: the last unshare forks, and its only child is the engine.
  const pid = firstChildOf(child.pid ?? 0);
  first = pid;
  const execInside: Peer['execInside'] = async (command) =>
    await run('nsenter', ['--net', '--target', String(pid), ...command], { maxBuffer: 16 << 20 });
  return { socket, pid, execInside, stop };
}
