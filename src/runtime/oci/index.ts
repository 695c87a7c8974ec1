/**
 * From the engine's records to the OCI runtime's documents: config.json, `process` of an exec, limits. Pure but for two
 * things that are read from the host: devices that the user named, and the cache of compiled seccomp filters.
 * Built by the composition root; called by the containers service through the SpecBuilder port.
 */

import type { HostConfig } from '../../core/model/container-spec.ts';
import type { SpecBuilder, SpecInput, UnitChange } from '../../core/ports/spec-builder.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { Ctx } from '../../core/ctx.ts';
import { applyDevices, checkRequests, readCdi, selectDevices, type EditableSpec } from '../cdi/index.ts';
import { lateWrites, limitWrites, type CgroupPlace } from './cgroup-plan.ts';
import { cgroupDirectories, cgroupsPath, numbersOf } from './cgroups.ts';
import { askedProfile } from './apparmor.ts';
import { noDefaults, withDefaults, type SpecDefaults } from './defaults.ts';
import { processLabel } from './selinux.ts';
import { checkSysctls } from './sysctls.ts';
import { checkSlice, scopeOf, unitChange } from './systemd.ts';
import { discardUnsupported, type Supported } from './discard.ts';
import { checkDeviceMode, containerDevices, hostDevice, parseDeviceRule } from './devices.ts';
import type { MachineFacts } from './facts.ts';
import type { SeccompSection } from './seccomp.ts';
import { shortcut, type SeccompCache } from './seccomp-cache.ts';
import { checkAnnotations, parseSecurityOptions, rlimits } from './security.ts';
import { capabilitiesOf, containerSpec, execProcess, seccompOf, type SpecParts } from './spec.ts';

export { defaultProfile, defaultProfileName } from './apparmor.ts';
export { hasAppArmor, readMachineFacts, goArch, type CgroupHome, type MachineFacts } from './facts.ts';
export { checkSlice } from './systemd.ts';
export { SeccompCache, type RunProgram } from './seccomp-cache.ts';

export interface SpecBuilderOptions {
  readonly facts: MachineFacts;
  /** For runtimes that were probed and take compiled filters, by the runtime's name. */
  readonly seccompCaches: ReadonlyMap<string, SeccompCache>;
  /** Where CDI specifications are; later directories win. */
  readonly cdiDirectories: readonly string[];
  readonly defaults?: SpecDefaults;
}

function validate(facts: MachineFacts, host: HostConfig): Supported {
  capabilitiesOf(facts, host);
  parseSecurityOptions(host.SecurityOpt ?? []);
  seccompOf(facts, host);
  checkAnnotations(host);
  rlimits(host);
  for (const mapping of host.Devices ?? []) checkDeviceMode(mapping);
  for (const rule of host.DeviceCgroupRules ?? []) parseDeviceRule(rule);
  checkRequests(host.DeviceRequests ?? []);
  checkSysctls(host);
  if (facts.scopePrefix !== undefined && host.CgroupParent) checkSlice(host.CgroupParent);
  const { hostConfig, warnings } = discardUnsupported(host, facts.abilities);
  return { hostConfig, warnings: [...warnings, ...confinementWarnings(facts, host)] };
}

/** What the container asks of a security module that this host does not have. */
function confinementWarnings(facts: MachineFacts, host: HostConfig): readonly string[] {
  const warnings: string[] = [];
  const profile = askedProfile(host) ?? '';
  if (!facts.apparmor.enabled && profile !== '' && profile !== 'unconfined') {
    warnings.push(
      `Your kernel does not support AppArmor or it is not enabled. Profile ${profile} discarded.`,
    );
  }
  const { labels } = parseSecurityOptions(host.SecurityOpt ?? []);
  if (!facts.selinux && processLabel(labels) !== undefined) {
    warnings.push('Your kernel does not support SELinux or it is not enabled. Label options discarded.');
  }
  return warnings;
}

type ProfileOf = (host: HostConfig) => SeccompSection | undefined;

/** The profile of a container; one object per distinct setting, since nearly all containers have the same. */
function rememberProfiles(facts: MachineFacts): ProfileOf {
  const known = new Map<string, SeccompSection | undefined>();
  const most = 64;
  return (host) => {
    const key = JSON.stringify([host.CapAdd, host.CapDrop, host.Privileged, host.SecurityOpt]);
    if (known.has(key)) return known.get(key);
    const profile = seccompOf(facts, host);
    if (known.size >= most) known.clear();
    known.set(key, profile);
    return profile;
  };
}

