import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Ctx } from '../../core/ctx.ts';
import { internal, writingTo } from '../../core/errors.ts';
import type { Task, TaskSpec } from '../../core/ports/runtime.ts';
import { withUndo } from '../../core/undo.ts';
import { ShimAttachment } from './attachment.ts';
import { cleanupTask, killProcess } from './cleanup.ts';
import { adoptConnection, type ShimConnection } from './connection.ts';
import { withConsoleSize } from './console-size.ts';
import { ShimControl, type StartOutcome } from './control.ts';
import { failureWords } from './checkpoint.ts';
import { runtimeEnvironment, runtimeNamed, type ShimDeps } from './deps.ts';
import { runtimeError } from './failure.ts';
import { createTask } from './task.ts';

/** Only the memory hierarchy counts OOM kills; with v2 there is but one. */
function oomCgroups(cgroupPaths: readonly string[]): readonly string[] {
  const memory = cgroupPaths.filter((path) => path.includes('/memory/'));
  return memory.length > 0 ? memory : cgroupPaths;
}

function shimArguments(deps: ShimDeps, spec: TaskSpec): string[] {
  const runtime = runtimeNamed(deps, spec.runtime);
  const [rows, columns] = spec.consoleSize ?? [0, 0];
  const args = ['slipway-shim', '--id', spec.containerId, '--bundle', spec.bundle];
  args.push(
    '--runtime',
    runtime.startPath ?? runtime.path,
    '--runtime-root',
    deps.paths.runtimeRoot(spec.runtime),
  );
  for (const arg of runtime.args ?? []) args.push('--runtime-arg', arg);
  if (runtime.execPreload !== undefined) args.push('--exec-preload', runtime.execPreload);
  args.push('--socket', deps.paths.socket(spec.containerId), '--exit-record', spec.exitPath);
  args.push('--spill-dir', dirname(spec.exitPath));
  if (spec.restoreFrom !== undefined) args.push('--restore', spec.restoreFrom);
  if (spec.log.path !== undefined) {
    args.push('--log', spec.log.path, '--log-max-size', String(spec.log.maxSize));
    args.push('--log-max-file', String(spec.log.maxFile));
    if (spec.log.keepBytes === true) args.push('--log-keep-bytes', '1');
    if (spec.log.unsentMax !== undefined) {
      args.push('--log-cursor', `${spec.log.path}.cursor`, '--log-unsent-max', String(spec.log.unsentMax));
    }
    if (spec.log.attributes) args.push('--log-attributes', JSON.stringify(spec.log.attributes));
  }
  args.push('--terminal', spec.terminal ? '1' : '0', '--rows', String(rows), '--columns', String(columns));
  args.push('--open-stdin', spec.openStdin ? '1' : '0', '--stdin-once', spec.stdinOnce ? '1' : '0');
  if (spec.root !== undefined) {
    args.push('--root-uid', String(spec.root.uid), '--root-gid', String(spec.root.gid));
  }
  for (const path of oomCgroups(spec.cgroupPaths)) args.push('--cgroup', path);
  args.push('--control', '1');
  for (const { stdin, stdout, stderr } of spec.attachments) {
    args.push('--attach', `-${stdin ? 'i' : ''}${stdout ? 'o' : ''}${stderr ? 'e' : ''}`);
  }
  return args;
}

function documentOf(spec: TaskSpec): unknown {
  if (!spec.terminal || !spec.consoleSize) return spec.ociSpec;
  const document = spec.ociSpec as { process?: unknown };
  return { ...document, process: withConsoleSize(document.process, spec.consoleSize) };
}

function writeBundle(spec: TaskSpec): void {
  // The environment in it may hold secrets. On a tmpfs: cheaper than a turn through the thread pool.
  mkdirSync(spec.bundle, { recursive: true, mode: 0o711 });
  const file = join(spec.bundle, 'config.json');
  writingTo(file, () => writeFileSync(file, JSON.stringify(documentOf(spec)), { mode: 0o600 }));
  mkdirSync(dirname(spec.exitPath), { recursive: true, mode: 0o710 });
  // The record of the run before must not be taken for this one's.
  rmSync(spec.exitPath, { force: true });
}

interface Spawned {
  readonly pid: number;
  readonly pidfd: number;
  readonly control: ShimConnection;
  readonly attachments: readonly ShimConnection[];
}

/** The shim starts with its first clients connected, so that nothing has to be awaited and no output passes them by. */
async function spawnShim(deps: ShimDeps, spec: TaskSpec): Promise<Spawned> {
  const pairs = [undefined, ...spec.attachments].map(() => deps.host.socketpair());
  const fds: Record<number, number> = {};
  pairs.forEach(([, theirs], index) => {
    fds[3 + index] = theirs;
  });
  try {
    const child = await deps.host.spawn({
      path: deps.shimPath,
      args: shimArguments(deps, spec),
      env: environmentOf(deps, spec),
      fds,
      newSession: true,
    });
    const [control, ...attachments] = pairs.map(([ours]) => adoptConnection(ours));
    if (!control) throw internal('the shim has no control connection');
    return { ...child, control, attachments };
  } catch (error) {
    for (const [ours] of pairs) deps.host.closeFd(ours);
    throw error;
  } finally {
    for (const [, theirs] of pairs) deps.host.closeFd(theirs);
  }
}

