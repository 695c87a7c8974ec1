/** Processes by descriptor, which never name another process by mistake; and what /proc says about one. */

import { readFileSync } from 'node:fs';
import type { ProcessStat } from '../../core/ports/host.ts';
import { checked, closeQuietly, kernelError } from '../ffi/kernel-error.ts';
import { readErrno, syscalls } from '../ffi/libc.ts';

const ESRCH = 3;
const EINVAL = 22;

/** Parses /proc/PID/stat. The command stands in parentheses and may hold spaces and parentheses itself. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open === -1 || close < open) return undefined;
  const rest = text
    .slice(close + 2)
    .trim()
    .split(' ');
  const [state, ppid] = rest;
  const startTicks = rest[19];
  if (state === undefined || ppid === undefined || startTicks === undefined) return undefined;
  return {
    pid: Number(text.slice(0, open)),
    ppid: Number(ppid),
    startTicks,
    state,
    command: text.slice(open + 1, close),
  };
}

export function readProcessStat(pid: number): ProcessStat | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The start time is read after the descriptor is open: from then on the pid cannot pass to another process unnoticed. */
export function openPidfd(pid: number, startTicks?: string): number {
  if (!Number.isInteger(pid) || pid <= 0) return -1;
  const fd = syscalls.pidfdOpen(pid);
  if (fd < 0) {
    const errno = readErrno();
    if (errno === ESRCH || errno === EINVAL) return -1;
    throw kernelError('pidfd_open', errno, String(pid));
  }
  if (startTicks === undefined || readProcessStat(pid)?.startTicks === startTicks) return fd;
  closeQuietly(fd);
  return -1;
}

export function signalPidfd(pidfd: number, signal: number): boolean {
  if (syscalls.pidfdSendSignal(pidfd, signal) === 0) return true;
  const errno = readErrno();
  if (errno === ESRCH) return false;
  throw kernelError('pidfd_send_signal', errno, `descriptor ${pidfd}, signal ${signal}`);
}

export function duplicateFd(pidfd: number, theirFd: number): number {
  return checked(syscalls.pidfdGetfd(pidfd, theirFd), 'pidfd_getfd', `descriptor ${theirFd}`);
}
