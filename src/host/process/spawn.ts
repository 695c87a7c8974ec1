/**
 * posix_spawn: 0.12 ms whatever the daemon's size (fork copies page tables, child_process more). Runs on the main
 * thread, which is in the host's namespaces. The child gets what is listed here and nothing else of the daemon's:
 * signals at their defaults and unmasked (Node ignores SIGPIPE), the soft limit of descriptors that the daemon was
 * started with (Node raises it to the hard one), descriptors 0 to 2 and those asked for.
 */

import { invalid } from '../../core/errors.ts';
import type { SpawnOptions } from '../../core/ports/host.ts';
import { checked, closeQuietly, kernelError } from '../ffi/kernel-error.ts';
import { libc, readErrno, syscalls } from '../ffi/libc.ts';
import { withChildLimit } from './descriptor-limit.ts';

/** glibc's posix_spawn_file_actions_t has 80 bytes, posix_spawnattr_t 336, sigset_t 128; room to spare for others. */
const actionsBytes = 512;
const attributesBytes = 1024;
const signalSetBytes = 256;

const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;
const O_RDWR = 2;
const F_DUPFD_CLOEXEC = 1030;
const P_PID = 1;
const WEXITED = 4;
const infoBytes = 128;

function must(errno: number, call: string): void {
  if (errno !== 0) throw kernelError(call, errno);
}

function makeAttributes(newSession: boolean): Buffer {
  const attributes = Buffer.alloc(attributesBytes);
  const set = Buffer.alloc(signalSetBytes);
  must(libc.attributesInit(attributes), 'posix_spawnattr_init');
  must(libc.attributesFlags(attributes, SETSIGDEF | SETSIGMASK | (newSession ? SETSID : 0)), 'setflags');
  libc.sigfillset(set);
  must(libc.attributesDefaults(attributes, set), 'posix_spawnattr_setsigdefault');
  libc.sigemptyset(set);
  must(libc.attributesMask(attributes, set), 'posix_spawnattr_setsigmask');
  return attributes;
}

const attributes = new Map<boolean, Buffer>();

function attributesFor(newSession: boolean): Buffer {
  let made = attributes.get(newSession);
  if (made === undefined) attributes.set(newSession, (made = makeAttributes(newSession)));
  return made;
}

interface Placement {
  readonly target: number;
  readonly source: number;
}

/**
 * Our descriptors that are also somebody's target (3 -> 5 and 5 -> 3) would be overwritten before they are copied:
 * those are copied out of the way first. `moved` must be closed after the spawn.
 */
function place(fds: Readonly<Record<number, number>>): { placements: Placement[]; moved: number[] } {
  const wanted = Object.entries(fds).map(([target, source]) => ({ target: Number(target), source }));
  const targets = new Set(wanted.map(({ target }) => target));
  for (const { target, source } of wanted) {
    if (!Number.isInteger(target) || target < 0 || target > 255)
      throw invalid(`invalid child descriptor ${target}`);
    if (!Number.isInteger(source) || source < 0)
      throw invalid(`invalid descriptor ${source} for the child's ${target}`);
  }
  const above = Math.max(2, ...targets) + 1;
  const moved: number[] = [];
  const placements = wanted.map(({ target, source }) => {
    if (source === target || source >= above) return { target, source };
    const copy = checked(libc.fcntl(source, F_DUPFD_CLOEXEC, above), 'fcntl', `descriptor ${source}`);
    moved.push(copy);
    return { target, source: copy };
  });
  return { placements, moved };
}

function addActions(actions: Buffer, placements: readonly Placement[], cwd: string | undefined): void {
  const last = Math.max(2, ...placements.map(({ target }) => target));
  for (const { target, source } of placements) must(libc.actionsDup2(actions, source, target), 'adddup2');
  const given = new Set(placements.map(({ target }) => target));
  for (let fd = 0; fd <= last; fd++) {
    if (given.has(fd)) continue;
    // Opened even where the child shall not have it: closing a number that is closed already would fail the spawn.
    must(libc.actionsOpen(actions, fd, '/dev/null', O_RDWR, 0), 'addopen');
    if (fd > 2) must(libc.actionsClose(actions, fd), 'addclose');
  }
  must(libc.actionsCloseFrom(actions, last + 1), 'addclosefrom');
  if (cwd !== undefined) must(libc.actionsChdir(actions, cwd), 'addchdir');
}

/** A pidfd of the new child. Without a free descriptor for it nobody could steer the child: it is ended and reaped. */
function openOrEnd(pid: number): number {
  const pidfd = syscalls.pidfdOpen(pid);
  if (pidfd >= 0) return pidfd;
  const errno = readErrno();
  process.kill(pid, 'SIGKILL');
  libc.waitid(P_PID, pid, Buffer.alloc(infoBytes), WEXITED);
  throw kernelError('pidfd_open', errno, String(pid));
}

/** Starts the program; its pid is ours to wait for. */
export function spawnChild(options: SpawnOptions): { pid: number; pidfd: number } {
  const { placements, moved } = place(options.fds);
  const actions = Buffer.alloc(actionsBytes);
  must(libc.actionsInit(actions), 'posix_spawn_file_actions_init');
  try {
    addActions(actions, placements, options.cwd);
    const pidBytes = Buffer.alloc(4);
    const args = [...options.args, null];
    const env = [...options.env, null];
    const pid = withChildLimit((fixLater) => {
      const attr = attributesFor(options.newSession === true);
      const errno = libc.posixSpawn(pidBytes, options.path, actions, attr, args, env);
      if (errno !== 0) throw kernelError('posix_spawn', errno, options.path);
      const child = pidBytes.readInt32LE(0);
      fixLater(child);
      return child;
    });
    return { pid, pidfd: openOrEnd(pid) };
  } finally {
    libc.actionsDestroy(actions);
    for (const fd of moved) closeQuietly(fd);
  }
}
