/** `checkpoint` of the OCI runtime: criu writes the processes' state into files, the processes stay as they were. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { internal } from '../../core/errors.ts';
import { criuErrors } from './criu.ts';
import { runtimeEnvironment, runtimeNamed, type ConfiguredRuntime, type ShimDeps } from './deps.ts';
import { lastMessage } from './failure.ts';

/** Names of namespaces in runc's state and in the OCI specification (crun's copy of it), with their files below /proc/PID/ns. */
const namespaceFiles: Readonly<Record<string, string>> = {
  NEWNET: 'net',
  network: 'net',
  NEWPID: 'pid',
  pid: 'pid',
  NEWIPC: 'ipc',
  ipc: 'ipc',
  NEWUTS: 'uts',
  uts: 'uts',
  NEWUSER: 'user',
  user: 'user',
  NEWNS: 'mnt',
  mount: 'mnt',
  NEWCGROUP: 'cgroup',
  cgroup: 'cgroup',
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The runtime's state of a container, with the process itself for the namespaces that it joined. The network's path there leads
 * through a descriptor of the engine that was closed after the start; criu must leave that namespace out and needs to know which it
 * is. Pure.
 */
export function withLiveNamespaces(document: unknown, pid: number): unknown {
  if (!isObject(document)) return document;
  const parts = ['config', 'linux'].filter((key) => isObject(document[key]));
  const changed = parts.map((key) => {
    const part = document[key] as Record<string, unknown>;
    const list = Array.isArray(part['namespaces']) ? (part['namespaces'] as readonly unknown[]) : [];
    const namespaces = list.map((entry) => {
      if (!isObject(entry) || typeof entry['path'] !== 'string' || entry['path'] === '') return entry;
      const file = namespaceFiles[String(entry['type'])];
      return file === undefined ? entry : { ...entry, path: `/proc/${pid}/ns/${file}` };
    });
    return [key, list.length === 0 ? part : { ...part, namespaces }];
  });
  return { ...document, ...Object.fromEntries(changed) };
}

const stateFiles = ['state.json', 'config.json'];

/** A copy of the runtime's state below a root of its own: the one that the container runs by is not touched. */
async function copyState(from: string, to: string, pid: number): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const name of await readdir(from)) {
    if (!(await lstat(join(from, name))).isFile()) continue;
    if (!stateFiles.includes(name)) {
      await copyFile(join(from, name), join(to, name));
      continue;
    }
    const document: unknown = JSON.parse(await readFile(join(from, name), 'utf8'));
    await writeFile(join(to, name), JSON.stringify(withLiveNamespaces(document, pid)), { mode: 0o600 });
  }
}

interface Ended {
  /** Exit status, or the signal's name. */
  readonly how: string | undefined;
  readonly stderr: string;
}

/** `started` is called with the runtime's process id, before anything else can happen. */
function call(
  runtime: ConfiguredRuntime,
  args: readonly string[],
  env: readonly string[],
  started: (pid: number) => void,
): Promise<Ended> {
  const path = runtime.startPath ?? runtime.path;
  const variables = Object.fromEntries(env.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  return new Promise((resolve) => {
    const child = execFile(path, args, { env: variables, maxBuffer: 1 << 20 }, (error, _stdout, stderr) => {
      if (error === null) return resolve({ how: undefined, stderr });
      const how = error.signal == null ? `exit status ${error.code}` : `signal ${error.signal}`;
      return resolve({ how, stderr: stderr === '' ? error.message : stderr });
    });
    if (child.pid !== undefined) started(child.pid);
  });
}

const readIfThere = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

/** What the runtime and criu say about a failure, in one line. */
export async function failureWords(text: string, criuLog: string): Promise<string> {
  const said = lastMessage(text).replace(/\nlog file: .*$/s, '');
  const why = criuErrors(await readIfThere(criuLog));
  return why === '' ? said : `${said}: ${why}`;
}

/** Field 22 of /proc/PID/stat. */
const startTicks = (pid: number): string =>
  readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[19] ?? '';

const pollMs = 50;

/**
 * A daemon that is killed while a checkpoint is written leaves runtime and criu at it: they must not be ended, for criu has
 * code of its own in the processes meanwhile. Resolves when they are done. Only then may the container be frozen or thawed:
 * criu puts it back into the state that it was found in.
 */
export async function formerCheckpoint(deps: ShimDeps, containerId: string): Promise<void> {
  const root = deps.paths.checkpointRoot(containerId);
  let named: string;
  try {
    named = readFileSync(join(root, 'process'), 'utf8');
  } catch {
    return;
  }
  const [pid = '', ticks = ''] = named.trim().split(' ');
  deps.log.info('a checkpoint that the former daemon began is waited for', { container: containerId });
  for (;;) {
    const pidfd = deps.host.openPidfd(Number(pid), ticks);
    if (pidfd < 0) break;
    deps.host.closeFd(pidfd);
    await delay(pollMs);
  }
  rmSync(root, { recursive: true, force: true });
}

/** The errors of a failed checkpoint in the words of containerd's shim, and of criu. */
export async function checkpointTask(
  deps: ShimDeps,
  input: { readonly containerId: string; readonly runtime: string; readonly pid: number },
  images: string,
): Promise<void> {
  const { containerId } = input;
  const runtime = runtimeNamed(deps, input.runtime);
  const root = deps.paths.checkpointRoot(containerId);
  const [work, log] = [join(root, 'work'), join(root, 'log')];
  const begin = performance.now();
  // Left by a daemon that was killed.
  await rm(root, { recursive: true, force: true });
  try {
    const state = join(deps.paths.runtimeRoot(input.runtime), containerId);
    await copyState(state, join(root, 'state', containerId), input.pid);
    await mkdir(work, { mode: 0o700 });
    const [own, paths] = [
      ['--root', join(root, 'state'), '--log', log, '--log-format', 'json'],
      ['--image-path', images, '--work-path', work],
    ];
    const ended = await call(
      runtime,
      [...(runtime.args ?? []), ...own, 'checkpoint', ...paths, '--leave-running', containerId],
      runtimeEnvironment(runtime, deps.checkpoints.directory()),
      (pid) => writeFileSync(join(root, 'process'), `${pid} ${startTicks(pid)}\n`),
    );
    if (ended.how !== undefined) {
      const words = await failureWords((await readIfThere(log)) || ended.stderr, join(work, 'dump.log'));
      throw internal(`${input.runtime} did not terminate successfully: ${ended.how}: ${words}`);
    }
    const ms = Math.round(performance.now() - begin);
    deps.log.debug('checkpoint written', { container: containerId, images, ms });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
