import type { HostConfig } from '../../core/model/container-spec.ts';
import type {
  NamespaceChoice,
  SpecInput,
  ExecProcessInput,
  SpecMount,
} from '../../core/ports/spec-builder.ts';
import { idsFromZero, type IdRange } from '../../core/model/id-mapping.ts';
import { profileOf } from './apparmor.ts';
import { containerCapabilities } from './capabilities.ts';
import { cgroupsPath, limitResources } from './cgroups.ts';
import type { DeviceNode, DeviceRule } from './devices.ts';
import type { MachineFacts } from './facts.ts';
import { initDestination, maskedPaths, readonlyPaths } from '../../core/model/system-paths.ts';
import { defaultMounts, mergeMounts } from './mounts.ts';
import { customSeccomp, defaultSeccomp, type SeccompSection } from './seccomp.ts';
import { parseSecurityOptions, rlimits } from './security.ts';
import { processLabel } from './selinux.ts';

const ociVersion = '1.0.2';
const defaultShmSize = 67_108_864;

export function capabilitiesOf(facts: MachineFacts, host: HostConfig): readonly string[] {
  return containerCapabilities({
    add: host.CapAdd ?? [],
    drop: host.CapDrop ?? [],
    privileged: host.Privileged === true,
    available: facts.capabilities,
  });
}

/** Bounding, effective and permitted; nothing inheritable, so that no program gains by its file capabilities. */
const capabilitySets = (capabilities: readonly string[]): object => ({
  bounding: capabilities,
  effective: capabilities,
  permitted: capabilities,
});

/** The profile in full; undefined for none. */
export function seccompOf(facts: MachineFacts, host: HostConfig): SeccompSection | undefined {
  if (!facts.seccomp || host.Privileged === true) return undefined;
  const options = parseSecurityOptions(host.SecurityOpt ?? []);
  if (options.seccomp === 'unconfined') return undefined;
  const capabilities = capabilitiesOf(facts, host);
  return options.seccomp === undefined
    ? defaultSeccomp(facts, capabilities)
    : customSeccomp(options.seccomp, facts, capabilities);
}

function namespaceEntries(input: SpecInput): readonly object[] {
  const entries: object[] = [{ type: 'mount' }];
  for (const [type, choice] of Object.entries<NamespaceChoice>(input.namespaces)) {
    if (choice === 'private') entries.push({ type });
    else if (choice !== 'host') entries.push({ type, path: choice.path });
  }
  if (input.userNamespace !== undefined) entries.push({ type: 'user', path: input.userNamespace.path });
  return entries;
}

/** The kernel takes only groups that the namespace has. */
const highestGroup = ({ userNamespace }: SpecInput): number =>
  userNamespace === undefined ? 2_147_483_647 : idsFromZero(userNamespace.mapping.gids) - 1;

/** The namespace has its map already; runtimes want to be told as well. */
function idMappings({ userNamespace }: SpecInput): object {
  if (userNamespace === undefined) return {};
  const told = ({ inside, outside, size }: IdRange): object => ({
    containerID: inside,
    hostID: outside,
    size,
  });
  const { uids, gids } = userNamespace.mapping;
  return { uidMappings: uids.map(told), gidMappings: gids.map(told) };
}

function sysctls(input: SpecInput): Record<string, string> {
  const own: Record<string, string> = {};
  if (input.namespaces.network !== 'host') {
    own['net.ipv4.ip_unprivileged_port_start'] = '0';
    own['net.ipv4.ping_group_range'] = `0 ${highestGroup(input)}`;
  }
  const domain = input.record.config.Domainname ?? '';
  if (domain !== '' && input.namespaces.uts === 'private') own['kernel.domainname'] = domain;
  return { ...own, ...input.record.hostConfig.Sysctls };
}

function ownMounts(input: SpecInput): readonly SpecMount[] {
  if (input.initPath === undefined) return input.mounts;
  const init = {
    destination: initDestination,
    type: 'bind',
    source: input.initPath,
    options: ['bind', 'ro'],
  };
  return [...input.mounts, init];
}

function rootPropagation(mounts: readonly SpecMount[]): string | undefined {
  const has = (name: string): boolean =>
    mounts.some((mount) => mount.options.includes(name) || mount.options.includes(`r${name}`));
  if (has('shared')) return 'shared';
  return has('slave') ? 'slave' : undefined;
}

function processOf(facts: MachineFacts, input: SpecInput): object {
  const { record } = input;
  const { config, hostConfig } = record;
  const command = [record.path, ...record.args];
  const limits = rlimits(hostConfig);
  const size = hostConfig.ConsoleSize;
  return {
    ...(config.Tty === true ? { terminal: true } : {}),
    ...(config.Tty === true && size != null && size[0] > 0
      ? { consoleSize: { height: size[0], width: size[1] } }
      : {}),
    user: userOf(input),
    args: input.initPath === undefined ? command : [initDestination, '--', ...command],
    env: input.env,
    cwd: input.workingDir,
    capabilities: capabilitySets(capabilitiesOf(facts, hostConfig)),
    ...(limits.length > 0 ? { rlimits: limits } : {}),
    ...(parseSecurityOptions(hostConfig.SecurityOpt ?? []).noNewPrivileges ? { noNewPrivileges: true } : {}),
    ...confinement(facts, hostConfig),
    ...(hostConfig.OomScoreAdj ? { oomScoreAdj: hostConfig.OomScoreAdj } : {}),
  };
}

