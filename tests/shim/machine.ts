/** A small machine for tests of the shim: a busybox rootfs, directories, cgroups and a real Host, all of its own. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { newId } from '../../src/core/ids.ts';
import { silentLogger } from '../../src/core/log.ts';
import type { Runtime, Task, TaskSpec } from '../../src/core/ports/runtime.ts';
import { createHost, type KernelHost } from '../../src/host/index.ts';
import { createRuntime } from '../../src/runtime/shim/index.ts';

const root = join(import.meta.dirname, '../..');

/** The built shim; built now when its sources are newer. */
export function builtShim(): string {
  const directory = join(root, 'native/shim');
  const out = join(root, 'dist/bin/slipway-shim');
  // Test files run side by side: one builds, the others wait.
  execFileSync('flock', [join(directory, 'Makefile'), 'make', '-s', '-C', directory, `OUT=${out}`]);
  return out;
}

/** The built library that sets the size of an exec's terminal. */
export function builtConsoleSize(): string {
  const directory = join(root, 'native/console-size');
  const out = join(root, 'dist/lib/console-size.so');
  execFileSync('flock', [join(directory, 'Makefile'), 'make', '-s', '-C', directory, `OUT=${out}`]);
  return out;
}

/** crun refuses a hybrid layout while the unified mount has controllers; a v1 mount of hugetlb takes the last one away. */
function prepareCgroups(): void {
  const unified = '/sys/fs/cgroup/unified/cgroup.controllers';
  if (!existsSync(unified) || readFileSync(unified, 'utf8').trim() === '') return;
  mkdirSync('/sys/fs/cgroup/hugetlb', { recursive: true });
  execFileSync('mount', ['-t', 'cgroup', '-o', 'hugetlb', 'cgroup', '/sys/fs/cgroup/hugetlb']);
}

function makeRootfs(path: string): void {
  for (const directory of ['bin', 'proc', 'dev', 'sys', 'tmp', 'etc'])
    mkdirSync(join(path, directory), { recursive: true });
  cpSync('/bin/busybox', join(path, 'bin/busybox'));
  for (const name of [
    'sh',
    'true',
    'false',
    'cat',
    'sleep',
    'echo',
    'yes',
    'head',
    'dd',
    'seq',
    'id',
    'stty',
    'kill',
    'ls',
    'tty',
  ]) {
    symlinkSync('busybox', join(path, 'bin', name));
  }
  writeFileSync(join(path, 'etc/plain'), 'no program\n');
  chmodSync(join(path, 'etc/plain'), 0o644);
}

export interface ShimMachine {
  readonly directory: string;
  readonly host: KernelHost;
  readonly runtime: Runtime;
  readonly shimPath: string;
  newRuntime(): Promise<Runtime>;
  spec(
    args: readonly string[],
    changes?: Partial<TaskSpec>,
    linux?: Readonly<Record<string, unknown>>,
  ): TaskSpec;
  process(args: readonly string[], terminal?: boolean): unknown;
  /** Kills what still runs and removes everything of it. */
  finish(spec: TaskSpec, task: Task): Promise<void>;
  readLog(spec: TaskSpec): Promise<string>;
  close(): Promise<void>;
}

const capabilities = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID', 'CAP_SYS_ADMIN'];

function processDocument(args: readonly string[], terminal = false): Record<string, unknown> {
  return {
    terminal,
    user: { uid: 0, gid: 0 },
    args,
    env: ['PATH=/bin', 'TERM=xterm'],
    cwd: '/',
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: true,
  };
}

function document(
  rootfs: string,
  cgroup: string,
  args: readonly string[],
  terminal: boolean,
  linux: Readonly<Record<string, unknown>> = {},
): unknown {
  return {
    ociVersion: '1.0.2',
    process: processDocument(args, terminal),
    root: { path: rootfs, readonly: false },
    hostname: 'shim',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
    ],
    linux: {
      cgroupsPath: cgroup,
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })),
      ...linux,
    },
  };
}

/** v1 and hybrid: a directory in each controller; v2: one. */
function cgroupDirectories(cgroup: string): string[] {
  const base = '/sys/fs/cgroup';
  if (existsSync(join(base, 'cgroup.controllers'))) return [join(base, cgroup)];
  return readdirSync(base).map((controller) => join(base, controller, cgroup));
}

export async function createMachine(
  runtimeName: string,
  options: { readonly shimPath?: string; readonly directory?: string; readonly criu?: string } = {},
): Promise<ShimMachine> {
  prepareCgroups();
  const shimPath = options.shimPath ?? builtShim();
  const execPreload = builtConsoleSize();
  // A second machine over the same directory plays the daemon that comes back.
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'slip-'));
  const instance = basename(directory);
  const rootfs = join(directory, 'rootfs');
  if (!options.directory) makeRootfs(rootfs);
  const host = createHost();
  const newRuntime = (): Promise<Runtime> =>
    createRuntime({
      host,
      shimPath,
      runtimes: [
        { name: 'crun', path: '/usr/bin/crun', execPreload },
        { name: 'runc', path: '/usr/sbin/runc' },
        { name: 'absent', path: '/usr/bin/no-such-runtime' },
      ],
      runDir: join(directory, 'run'),
      findCriu: () => options.criu,
      log: silentLogger,
    });
  const runtime = await newRuntime();
  const specs: TaskSpec[] = [];
  return {
    directory,
    host,
    runtime,
    shimPath,
    newRuntime,
    process: processDocument,
    spec: (args, changes, linux) => {
      const containerId = newId();
      const cgroup = `/${instance}/${containerId}`;
      const data = join(directory, 'data', containerId);
      mkdirSync(data, { recursive: true });
      const spec: TaskSpec = {
        containerId,
        bundle: join(directory, 'run/bundles', containerId),
        ociSpec: document(rootfs, cgroup, args, changes?.terminal ?? false, linux),
        terminal: false,
        openStdin: false,
        stdinOnce: false,
        log: { path: join(data, 'json.log'), maxSize: 0, maxFile: 1 },
        exitPath: join(data, 'exit.json'),
        runtime: runtimeName,
        cgroupPaths: cgroupDirectories(cgroup),
        attachments: [],
        ...changes,
      };
      specs.push(spec);
      return spec;
    },
    finish: async (spec, task) => {
      await task.signal(9);
      await task.exit;
      task.release();
      await runtime.cleanup(backgroundCtx(), spec);
    },
    readLog: async (spec) => readFileSync(spec.log.path ?? '', 'utf8'),
    close: async () => {
      // A test that failed left its containers running.
      for (const spec of specs) await runtime.cleanup(backgroundCtx(), spec);
      await host.close();
      for (const path of cgroupDirectories(`/${instance}`)) if (existsSync(path)) rmdirSync(path);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
