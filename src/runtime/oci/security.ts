import { invalid } from '../../core/errors.ts';
import type { HostConfig } from '../../core/model/container-spec.ts';
import { parseLabels, type LabelOptions } from './selinux.ts';

/** What `--security-opt` says. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** `unconfined`, the text of a profile, or undefined for the default. */
  readonly seccomp: string | undefined;
  readonly apparmor: string | undefined;
  readonly unmaskedSystemPaths: boolean;
  readonly writableCgroups: boolean;
  readonly labels: LabelOptions;
}

/** Splits `key=value`; the old form `key:value` counts too. */
function split(option: string): readonly [string, string] | undefined {
  const equals = option.indexOf('=');
  const colon = option.indexOf(':');
  const at = equals >= 0 ? equals : colon;
  return at < 0 ? undefined : [option.slice(0, at), option.slice(at + 1)];
}

const isTrue = (key: string, value: string): boolean => {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw invalid(`invalid --security-opt 2: "${key}=${value}"`);
};

/** Refuses what it does not know, in Docker's words. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let parsed: SecurityOptions = {
    noNewPrivileges: false,
    seccomp: undefined,
    apparmor: undefined,
    unmaskedSystemPaths: false,
    writableCgroups: false,
    labels: { disable: false, given: {} },
  };
  const labels: string[] = [];
  for (const option of options) {
    if (option === 'no-new-privileges') {
      parsed = { ...parsed, noNewPrivileges: true };
      continue;
    }
    const [key, value] = split(option) ?? ['', ''];
    if (key === 'no-new-privileges') parsed = { ...parsed, noNewPrivileges: isTrue(key, value) };
    else if (key === 'seccomp') parsed = { ...parsed, seccomp: value === 'builtin' ? undefined : value };
    else if (key === 'apparmor') parsed = { ...parsed, apparmor: value };
    else if (key === 'systempaths' && value === 'unconfined')
      parsed = { ...parsed, unmaskedSystemPaths: true };
    else if (key === 'label') labels.push(value);
    else if (key === 'writable-cgroups') parsed = { ...parsed, writableCgroups: isTrue(key, value) };
    else if (key === '') throw invalid(`invalid --security-opt 1: "${option}"`);
    else throw invalid(`invalid --security-opt 2: "${option}"`);
  }
  return { ...parsed, labels: parseLabels(labels) };
}

/** The seccomp shortcut lives in these annotations: a user's own would replace the profile. */
export function checkAnnotations(hostConfig: HostConfig): void {
  for (const key of Object.keys(hostConfig.Annotations ?? {})) {
    if (key.toLowerCase().startsWith('run.oci.seccomp')) {
      throw invalid(`annotation "${key}" is reserved for the engine: use --security-opt seccomp=PROFILE`);
    }
  }
}

const ulimitNames = new Set([
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
]);

export interface Rlimit {
  readonly type: string;
  /** A number, or the raw JSON of "unlimited". */
  readonly soft: number | object;
  readonly hard: number | object;
}

// RLIM_INFINITY is 2^64-1, which no JavaScript number can carry: it goes into the document as text.
const unlimited = (JSON as unknown as { rawJSON(text: string): object }).rawJSON('18446744073709551615');
const limit = (value: number | undefined): number | object =>
  value === undefined || value < 0 ? unlimited : value;

export function rlimits(hostConfig: HostConfig): readonly Rlimit[] {
  return (hostConfig.Ulimits ?? []).map((ulimit) => {
    const name = ulimit.Name ?? '';
    if (!ulimitNames.has(name)) throw invalid(`invalid ulimit type: ${name}`);
    const soft = ulimit.Soft ?? 0;
    const hard = ulimit.Hard ?? 0;
    if (hard >= 0 && (soft > hard || soft < 0)) {
      throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
    }
    return { type: `RLIMIT_${name.toUpperCase()}`, soft: limit(ulimit.Soft), hard: limit(ulimit.Hard) };
  });
}