/** What the kernel's security modules are told of a process. */
function confinement(facts: MachineFacts, host: HostConfig): object {
  const apparmor = profileOf(host, facts.apparmor);
  const label = facts.selinux ? processLabel(parseSecurityOptions(host.SecurityOpt ?? []).labels) : undefined;
  return {
    ...(apparmor === undefined ? {} : { apparmorProfile: apparmor }),
    ...(label === undefined ? {} : { selinuxLabel: label }),
  };
}

function userOf(input: Pick<SpecInput, 'user'>): object {
  const { uid, gid, additionalGids } = input.user;
  return { uid, gid, ...(additionalGids.length > 0 ? { additionalGids } : {}) };
}

function systemPaths(host: HostConfig): object {
  const open = host.Privileged === true || parseSecurityOptions(host.SecurityOpt ?? []).unmaskedSystemPaths;
  const masked = host.MaskedPaths ?? (open ? [] : maskedPaths);
  const readonly = host.ReadonlyPaths ?? (open ? [] : readonlyPaths);
  return {
    ...(masked.length > 0 ? { maskedPaths: masked } : {}),
    ...(readonly.length > 0 ? { readonlyPaths: readonly } : {}),
  };
}

export interface SpecParts {
  readonly nodes: readonly DeviceNode[];
  readonly rules: readonly DeviceRule[];
  readonly seccomp: SeccompSection | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

/** config.json of a container. Pure: everything it depends on is in its arguments. */
export function containerSpec(facts: MachineFacts, input: SpecInput, parts: SpecParts): object {
  const { hostConfig, id } = input.record;
  const privateIpc = input.namespaces.ipc === 'private';
  const ownShm = privateIpc && hostConfig.IpcMode !== 'none';
  const mounts = mergeMounts(
    defaultMounts({
      privileged: hostConfig.Privileged === true,
      writableCgroups: parseSecurityOptions(hostConfig.SecurityOpt ?? []).writableCgroups,
      cgroupVersion: facts.layout.version,
      shmSize: ownShm ? (hostConfig.ShmSize ?? 0) || defaultShmSize : undefined,
      privateIpc,
      sharedNetwork: input.namespaces.network === 'host',
    }),
    ownMounts(input),
  );
  const propagation = rootPropagation(input.mounts);
  const own = sysctls(input);
  return {
    ociVersion,
    process: processOf(facts, input),
    root: { path: input.rootPath, ...(hostConfig.ReadonlyRootfs === true ? { readonly: true } : {}) },
    ...(input.hostname === '' ? {} : { hostname: input.hostname }),
    mounts,
    ...(Object.keys(parts.annotations).length > 0 ? { annotations: parts.annotations } : {}),
    linux: {
      ...(Object.keys(own).length > 0 ? { sysctl: own } : {}),
      resources: { devices: parts.rules, ...limitResources(facts, hostConfig) },
      cgroupsPath: cgroupsPath(facts, hostConfig, id),
      namespaces: namespaceEntries(input),
      ...idMappings(input),
      ...(parts.nodes.length > 0 ? { devices: parts.nodes } : {}),
      ...(parts.seccomp === undefined ? {} : { seccomp: parts.seccomp }),
      ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
      ...systemPaths(hostConfig),
    },
  };
}

/** The `process` object of an exec: the container's own capabilities and limits, or all for a privileged one. */
export function execProcess(facts: MachineFacts, input: ExecProcessInput): object {
  const { hostConfig } = input.record;
  const limits = rlimits(hostConfig);
  const capabilities = input.privileged ? facts.capabilities : capabilitiesOf(facts, hostConfig);
  return {
    terminal: input.terminal,
    ...(input.terminal && input.consoleSize !== undefined && input.consoleSize[0] > 0
      ? { consoleSize: { height: input.consoleSize[0], width: input.consoleSize[1] } }
      : {}),
    user: userOf(input),
    args: input.args,
    env: input.env,
    cwd: input.workingDir,
    capabilities: capabilitySets(capabilities),
    ...(limits.length > 0 ? { rlimits: limits } : {}),
    ...(parseSecurityOptions(hostConfig.SecurityOpt ?? []).noNewPrivileges ? { noNewPrivileges: true } : {}),
    ...confinement(facts, hostConfig),
    ...(hostConfig.OomScoreAdj ? { oomScoreAdj: hostConfig.OomScoreAdj } : {}),
  };
}