/** crun would put the container into a cgroup below its scope, where nobody else looks. */
const scopeAnnotations = ({ scopePrefix }: MachineFacts): Readonly<Record<string, string>> =>
  scopePrefix === undefined ? {} : { 'run.oci.systemd.subgroup': '' };

async function seccompParts(
  options: SpecBuilderOptions & { readonly profileOf: ProfileOf },
  ctx: Ctx,
  input: SpecInput,
): Promise<Pick<SpecParts, 'seccomp' | 'annotations'>> {
  const user = { ...input.record.hostConfig.Annotations, ...scopeAnnotations(options.facts) };
  // Refused at create already; a record may come from elsewhere, and this is the last place to fail closed.
  checkAnnotations(input.record.hostConfig);
  const profile = options.profileOf(input.record.hostConfig);
  if (profile === undefined) return { seccomp: undefined, annotations: user };
  const filter = await options.seccompCaches.get(input.record.runtime)?.filter(ctx, profile);
  if (filter === undefined) return { seccomp: profile, annotations: user };
  const short = shortcut(filter);
  return { seccomp: short.seccomp, annotations: { ...user, ...short.annotations } };
}

/**
 * Compiles the filter of containers that change nothing about their security, for each runtime that takes compiled ones: at the
 * daemon's start, so that the first container does not wait 40 ms for it. A start that comes meanwhile joins in.
 */
export async function compileUsualFilters(
  ctx: Ctx,
  options: Pick<SpecBuilderOptions, 'facts' | 'seccompCaches'>,
): Promise<void> {
  const profile = seccompOf(options.facts, {});
  if (profile === undefined) return;
  for (const cache of options.seccompCaches.values()) await cache.filter(ctx, profile);
}

const nextCgroupsPath = (facts: MachineFacts, { hostConfig, id }: ContainerRecord): string =>
  cgroupsPath(facts, hostConfig, id);

/** A container that runs stays where it was started, whatever the daemon's options are by now. */
const presentCgroupsPath = (facts: MachineFacts, record: ContainerRecord): string =>
  record.cgroupsPath ?? nextCgroupsPath(facts, record);

const cgroupPaths = (facts: MachineFacts, record: ContainerRecord): readonly string[] =>
  cgroupDirectories(facts.layout, presentCgroupsPath(facts, record));

function unitChangeOf(
  facts: MachineFacts,
  record: ContainerRecord,
  next: HostConfig,
): UnitChange | undefined {
  const scope = scopeOf(presentCgroupsPath(facts, record));
  return scope === undefined ? undefined : unitChange(scope.unit, record.hostConfig, next);
}

const placeOf = (facts: MachineFacts, record: ContainerRecord): CgroupPlace => ({
  layout: facts.layout,
  paths: cgroupPaths(facts, record),
  bfqFiles: facts.abilities.bfqFiles,
  numbersOf: (path) => {
    const { major, minor } = numbersOf(path);
    return `${major}:${minor}`;
  },
});

export function createSpecBuilder(options: SpecBuilderOptions): SpecBuilder {
  const { facts } = options;
  const profileOf = rememberProfiles(facts);
  const defaults = options.defaults ?? noDefaults;
  const effective = <T extends { readonly record: ContainerRecord }>(input: T): T => ({
    ...input,
    record: { ...input.record, hostConfig: withDefaults(input.record.hostConfig, defaults) },
  });
  return {
    privateCgroupNamespace: facts.layout.version === 2,
    recursiveReadOnly: facts.kernel[0] > 5 || (facts.kernel[0] === 5 && facts.kernel[1] >= 12),
    validate: (host) => validate(facts, host),
    container: async (ctx, given) => {
      const input = effective(given);
      const seccomp = await seccompParts({ ...options, profileOf }, ctx, input);
      const { hostConfig } = input.record;
      const spec = containerSpec(facts, input, { ...containerDevices(hostConfig), ...seccomp });
      const requests = hostConfig.DeviceRequests ?? [];
      if (requests.length === 0) return spec;
      const devices = selectDevices(await readCdi(options.cdiDirectories), requests);
      return applyDevices(spec as EditableSpec, devices, hostDevice);
    },
    exec: (input) => execProcess(facts, effective(input)),
    limitWrites: (record, next) => limitWrites(placeOf(facts, record), record.hostConfig, next),
    lateWrites: (record) => lateWrites(placeOf(facts, record), record.hostConfig),
    unitChange: (record, next) => unitChangeOf(facts, record, next),
    cgroupsPath: (record) => nextCgroupsPath(facts, record),
    cgroupPaths: (record) => cgroupPaths(facts, record),
  };
}