/** A restore needs criu, which the runtime looks for itself. */
function environmentOf(deps: ShimDeps, spec: TaskSpec): readonly string[] {
  const criu = spec.restoreFrom === undefined ? undefined : deps.checkpoints.directory();
  return runtimeEnvironment(runtimeNamed(deps, spec.runtime), criu);
}

function commandOf(spec: TaskSpec): string {
  const args = (spec.ociSpec as { process?: { args?: unknown } }).process?.args;
  return Array.isArray(args) ? String(args[0] ?? '') : '';
}

async function requireStarted(spec: TaskSpec, outcome: StartOutcome) {
  if (outcome.kind === 'started') return outcome.state;
  if (outcome.kind === 'lost') {
    throw internal(`the shim of container ${spec.containerId} ended before the container ran`);
  }
  const { status, text } = outcome;
  if (spec.restoreFrom !== undefined) {
    const words = await failureWords(text, join(spec.bundle, 'restore.log'));
    throw runtimeError({ verb: 'restore', runtime: spec.runtime, command: '', status, text: words });
  }
  throw runtimeError({ verb: 'create', runtime: spec.runtime, command: commandOf(spec), status, text });
}

/** The limits hold in the cgroup only: a runtime that restored the process elsewhere has freed it of them. */
function isInCgroup(spec: TaskSpec, pid: number): boolean {
  const there = spec.cgroupPaths.filter((path) => existsSync(path));
  const holds = (path: string): boolean =>
    readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').includes(String(pid));
  return there.some(holds);
}

/** What criu says while it works is of use when it fails; it would stay in memory. */
function removeRestoreFiles(bundle: string): void {
  for (const name of ['restore.log', 'stats-restore']) rmSync(join(bundle, name), { force: true });
}

const stuckAfterMs = 10_000;

/** A start that was cancelled and still does not come to an end (a runtime that hangs in the kernel) is given up. */
async function startedOrStuck(ctx: Ctx, control: ShimControl): Promise<StartOutcome> {
  let timer: NodeJS.Timeout | undefined;
  const { promise, resolve } = Promise.withResolvers<StartOutcome>();
  const onAbort = (): void => {
    timer = setTimeout(() => resolve({ kind: 'lost' }), stuckAfterMs);
  };
  if (ctx.signal.aborted) onAbort();
  else ctx.signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([control.started, promise]);
  } finally {
    ctx.signal.removeEventListener('abort', onAbort);
    clearTimeout(timer);
  }
}

/** Spawns shim and runtime; resolves once the process runs. On failure nothing is left behind. */
export async function startTask(deps: ShimDeps, ctx: Ctx, spec: TaskSpec): Promise<Task> {
  runtimeNamed(deps, spec.runtime);
  const begin = performance.now();
  return await withUndo(ctx, async (undo) => {
    undo.push('remove what the start left', (own) => cleanupTask(deps, own, spec));
    writeBundle(spec);
    const written = performance.now();
    const shim = await spawnShim(deps, spec);
    const spawned = performance.now();
    const control = new ShimControl(shim.control);
    const attachments = shim.attachments.map(
      (connection, index) => new ShimAttachment(connection, spec.attachments[index] ?? noStreams),
    );
    let isShimAlive = true;
    // Nobody else waits for it: it must not stay a zombie.
    void deps.host.waitChild(shim.pid).finally(() => {
      isShimAlive = false;
      deps.host.closeFd(shim.pidfd);
    });
    undo.push('end the shim', () => {
      if (isShimAlive) deps.host.signalPidfd(shim.pidfd, 9);
      control.close();
      for (const attachment of attachments) attachment.detach();
    });
    const state = await requireStarted(spec, await startedOrStuck(ctx, control));
    if (ctx.signal.aborted) {
      killProcess(deps, state.pid, state.pidStartTicks);
      await control.exited;
      throw internal(`the start of container ${spec.containerId} was cancelled`, ctx.signal.reason);
    }
    if (spec.restoreFrom !== undefined) {
      if (!isInCgroup(spec, state.pid)) {
        killProcess(deps, state.pid, state.pidStartTicks);
        await control.exited;
        throw internal('OCI runtime restore failed: the restored process is not in its cgroup: unknown');
      }
      removeRestoreFiles(spec.bundle);
    }
    deps.log.debug('task started', {
      container: spec.containerId,
      bundleMs: Math.round((written - begin) * 100) / 100,
      spawnMs: Math.round((spawned - written) * 100) / 100,
      runtimeMs: Math.round((performance.now() - spawned) * 100) / 100,
    });
    return createTask(deps, spec, control, state, { shimPid: shim.pid, attachments });
  });
}

const noStreams = { stdin: false, stdout: false, stderr: false } as const;
