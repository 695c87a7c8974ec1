/** From the flags of `run` and `create` to the body of the create request. Pure but for files that flags name. */
import { CliError } from '../exit.ts';
import type { Flags } from '../flags/parse.ts';
import { collectEnv, collectLabels, keyValues } from '../key-values.ts';
import { parseMount, parseTmpfs, splitVolumes } from './mounts.ts';
import { planNetworks } from './networks.ts';
import { parseExposed, parsePorts } from './ports.ts';
import { buildResources, securityOptions } from './resources.ts';
import { parseRestart } from './restart-policy.ts';

export interface AttachFlags {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface CreateBody extends Record<string, unknown> {
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  readonly HostConfig: Record<string, unknown>;
}

type Env = Readonly<Record<string, string | undefined>>;

/** What is attached: what `-a` names, else all, and stdin with `-i`. */
export function attachOf(flags: Flags): AttachFlags {
  const named = flags.list('attach').map((name) => name.toLowerCase());
  if (named.length > 0) {
    return {
      stdin: named.includes('stdin'),
      stdout: named.includes('stdout'),
      stderr: named.includes('stderr'),
    };
  }
  return { stdin: flags.bool('interactive'), stdout: true, stderr: true };
}

function healthcheck(flags: Flags): Record<string, unknown> | undefined {
  const changed = [
    'health-cmd',
    'health-interval',
    'health-timeout',
    'health-retries',
    'health-start-period',
    'health-start-interval',
  ].some((name) => flags.changed(name));
  if (flags.bool('no-healthcheck')) {
    if (changed) throw new CliError('--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!changed) return undefined;
  for (const name of ['health-interval', 'health-timeout', 'health-start-period', 'health-start-interval']) {
    if (flags.number(name) < 0) throw new CliError(`--${name} cannot be negative`);
  }
  if (flags.number('health-retries') < 0) throw new CliError('--health-retries cannot be negative');
  const command = flags.string('health-cmd');
  return {
    ...(command === '' ? {} : { Test: ['CMD-SHELL', command] }),
    Interval: flags.number('health-interval'),
    Timeout: flags.number('health-timeout'),
    StartPeriod: flags.number('health-start-period'),
    StartInterval: flags.number('health-start-interval'),
    Retries: flags.number('health-retries'),
  };
}

/** `host-gateway` and addresses; `=` may stand for the first colon. */
const extraHost = (text: string): string => {
  const at = text.search(/[=:]/);
  return at < 0 ? text : `${text.slice(0, at)}:${text.slice(at + 1).replace(/^\[(.*)\]$/, '$1')}`;
};

/** In the kernel's spelling, `CAP_NET_ADMIN`. */
function capabilities(names: readonly string[]): string[] | null {
  const full = names
    .map((name) => name.trim().toUpperCase())
    .map((name) => (name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`));
  return full.length === 0 ? null : [...new Set(full)].sort();
}

/** Limits of Windows containers. */
const ofWindows = ['cpu-count', 'cpu-percent', 'io-maxbandwidth', 'io-maxiops'];

function checkModes(flags: Flags): void {
  for (const name of ofWindows.filter((flag) => flags.changed(flag))) {
    throw new CliError(
      `"--${name}" is only supported on a Docker daemon running on windows, but the Docker daemon is running on linux`,
    );
  }
  const bad = (flag: string, title: string, known: RegExp): void => {
    const value = flags.string(flag);
    if (value !== '' && !known.test(value)) throw new CliError(`--${flag}: invalid ${title} mode`);
  };
  bad('pid', 'PID', /^(host|container:.+)$/);
  bad('uts', 'UTS', /^host$/);
  bad('userns', 'USER', /^host$/);
  bad('cgroupns', 'CGROUP', /^(host|private)$/);
  if (flags.bool('rm') && !['', 'no'].includes(flags.string('restart'))) {
    throw new CliError('conflicting options: cannot specify both --restart and --rm');
  }
}

/** The list of a flag, `null` when it was not given: the API tells the two apart. */
function listOrNull(flags: Flags, name: string): readonly string[] | null {
  const list = flags.list(name);
  return list.length === 0 ? null : list;
}

function logConfig(flags: Flags): Record<string, unknown> {
  const driver = flags.string('log-driver');
  const options = keyValues(flags.list('log-opt'));
  if (driver === 'none' && Object.keys(options).length > 0) {
    throw new CliError(`invalid logging opts for driver ${driver}`);
  }
  return { Type: driver, Config: options };
}

/** Namespaces, capabilities and what else keeps the container apart from the host. */
function isolation(flags: Flags): Record<string, unknown> {
  const security = securityOptions(flags.list('security-opt'));
  return {
    CapAdd: capabilities(flags.list('cap-add')),
    CapDrop: capabilities(flags.list('cap-drop')),
    CgroupnsMode: flags.string('cgroupns'),
    GroupAdd: listOrNull(flags, 'group-add'),
    IpcMode: flags.string('ipc'),
    PidMode: flags.string('pid'),
    UTSMode: flags.string('uts'),
    UsernsMode: flags.string('userns'),
    Isolation: flags.string('isolation'),
    Privileged: flags.bool('privileged'),
    ReadonlyRootfs: flags.bool('read-only'),
    SecurityOpt: security.options.length === 0 ? null : security.options,
    ...(security.unconfinedPaths ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
    ...(flags.list('sysctl').length === 0 ? {} : { Sysctls: flags.map('sysctl') }),
  };
}

function files(flags: Flags, binds: readonly string[]): Record<string, unknown> {
  return {
    Binds: binds.length === 0 ? null : binds,
    VolumeDriver: flags.string('volume-driver'),
    VolumesFrom: listOrNull(flags, 'volumes-from'),
    ShmSize: flags.number('shm-size'),
    ...(flags.list('storage-opt').length === 0 ? {} : { StorageOpt: flags.map('storage-opt') }),
    ...(flags.list('tmpfs').length === 0 ? {} : { Tmpfs: parseTmpfs(flags.list('tmpfs')) }),
    ...(flags.list('mount').length === 0 ? {} : { Mounts: flags.list('mount').map(parseMount) }),
  };
}

function names(flags: Flags): Record<string, unknown> {
  return {
    Dns: flags.list('dns'),
    DnsOptions: [...flags.list('dns-option'), ...flags.list('dns-opt')],
    DnsSearch: flags.list('dns-search'),
    ExtraHosts: listOrNull(flags, 'add-host')?.map(extraHost) ?? null,
    Links: listOrNull(flags, 'link'),
  };
}

function hostConfig(
  flags: Flags,
  ports: ReturnType<typeof parsePorts>,
  binds: readonly string[],
  mode: string,
): Record<string, unknown> {
  return {
    ContainerIDFile: flags.string('cidfile'),
    LogConfig: logConfig(flags),
    NetworkMode: mode,
    PortBindings: ports,
    PublishAllPorts: flags.bool('publish-all'),
    RestartPolicy: parseRestart(flags.string('restart')),
    AutoRemove: flags.bool('rm'),
    Annotations: flags.map('annotation'),
    OomScoreAdj: flags.number('oom-score-adj'),
    ...names(flags),
    ...files(flags, binds),
    ...isolation(flags),
    ...buildResources(flags),
    ...(flags.string('runtime') === '' ? {} : { Runtime: flags.string('runtime') }),
    ...(flags.changed('init') ? { Init: flags.bool('init') } : {}),
  };
}

/** The body for `image` and its command. Throws CliError in docker's words. */
export function createBody(flags: Flags, args: readonly string[], env: Env): CreateBody {
  checkModes(flags);
  const [image = '', ...command] = args;
  const attach = attachOf(flags);
  const ports = parsePorts(flags.list('publish'));
  const { binds, volumes } = splitVolumes(flags.list('volume'));
  const exposed = [...Object.keys(ports), ...parseExposed(flags.list('expose'))];
  const health = healthcheck(flags);
  const entrypoint = flags.string('entrypoint');
  const { mode, endpoints } = planNetworks(flags);
  const interactive = flags.bool('interactive');
  return {
    Hostname: flags.string('hostname'),
    Domainname: flags.string('domainname'),
    User: flags.string('user'),
    AttachStdin: attach.stdin,
    AttachStdout: attach.stdout,
    AttachStderr: attach.stderr,
    Tty: flags.bool('tty'),
    OpenStdin: interactive,
    StdinOnce: interactive && attach.stdin,
    ...(exposed.length === 0 ? {} : { ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])) }),
    Env: collectEnv(flags.list('env-file'), flags.list('env'), env),
    Cmd: command.length === 0 ? null : command,
    ...(health === undefined ? {} : { Healthcheck: health }),
    Image: image,
    Volumes: volumes,
    WorkingDir: flags.string('workdir'),
    Entrypoint: flags.changed('entrypoint') ? [entrypoint] : null,
    Labels: collectLabels(flags.list('label-file'), flags.list('label')),
    ...(flags.string('stop-signal') === '' ? {} : { StopSignal: flags.string('stop-signal') }),
    ...(flags.changed('stop-timeout') ? { StopTimeout: flags.number('stop-timeout') } : {}),
    HostConfig: hostConfig(flags, ports, binds, mode),
    NetworkingConfig: { EndpointsConfig: endpoints },
  };
}
