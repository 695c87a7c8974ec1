import { invalid } from '../../core/errors.ts';
import { architectures, defaultRules, type SyscallRule } from './seccomp-rules.ts';

/** The `linux.seccomp` section of the OCI runtime spec. */
export interface SeccompSection {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls?: readonly unknown[];
}

export interface SeccompFacts {
  /** Go's name of the machine: `amd64`. */
  readonly arch: string;
  readonly kernel: readonly [number, number];
}

const eperm = 1;

function applies(rule: SyscallRule, facts: SeccompFacts, capabilities: readonly string[]): boolean {
  if (rule.on !== undefined && !rule.on.includes(facts.arch)) return false;
  if (rule.notOn?.includes(facts.arch) === true) return false;
  if (rule.withCapability !== undefined && !rule.withCapability.some((cap) => capabilities.includes(cap))) {
    return false;
  }
  if (rule.withoutCapability !== undefined && capabilities.includes(rule.withoutCapability)) return false;
  if (rule.minKernel === undefined) return true;
  const [major, minor] = rule.minKernel;
  return facts.kernel[0] > major || (facts.kernel[0] === major && facts.kernel[1] >= minor);
}

/** The default profile for a set of capabilities on this machine. */
export function defaultSeccomp(facts: SeccompFacts, capabilities: readonly string[]): SeccompSection {
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: eperm,
    architectures: architectures[facts.arch] ?? [],
    syscalls: defaultRules
      .filter((rule) => applies(rule, facts, capabilities))
      .map(({ names, action, errnoRet, args }) => ({
        names,
        action,
        ...(errnoRet === undefined ? {} : { errnoRet }),
        ...(args === undefined ? {} : { args }),
      })),
  };
}

/**
 * Stands beside a compiled filter in an annotation. A runtime that ignores the annotation gives the container this one,
 * under which not even `execve` works: the shortcut fails closed.
 */
export const denyAllSeccomp: SeccompSection = { defaultAction: 'SCMP_ACT_ERRNO' };

interface CustomProfile {
  readonly defaultAction?: unknown;
  readonly defaultErrnoRet?: unknown;
  readonly architectures?: unknown;
  readonly archMap?: unknown;
  readonly flags?: unknown;
  readonly syscalls?: unknown;
}

interface CustomRule {
  readonly name?: unknown;
  readonly names?: unknown;
  readonly action?: unknown;
  readonly errnoRet?: unknown;
  readonly args?: unknown;
  readonly includes?: CustomFilter;
  readonly excludes?: CustomFilter;
}

interface CustomFilter {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

const goArch: Readonly<Record<string, string>> = { '386': 'x86' };

function kernelAtLeast(facts: SeccompFacts, wanted: string): boolean {
  const [major = 0, minor = 0] = wanted.split('.').map(Number);
  return facts.kernel[0] > major || (facts.kernel[0] === major && facts.kernel[1] >= minor);
}

function customApplies(rule: CustomRule, facts: SeccompFacts, capabilities: readonly string[]): boolean {
  const arch = goArch[facts.arch] ?? facts.arch;
  const { includes, excludes } = rule;
  if (excludes?.arches?.includes(arch) === true) return false;
  if (excludes?.caps?.some((cap) => capabilities.includes(cap)) === true) return false;
  if (excludes?.minKernel !== undefined && kernelAtLeast(facts, excludes.minKernel)) return false;
  if ((includes?.arches?.length ?? 0) > 0 && includes?.arches?.includes(arch) !== true) return false;
  if (includes?.caps?.every((cap) => capabilities.includes(cap)) === false) return false;
  return includes?.minKernel === undefined || kernelAtLeast(facts, includes.minKernel);
}

interface ArchMapEntry {
  readonly architecture?: unknown;
  readonly subArchitectures?: unknown;
}

function customArchitectures(profile: CustomProfile, facts: SeccompFacts): readonly string[] {
  if (Array.isArray(profile.architectures)) return profile.architectures.map(String);
  const native = architectures[facts.arch]?.[0];
  const map: readonly ArchMapEntry[] = Array.isArray(profile.archMap) ? profile.archMap : [];
  const entry = map.find((candidate) => candidate.architecture === native);
  if (entry === undefined) return native === undefined ? [] : [native];
  const sub = Array.isArray(entry.subArchitectures) ? entry.subArchitectures.map(String) : [];
  return [String(entry.architecture), ...sub];
}

/** A profile that the user gave as JSON text (`--security-opt seccomp=FILE`, Docker's format with its conditions). */
export function customSeccomp(
  text: string,
  facts: SeccompFacts,
  capabilities: readonly string[],
): SeccompSection {
  let profile: CustomProfile;
  try {
    profile = JSON.parse(text) as CustomProfile;
  } catch (error) {
    throw invalid(`Decoding seccomp profile failed: ${error instanceof Error ? error.message : ''}`, error);
  }
  if (typeof profile !== 'object' || profile === null || typeof profile.defaultAction !== 'string') {
    throw invalid('Decoding seccomp profile failed: the profile has no defaultAction');
  }
  const rules: readonly CustomRule[] = Array.isArray(profile.syscalls) ? profile.syscalls : [];
  return {
    defaultAction: profile.defaultAction,
    ...(typeof profile.defaultErrnoRet === 'number' ? { defaultErrnoRet: profile.defaultErrnoRet } : {}),
    architectures: customArchitectures(profile, facts),
    ...(Array.isArray(profile.flags) ? { flags: profile.flags.map(String) } : {}),
    syscalls: rules
      .filter((rule) => customApplies(rule, facts, capabilities))
      .map((rule) => ({
        names: Array.isArray(rule.names) ? rule.names : [rule.name],
        action: rule.action,
        ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
        ...(rule.args == null ? {} : { args: rule.args }),
      })),
  };
}
