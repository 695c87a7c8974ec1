/** A MountRequest as the calls of mount(2) that it takes. Pure. */

import { invalid } from '../../core/errors.ts';
import type { MountRequest } from '../../core/ports/host.ts';

const MS_REMOUNT = 0x20;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;

const ordinary: Readonly<Record<string, number>> = {
  ro: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  sync: 0x10,
  remount: MS_REMOUNT,
  mandlock: 0x40,
  dirsync: 0x80,
  nosymfollow: 0x100,
  noatime: 0x400,
  nodiratime: 0x800,
  bind: MS_BIND,
  move: 0x2000,
  rec: MS_REC,
  silent: 0x8000,
  relatime: 0x200000,
  strictatime: 0x1000000,
  lazytime: 0x2000000,
};
const opposites = new Set(['rw', 'suid', 'dev', 'exec', 'async', 'atime', 'diratime', 'defaults']);
const propagation: Readonly<Record<string, number>> = {
  unbindable: 0x20000,
  private: 0x40000,
  slave: 0x80000,
  shared: 0x100000,
};

export interface MountCall {
  readonly source: string;
  readonly target: string;
  readonly fstype: string;
  readonly flags: number;
  readonly data: string | null;
}

function propagationOf(flag: string): number | undefined {
  const direct = propagation[flag];
  if (direct !== undefined) return direct;
  const recursive = flag.startsWith('r') ? propagation[flag.slice(1)] : undefined;
  return recursive === undefined ? undefined : recursive | MS_REC;
}

/**
 * Up to three calls: the mount, for a bind with flags a remount (mount(2) ignores them on the first call), and one for
 * propagation, which no other flag may accompany.
 */
export function planMount(request: MountRequest): readonly MountCall[] {
  let flags = 0;
  const spread: number[] = [];
  for (const name of request.flags) {
    const bit = ordinary[name];
    const kind = propagationOf(name);
    if (bit !== undefined) flags |= bit;
    else if (kind !== undefined) spread.push(kind);
    else if (name === 'rbind') flags |= MS_BIND | MS_REC;
    else if (!opposites.has(name)) throw invalid(`invalid mount flag: ${name}`);
  }
  const { source, target, fstype } = request;
  const data = request.data ?? null;
  const calls: MountCall[] = [];
  const isFreshBind = (flags & MS_BIND) !== 0 && (flags & MS_REMOUNT) === 0;
  const restrictions = flags & ~(MS_BIND | MS_REC);
  const onlyPropagation = request.flags.length > 0 && flags === 0 && spread.length > 0 && fstype === '';
  if (isFreshBind) {
    calls.push({ source, target, fstype: '', flags: flags & (MS_BIND | MS_REC), data: null });
    if (restrictions !== 0) {
      const again = restrictions | MS_BIND | MS_REMOUNT;
      calls.push({ source: '', target, fstype: '', flags: again, data: null });
    }
  } else if (!onlyPropagation) {
    calls.push({ source, target, fstype, flags, data });
  }
  for (const kind of spread) calls.push({ source: '', target, fstype: '', flags: kind, data: null });
  return calls;
}
