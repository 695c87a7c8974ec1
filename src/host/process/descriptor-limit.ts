/**
 * The soft limit of descriptors for children. Node raises its own to the hard limit when it starts; containers would
 * inherit a million, and programs that loop over all possible descriptors crawl. What it was before cannot be read
 * afterwards, so the launcher passes it in SLIPWAY_NOFILE_SOFT (`ulimit -Sn`); 1024, the kernel's own default, stands
 * in. posix_spawn cannot set limits, so ours is lowered for the 0.1 ms of the spawn. Other threads would then fail to
 * open descriptors above the limit; the lowest free number tells whether they could, and then the child's limit is set
 * from outside (prlimit) right after it starts, which it wins only if it forks within microseconds.
 */

import { checked } from '../ffi/kernel-error.ts';
import { libc } from '../ffi/libc.ts';

const RLIMIT_NOFILE = 7;
const F_DUPFD_CLOEXEC = 1030;
const kernelDefault = 1024n;
/** Free numbers that must remain below the lowered limit for the other threads. */
const reserve = 128;

export interface DescriptorLimit {
  readonly soft: bigint;
  readonly hard: bigint;
}

function encode(limit: DescriptorLimit): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(limit.soft, 0);
  bytes.writeBigUInt64LE(limit.hard, 8);
  return bytes;
}

/** This process's own limit. */
export function ownLimit(): DescriptorLimit {
  const bytes = Buffer.alloc(16);
  checked(libc.getrlimit(RLIMIT_NOFILE, bytes), 'getrlimit');
  return { soft: bytes.readBigUInt64LE(0), hard: bytes.readBigUInt64LE(8) };
}

/** The limit for children. `recorded` is what the launcher saw; `unlimited` is the hard limit. */
export function childLimit(recorded: string | undefined, own: DescriptorLimit): DescriptorLimit {
  const wanted =
    recorded === 'unlimited'
      ? own.hard
      : /^\d+$/.test(recorded ?? '')
        ? BigInt(recorded ?? '')
        : kernelDefault;
  return { soft: wanted < own.hard ? wanted : own.hard, hard: own.hard };
}

function roomBelow(limit: bigint): boolean {
  const lowest = libc.fcntl(0, F_DUPFD_CLOEXEC, 3);
  if (lowest < 0) return false;
  libc.close(lowest);
  return BigInt(lowest + reserve) < limit;
}

/** Runs `spawn` so that the child has the limit; `fixLater` must be called with its pid. */
export function withChildLimit<T>(spawn: (fixLater: (pid: number) => void) => T): T {
  const own = ownLimit();
  const child = childLimit(process.env['SLIPWAY_NOFILE_SOFT'], own);
  if (child.soft === own.soft) return spawn(() => {});
  const bytes = encode(child);
  if (!roomBelow(child.soft)) {
    return spawn((pid) => void libc.prlimit(pid, RLIMIT_NOFILE, bytes, null));
  }
  checked(libc.setrlimit(RLIMIT_NOFILE, bytes), 'setrlimit');
  try {
    return spawn(() => {});
  } finally {
    checked(libc.setrlimit(RLIMIT_NOFILE, encode(own)), 'setrlimit');
  }
}
