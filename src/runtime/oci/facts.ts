import { readFileSync } from 'node:fs';
import { arch, release } from 'node:os';
import { existsSync } from 'node:fs';
import type { CgroupLayout } from '../../core/ports/host.ts';
import { readAbilities, type Abilities } from './abilities.ts';
import { knownCapabilities } from './capabilities.ts';

/** Where the containers' cgroups are. */
export interface CgroupHome {
  /** The cgroup, or with systemd the slice, that holds all containers which name no other. */
  readonly cgroupParent: string;
  /** Containers are scopes of systemd, named with this before their id; undefined: the engine's own directories. */
  readonly scopePrefix?: string | undefined;
}

/** What the spec depends on besides the container: read once at daemon start. */
export interface MachineFacts extends CgroupHome {
  /** Go's name: `amd64`. */
  readonly arch: string;
  readonly kernel: readonly [number, number];
  readonly kernelRelease: string;
  readonly seccomp: boolean;
  readonly capabilities: readonly string[];
  readonly layout: CgroupLayout;
  readonly abilities: Abilities;
  /** Whether the kernel has AppArmor switched on, and whether the engine's own profile is loaded. */
  readonly apparmor: { readonly enabled: boolean; readonly loaded: boolean };
  readonly selinux: boolean;
}

const goArches: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

export function goArch(): string {
  return goArches[arch()] ?? arch();
}

function readNumber(path: string, fallback: number): number {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return fallback;
  }
}

function ownBoundingSet(): bigint {
  const line = /^CapBnd:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return line?.[1] === undefined ? ~0n : BigInt(`0x${line[1]}`);
}

/** Whether AppArmor decides on this host. */
export const hasAppArmor = (): boolean =>
  existsSync('/sys/module/apparmor/parameters/enabled') &&
  readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y');

export function readMachineFacts(
  layout: CgroupLayout,
  home: CgroupHome,
  profileLoaded = false,
): MachineFacts {
  const [major = 0, minor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  const lastKnown = 40;
  return {
    arch: goArch(),
    kernel: [major, minor],
    kernelRelease: release(),
    // The file is there exactly when the kernel has seccomp filters.
    seccomp: existsSync('/proc/sys/kernel/seccomp/actions_avail'),
    capabilities: knownCapabilities(readNumber('/proc/sys/kernel/cap_last_cap', lastKnown), ownBoundingSet()),
    layout,
    abilities: readAbilities(layout),
    apparmor: { enabled: hasAppArmor(), loaded: profileLoaded },
    selinux: existsSync('/sys/fs/selinux/enforce'),
    ...home,
  };
}
