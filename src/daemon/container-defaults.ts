/** What the daemon's flags say for all containers that do not say otherwise. Pure but for the seccomp profile, which is a file. */

import { readFileSync } from 'node:fs';
import { invalid } from '../core/errors.ts';
import type { Ulimit } from '../core/model/container-spec.ts';
import { parseExecOptions, type CgroupDriver } from './cgroup-driver.ts';

export interface ContainerDefaults {
  readonly ulimits: readonly Ulimit[];
  /** Bytes of /dev/shm; undefined for Docker's 64 MiB. */
  readonly shmSize: number | undefined;
  readonly ipcMode: 'private' | 'shareable';
  /** Undefined chooses by the cgroup layout. */
  readonly cgroupnsMode: 'private' | 'host' | undefined;
  readonly noNewPrivileges: boolean;
  /** `unconfined`, the text of a profile, or undefined for the built-in one. */
  readonly seccompProfile: string | undefined;
  /** Where containers' cgroups lie; undefined for one named for the instance. */
  readonly cgroupParent: string | undefined;
  readonly cgroupDriver: CgroupDriver;
  /** As given to `--userns-remap`; empty for none. */
  readonly usernsRemap: string;
  /** Microseconds that containers may use together for real-time tasks, of each period; 0 for none. v1 only. */
  readonly cpuRealtimeRuntime: number;
  readonly cpuRealtimePeriod: number;
}

export const containerFlags = {
  'default-ulimit': { type: 'string', multiple: true, default: [] as string[] },
  'default-shm-size': { type: 'string' },
  'default-ipc-mode': { type: 'string', default: 'private' },
  'default-cgroupns-mode': { type: 'string' },
  'no-new-privileges': { type: 'boolean', default: false },
  'seccomp-profile': { type: 'string', default: 'builtin' },
  'cgroup-parent': { type: 'string' },
  'cpu-rt-runtime': { type: 'string', default: '0' },
  'cpu-rt-period': { type: 'string', default: '0' },
  'exec-opt': { type: 'string', multiple: true, default: [] as string[] },
  'userns-remap': { type: 'string' },
  'selinux-enabled': { type: 'boolean', default: false },
} as const;

export const containerFlagsHelp = `      --default-ulimit NAME=SOFT[:HARD] Ulimit of containers that do not say (repeatable)
      --default-shm-size BYTES     Size of /dev/shm (default 64m)
      --default-ipc-mode MODE      private or shareable (default private)
      --default-cgroupns-mode MODE private or host (default: private on cgroup v2)
      --no-new-privileges          Set no-new-privileges for containers that do not say
      --seccomp-profile FILE       Seccomp profile, builtin or unconfined (default builtin)
      --cgroup-parent PATH         Where containers' cgroups lie (default: one named for the instance; with systemd a
                                   slice, default system.slice)
      --cpu-rt-runtime MICROSECONDS  What containers may use together for real-time tasks (cgroup v1)
      --cpu-rt-period MICROSECONDS   Of each such period
      --userns-remap USER[:GROUP]  Run containers in user namespaces with the ids that /etc/subuid and /etc/subgid
                                   give to this user (or uid[:gid]); default makes and takes the user dockremap
      --exec-opt NAME=VALUE        native.cgroupdriver=systemd makes containers scopes of systemd (default cgroupfs)
`;

interface Values {
  readonly 'default-ulimit': readonly string[];
  readonly 'default-shm-size'?: string | undefined;
  readonly 'default-ipc-mode': string;
  readonly 'default-cgroupns-mode'?: string | undefined;
  readonly 'no-new-privileges': boolean;
  readonly 'seccomp-profile': string;
  readonly 'cgroup-parent'?: string | undefined;
  readonly 'cpu-rt-runtime': string;
  readonly 'cpu-rt-period': string;
  readonly 'exec-opt': readonly string[];
  readonly 'userns-remap'?: string | undefined;
  readonly 'selinux-enabled': boolean;
}

function parseUlimit(text: string): Ulimit {
  const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
  if (match === null) throw invalid(`--default-ulimit: ${text} is not of the form NAME=SOFT[:HARD]`);
  const Soft = Number(match[2]);
  const Hard = match[3] === undefined ? Soft : Number(match[3]);
  return { Name: match[1] ?? '', Soft, Hard };
}

const units: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

function parseBytes(text: string): number {
  const match = /^(\d+)([bkmg]?)b?$/i.exec(text);
  if (match === null) throw invalid(`--default-shm-size: ${text} is not a size`);
  return Number(match[1]) * (units[(match[2] ?? '').toLowerCase()] ?? 1);
}

function oneOf<T extends string>(flag: string, text: string, words: readonly T[]): T {
  const found = words.find((word) => word === text);
  if (found === undefined) throw invalid(`--${flag}: ${text} is none of ${words.join(', ')}`);
  return found;
}

function microseconds(flag: string, text: string): number {
  if (!/^\d{1,7}$/.test(text)) throw invalid(`--${flag}: ${text} is not a number of microseconds`);
  return Number(text);
}

function readProfile(text: string): string | undefined {
  if (text === 'builtin' || text === '') return undefined;
  if (text === 'unconfined') return text;
  try {
    return readFileSync(text, 'utf8');
  } catch (error) {
    throw invalid(`--seccomp-profile: ${text} cannot be read`, error);
  }
}

/** What this engine does not have is said at once, not passed over. */
function refuseMissing(values: Values): void {
  if (values['selinux-enabled']) {
    throw invalid(
      '--selinux-enabled: this engine sets no SELinux labels of its own; a container may name one with --security-opt label=',
    );
  }
}

const modes: readonly ('private' | 'host')[] = ['private', 'host'];

/** `invalid` with a sentence for what is wrong. */
export function parseContainerDefaults(values: Values): ContainerDefaults {
  refuseMissing(values);
  const shm = values['default-shm-size'];
  const cgroupns = values['default-cgroupns-mode'];
  return {
    ulimits: values['default-ulimit'].map(parseUlimit),
    shmSize: shm === undefined ? undefined : parseBytes(shm),
    ipcMode: oneOf<'private' | 'shareable'>('default-ipc-mode', values['default-ipc-mode'], [
      'private',
      'shareable',
    ]),
    cgroupnsMode: cgroupns === undefined ? undefined : oneOf('default-cgroupns-mode', cgroupns, modes),
    noNewPrivileges: values['no-new-privileges'],
    seccompProfile: readProfile(values['seccomp-profile']),
    cgroupParent: values['cgroup-parent'] || undefined,
    cgroupDriver: parseExecOptions(values['exec-opt']),
    usernsRemap: values['userns-remap'] ?? '',
    cpuRealtimeRuntime: microseconds('cpu-rt-runtime', values['cpu-rt-runtime']),
    cpuRealtimePeriod: microseconds('cpu-rt-period', values['cpu-rt-period']),
  };
}
