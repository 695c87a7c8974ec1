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

function checkModes(flags: Flags): void {
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

function hostConfig(
  flags: Flags,
  ports: ReturnType<typeof parsePorts>,
  binds: readonly string[],
  mode: string,
): Record<string, unknown> {
  const security = securityOptions(flags.list('security-opt'));
  const logDriver = flags.string('log-driver');
  const logOptions = keyValues(flags.list('log-opt'));
  if (logDriver === 'none' && Object.keys(logOptions).length > 0)
    throw new CliError(`invalid logging opts for driver ${logDriver}`);
  return {
    Binds: binds.length === 0 ? null : binds,
    ContainerIDFile: flags.string('cidfile'),
    LogConfig: { Type: logDriver, Config: logOptions },
    NetworkMode: mode,
    PortBindings: ports,
    RestartPolicy: parseRestart(flags.string('restart')),
    AutoRemove: flags.bool('rm'),
    VolumeDriver: flags.string('volume-driver'),
    VolumesFrom: flags.list('volumes-from').length === 0 ? null : flags.list('volumes-from'),
    Annotations: flags.map('annotation'),
    CapAdd: capabilities(flags.list('cap-add')),
    CapDrop: capabilities(flags.list('cap-drop')),
    CgroupnsMode: flags.string('cgroupns'),
    Dns: flags.list('dns'),
    DnsOptions: [...flags.list('dns-option'), ...flags.list('dns-opt')],
    DnsSearch: flags.list('dns-search'),
    ExtraHosts: flags.list('add-host').length === 0 ? null : flags.list('add-host').map(extraHost),
    GroupAdd: flags.list('group-add').length === 0 ? null : flags.list('group-add'),
    IpcMode: flags.string('ipc'),
    Links: flags.list('link').length === 0 ? null : flags.list('link'),
    OomScoreAdj: flags.number('oom-score-adj'),
    PidMode: flags.string('pid'),
    Privileged: flags.bool('privileged'),
    PublishAllPorts: flags.bool('publish-all'),
    ReadonlyRootfs: flags.bool('read-only'),
    SecurityOpt: security.options.length === 0 ? null : security.options,
    ...(Object.keys(flags.map('storage-opt')).length === 0 ? {} : { StorageOpt: flags.map('storage-opt') }),
    ...(flags.list('tmpfs').length === 0 ? {} : { Tmpfs: parseTmpfs(flags.list('tmpfs')) }),
    UTSMode: flags.string('uts'),
    UsernsMode: flags.string('userns'),
    ShmSize: flags.number('shm-size'),
    ...(flags.list('sysctl').length === 0 ? {} : { Sysctls: flags.map('sysctl') }),
    ...(flags.string('runtime') === '' ? {} : { Runtime: flags.string('runtime') }),
    Isolation: flags.string('isolation'),
    ...buildResources(flags),
    ...(flags.list('mount').length === 0 ? {} : { Mounts: flags.list('mount').map(parseMount) }),
    ...(flags.changed('init') ? { Init: flags.bool('init') } : {}),
    ...(security.unconfinedPaths ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
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
