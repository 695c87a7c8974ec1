/** What the daemon's flags add to a container that does not say otherwise. Seen in the container, not in its record. Pure. */

import type { HostConfig, Ulimit } from '../../core/model/container-spec.ts';

export interface SpecDefaults {
  readonly ulimits: readonly Ulimit[];
  readonly noNewPrivileges: boolean;
  /** `unconfined`, the text of a profile, or undefined for the built-in one. */
  readonly seccompProfile: string | undefined;
}

export const noDefaults: SpecDefaults = { ulimits: [], noNewPrivileges: false, seccompProfile: undefined };

/** One object per record's host config, since profiles are remembered by it. */
export function withDefaults(host: HostConfig, defaults: SpecDefaults): HostConfig {
  const { ulimits, noNewPrivileges, seccompProfile } = defaults;
  if (ulimits.length === 0 && !noNewPrivileges && seccompProfile === undefined) return host;
  const own = new Set((host.Ulimits ?? []).map((ulimit) => ulimit.Name));
  const security = host.SecurityOpt ?? [];
  const says = (name: string): boolean => security.some((text) => text.startsWith(name));
  return {
    ...host,
    Ulimits: [...(host.Ulimits ?? []), ...ulimits.filter((ulimit) => !own.has(ulimit.Name))],
    SecurityOpt: [
      ...security,
      ...(noNewPrivileges && !says('no-new-privileges') ? ['no-new-privileges'] : []),
      ...(seccompProfile !== undefined && !says('seccomp') ? [`seccomp=${seccompProfile}`] : []),
    ],
  };
}
