/**
 * Waits for children without blocking a thread: SIGCHLD wakes the main loop, and each child that somebody waits for is
 * asked by its own pid, so that libuv's children (which it reaps by pid too) are never taken from it. Signals that
 * arrive together count as one; asking all of them makes that harmless.
 */

import { readErrno, libc } from '../ffi/libc.ts';

const P_PID = 1;
const WNOHANG = 1;
const WEXITED = 4;
const CLD_EXITED = 1;
const EINTR = 4;
/** siginfo_t has 128 bytes: code at 8, pid at 16, status at 24 (64-bit machines). */
const info = Buffer.alloc(128);
/** Holds the loop open while somebody waits, and finds what a lost signal would hide. */
const pollMs = 5000;

/** Exit code, 128 + n for signal n, -1 when it is not our child; undefined while it runs. */
function poll(pid: number): number | undefined {
  info.fill(0);
  while (libc.waitid(P_PID, pid, info, WEXITED | WNOHANG) !== 0) {
    if (readErrno() !== EINTR) return -1;
  }
  if (info.readInt32LE(16) === 0) return undefined;
  const status = info.readInt32LE(24);
  return info.readInt32LE(8) === CLD_EXITED ? status : 128 + status;
}

export interface ChildWaiter {
  wait(pid: number): Promise<number>;
  /** Stops listening; whoever still waits gets -1. */
  close(): void;
}

export function createChildWaiter(): ChildWaiter {
  const waiting = new Map<number, { promise: Promise<number>; resolve: (code: number) => void }>();
  let timer: NodeJS.Timeout | undefined;

  const settle = (pid: number, code: number): void => {
    waiting.get(pid)?.resolve(code);
    waiting.delete(pid);
    if (waiting.size > 0) return;
    clearInterval(timer);
    timer = undefined;
    process.off('SIGCHLD', sweep);
  };
  const sweep = (): void => {
    for (const pid of waiting.keys()) {
      const code = poll(pid);
      if (code !== undefined) settle(pid, code);
    }
  };

  return {
    wait(pid) {
      const known = waiting.get(pid);
      if (known !== undefined) return known.promise;
      if (waiting.size === 0) {
        process.on('SIGCHLD', sweep);
        timer = setInterval(sweep, pollMs);
      }
      const entry = Promise.withResolvers<number>();
      waiting.set(pid, entry);
      // After the listener is in place: an exit before this is found here, one after it by the signal.
      const code = pid > 0 ? poll(pid) : -1;
      if (code !== undefined) settle(pid, code);
      return entry.promise;
    },
    close() {
      for (const pid of waiting.keys()) settle(pid, -1);
    },
  };
}
