import { invalid } from '../../core/errors.ts';

/** Every capability of Linux by its bit, without the prefix. */
const names = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
  NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
  SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL
  SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
  .trim()
  .split(/\s+/)
  .map((name) => `CAP_${name}`);

/** What a container holds unless it is told otherwise: Docker's fourteen. */
export const defaultCapabilities: readonly string[] =
  `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID
  SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE`
    .trim()
    .split(/\s+/)
    .map((name) => `CAP_${name}`);

/** The capabilities that this kernel knows; `last` is the number in /proc/sys/kernel/cap_last_cap, `own` the
 * daemon's own bounding set as a mask: what it lacks (in a container, on a hardened host) it cannot give. */
export function knownCapabilities(last: number, own = ~0n): readonly string[] {
  return names.slice(0, last + 1).filter((_name, bit) => ((own >> BigInt(bit)) & 1n) === 1n);
}

function normalize(name: string): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return 'ALL';
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!names.includes(full)) throw invalid(`invalid CapAdd: unknown capability: "${full}"`);
  return full;
}

function normalizeDrop(name: string): string {
  try {
    return normalize(name);
  } catch {
    const upper = name.toUpperCase();
    throw invalid(
      `invalid CapDrop: unknown capability: "${upper.startsWith('CAP_') ? upper : `CAP_${upper}`}"`,
    );
  }
}

export interface CapabilityRequest {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly privileged: boolean;
  /** What the kernel (and the daemon's own bounding set) can give. */
  readonly available: readonly string[];
}

/**
 * The capability set of a container, as Docker computes it: `drop ALL` leaves only what is added, `add ALL` gives all but
 * what is dropped, else the default plus additions minus drops.
 */
export function containerCapabilities(request: CapabilityRequest): readonly string[] {
  const add = request.add.map(normalize);
  const drop = request.drop.map(normalizeDrop);
  if (request.privileged) return request.available;
  const dropped = new Set(drop);
  let base: readonly string[] = defaultCapabilities;
  if (add.includes('ALL')) base = request.available;
  if (dropped.has('ALL')) base = add.includes('ALL') ? base : [];
  const kept = base.filter((name) => !dropped.has(name));
  const extra = add.filter((name) => name !== 'ALL' && !kept.includes(name));
  return [...kept, ...extra].filter((name) => request.available.includes(name));
}
