/**
 * The profile of AppArmor that containers get where the host has it: what Docker's gives and takes. Loaded by the daemon, since
 * a profile is the host's; without AppArmor a container that asks for a profile is told that it has none.
 */

import type { HostConfig } from '../../core/model/container-spec.ts';

export const defaultProfileName = 'slipway-default';

/**
 * Text for apparmor_parser: no mounting, no writing where the kernel or its devices can be changed, signals and traces only among
 * containers of the same profile. `abi` files of newer versions are left out, so that version 2 and 3 read it alike.
 */
export const defaultProfile = `#include <tunables/global>

profile ${defaultProfileName} flags=(attach_disconnected,mediate_deleted) {
  #include <abstractions/base>

  network,
  capability,
  file,
  umount,

  # Of the runtime and of processes in containers.
  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (receive) peer=crun,
  signal (send,receive) peer=${defaultProfileName},

  # Neither sysctls nor files that reach out of the container; what of /proc/PID is a container's own it may write.
  deny @{PROC}/* w,
  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,

  deny mount,

  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,

  ptrace (trace,read,tracedby,readby) peer=${defaultProfileName},
}
`;

/** What `--security-opt apparmor=` says; undefined when nothing is said. */
export function askedProfile(host: HostConfig): string | undefined {
  const options = host.SecurityOpt ?? [];
  const found = options.findLast((text) => /^apparmor[=:]/.test(text));
  return found?.slice('apparmor='.length);
}

/** The profile of a container's processes; undefined for none at all (a host without AppArmor). Pure. */
export function profileOf(
  host: HostConfig,
  available: { readonly enabled: boolean; readonly loaded: boolean },
): string | undefined {
  if (!available.enabled) return undefined;
  const asked = askedProfile(host);
  if (asked !== undefined && asked !== '') return asked;
  if (host.Privileged === true) return 'unconfined';
  return available.loaded ? defaultProfileName : undefined;
}
