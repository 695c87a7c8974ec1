/** The daemon's flags: parsed once, then plain values. Pure. */

import { parseArgs } from 'node:util';
import { invalid } from '../core/errors.ts';
import { formatIp, parseIp } from '../core/ip.ts';
import { defaultConfigFile, readConfig } from './config-file.ts';
import {
  containerFlags,
  containerFlagsHelp,
  parseContainerDefaults,
  type ContainerDefaults,
} from './container-defaults.ts';
import { imageFlags, imageFlagsHelp, parseImagePolicy, type ImagePolicy } from './image-policy.ts';
import { parseStorageDriver, parseStorageOptions } from './storage-driver.ts';
import type { SnapshotDriverName } from '../storage/index.ts';
import type { LogLevel } from '../core/log.ts';

export interface DaemonOptions {
  readonly dataRoot: string;
  readonly runRoot: string;
  readonly instance: string;
  /** As given: `unix:///run/slipway.sock`, `tcp://127.0.0.1:2376`, `fd://3`. */
  readonly hosts: readonly string[];
  readonly pidFile: string | undefined;
  readonly logLevel: LogLevel;
  readonly defaultRuntime: string | undefined;
  /** More runtimes by name and path. */
  readonly runtimes: readonly { readonly name: string; readonly path: string }[];
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  /** Which images must be signed (docs/images.md); undefined: none. */
  readonly trustPolicy: string | undefined;
  readonly maxConcurrentDownloads: number;
  readonly maxConcurrentUploads: number;
  /** As the variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY, before those. */
  readonly proxies: Readonly<Record<string, string>>;
  /** Gateway and subnet of the default bridge; undefined chooses. */
  readonly bip: string | undefined;
  readonly addressPools: readonly { readonly base: string; readonly size: number }[];
  /** Where published ports are bound that name no address; undefined is every one. */
  readonly bindAddress: string | undefined;
  readonly mtu: number | undefined;
  readonly tls: TlsFiles | undefined;
  readonly group: string;
  readonly labels: readonly string[];
  readonly fixCgroups: boolean;
  /** Tells clients so, as dockerd's flag does; nothing depends on it here. */
  readonly experimental: boolean;
  readonly init: boolean;
  readonly initPath: string | undefined;
  readonly logDriver: string;
  readonly logOptions: Readonly<Record<string, string>>;
  readonly shimPath: string | undefined;
  /** Directories of CDI specifications; later ones win. */
  readonly cdiSpecDirs: readonly string[];
  readonly containerDefaults: ContainerDefaults;
  readonly imagePolicy: ImagePolicy;
  /** Undefined: the one that was used before, else the best that works. */
  readonly storageDriver: SnapshotDriverName | undefined;
  /** Bytes that a container may write into its root filesystem, unless it says otherwise; undefined for no limit. */
  readonly writableSize: number | undefined;
}

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Clients must show a certificate of this authority. */
  readonly clientCa: string | undefined;
}

export type ParsedCommand =
  | { readonly run: 'daemon'; readonly options: DaemonOptions }
  | { readonly run: 'help' }
  | { readonly run: 'version' };

const flags = {
  'config-file': { type: 'string' },
  'data-root': { type: 'string', default: '/var/lib/slipway' },
  'run-root': { type: 'string', default: '/run/slipway' },
  instance: { type: 'string', default: 'slipway' },
  host: { type: 'string', short: 'H', multiple: true, default: [] as string[] },
  pidfile: { type: 'string' },
  'log-level': { type: 'string', short: 'l', default: 'info' },
  debug: { type: 'boolean', short: 'D', default: false },
  'default-runtime': { type: 'string' },
  'add-runtime': { type: 'string', multiple: true, default: [] as string[] },
  'insecure-registry': { type: 'string', multiple: true, default: [] as string[] },
  'registry-mirror': { type: 'string', multiple: true, default: [] as string[] },
  'trust-policy': { type: 'string' },
  'max-concurrent-downloads': { type: 'string', default: '3' },
  'max-concurrent-uploads': { type: 'string', default: '5' },
  'http-proxy': { type: 'string', default: '' },
  'https-proxy': { type: 'string', default: '' },
  'no-proxy': { type: 'string', default: '' },
  bip: { type: 'string' },
  'default-address-pool': { type: 'string', multiple: true, default: [] as string[] },
  'default-bind-address': { type: 'string' },
  ip: { type: 'string' },
  mtu: { type: 'string' },
  tls: { type: 'boolean', default: false },
  tlsverify: { type: 'boolean', default: false },
  tlscacert: { type: 'string' },
  tlscert: { type: 'string' },
  tlskey: { type: 'string' },
  'docker-socket': { type: 'boolean', default: false },
  group: { type: 'string', short: 'G', default: 'slipway' },
  label: { type: 'string', multiple: true, default: [] as string[] },
  'fix-cgroups': { type: 'string', default: 'true' },
  experimental: { type: 'boolean', default: false },
  init: { type: 'boolean', default: false },
  'init-path': { type: 'string' },
  'log-driver': { type: 'string', default: 'json-file' },
  'log-opt': { type: 'string', multiple: true, default: [] as string[] },
  'shim-path': { type: 'string' },
  'cdi-spec-dir': { type: 'string', multiple: true, default: [] as string[] },
  ...containerFlags,
  ...imageFlags,
  'storage-driver': { type: 'string', short: 's', default: '' },
  'storage-opt': { type: 'string', multiple: true, default: [] as string[] },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', short: 'v', default: false },
} as const;

export const helpText = `Usage: slipwayd [OPTIONS]

The Slipway container engine: serves the Docker Engine API. Containers outlive it.

Options:
      --config-file FILE           Flags in JSON, by the names of dockerd's daemon.json (default ${defaultConfigFile},
                                   for the instance slipway alone)
  -H, --host ADDRESS               Where to listen: unix://PATH, tcp://HOST:PORT, fd://3 (repeatable;
                                   default unix:///run/slipway.sock)
      --docker-socket              Also listen on /var/run/docker.sock
  -G, --group NAME                 Group that may use the unix sockets (default "slipway")
      --data-root DIRECTORY        Images, containers, volumes (default /var/lib/slipway)
      --run-root DIRECTORY         What does not outlive a boot (default /run/slipway)
      --instance NAME              Names bridge, nftables table and cgroups (default "slipway")
      --pidfile FILE               Where to write the daemon's process id
  -l, --log-level LEVEL            debug, info, warn or error (default "info")
  -D, --debug                      The same as --log-level debug
      --default-runtime NAME       OCI runtime of containers that do not say (default crun, then runc)
      --add-runtime NAME=PATH      One more OCI runtime (repeatable)
      --experimental               Say so to clients: the docker command then shows its checkpoint commands
      --init                       Run an init in every container
      --init-path FILE             The static init program
      --log-driver NAME            Log driver of containers that do not say (default "json-file")
      --log-opt KEY=VALUE          Its options (repeatable)
      --insecure-registry HOST     Registry reached over HTTP or with any certificate (repeatable; host:port or CIDR)
      --registry-mirror [HOST=]URL Mirror of Docker Hub, or of HOST (repeatable)
      --max-concurrent-downloads N Layers that come in at once (default 3)
      --max-concurrent-uploads N   Layers that go out at once (default 5)
      --http-proxy URL, --https-proxy URL, --no-proxy LIST
                                   Proxies for registries, before those of the environment
      --trust-policy FILE          JSON file that says which images must be signed, and by which keys
      --bip CIDR                   Address and subnet of the default bridge
      --default-address-pool base=CIDR,size=N
                                   Where new networks get their subnets from (repeatable)
      --default-bind-address ADDRESS
                                   Where ports are published that name no address: 127.0.0.1 for the careful
                                   (default 0.0.0.0 and ::; --ip is the same)
      --mtu BYTES                  MTU of the default bridge (default: the uplink's)
      --tls                        Serve TCP with TLS
      --tlsverify                  As --tls, and clients must show a certificate
      --tlscacert FILE             Authority that client certificates must come from
      --tlscert FILE               Certificate
      --tlskey FILE                Its key
      --label KEY=VALUE            Label of this engine, shown in info (repeatable)
${containerFlagsHelp}${imageFlagsHelp}  -s, --storage-driver NAME        overlay2, btrfs, or vfs where nothing else can be (default: as before, else overlay2 or vfs)
      --storage-opt overlay2.size=BYTES
                                   What a container may write into its root filesystem unless it says otherwise (on xfs
                                   with pquota or ext4 with prjquota)
      --fix-cgroups true|false     Mount missing v1 controllers and set favordynmods at start (default true)
      --cdi-spec-dir DIRECTORY     Where CDI device specifications are (repeatable; default /etc/cdi and /var/run/cdi)
      --shim-path FILE             The slipway-shim program
  -v, --version                    Print the version
  -h, --help                       Print this text
`;

const levels: readonly string[] = ['debug', 'info', 'warn', 'error'];

function parseLevel(text: string): LogLevel {
  const level = text === 'warning' ? 'warn' : text === 'fatal' ? 'error' : text;
  if (!levels.includes(level)) throw invalid(`--log-level: ${text} is none of ${levels.join(', ')}`);
  return level as LogLevel;
}

/** `key=value` into its two sides. */
function pair(flag: string, text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw invalid(`--${flag}: ${text} is not of the form NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** `base=10.10.0.0/16,size=24`. */
function parsePool(text: string): { readonly base: string; readonly size: number } {
  const fields = new Map(text.split(',').map((field) => pair('default-address-pool', field)));
  const base = fields.get('base');
  const size = Number(fields.get('size'));
  if (base === undefined || !Number.isInteger(size) || size < 1 || size > 128) {
    throw invalid(`--default-address-pool: ${text} is not of the form base=CIDR,size=N`);
  }
  return { base, size };
}

// It becomes the name of an interface (with a digit), of a table and of cgroups.
const instancePattern = /^[a-z][a-z0-9-]{0,12}$/;

function parseTls(values: {
  readonly tls?: boolean;
  readonly tlsverify?: boolean;
  readonly tlscacert?: string | undefined;
  readonly tlscert?: string | undefined;
  readonly tlskey?: string | undefined;
}): TlsFiles | undefined {
  if (values.tls !== true && values.tlsverify !== true) return undefined;
  const { tlscert: cert, tlskey: key, tlscacert: ca } = values;
  if (cert === undefined || key === undefined) throw invalid('--tls needs --tlscert and --tlskey');
  if (values.tlsverify === true && ca === undefined) throw invalid('--tlsverify needs --tlscacert');
  return { cert, key, clientCa: values.tlsverify === true ? ca : undefined };
}

function parseHosts(hosts: readonly string[], dockerSocket: boolean): readonly string[] {
  const own = hosts.length === 0 ? ['unix:///run/slipway.sock'] : hosts;
  return dockerSocket ? [...own, 'unix:///var/run/docker.sock'] : own;
}

function parseMtu(text: string | undefined): number | undefined {
  if (text === undefined || text === '0') return undefined;
  const mtu = Number(text);
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65_535)
    throw invalid(`--mtu: ${text} is not a number of bytes`);
  return mtu;
}

function parseBindAddress(text: string | undefined): string | undefined {
  if (text === undefined || text === '' || text === '0.0.0.0') return undefined;
  const address = parseIp(text);
  if (address?.family !== 4) throw invalid(`--default-bind-address: ${text} is not an IPv4 address`);
  return formatIp(address);
}

function parseCdiDirs(given: readonly string[]): readonly string[] {
  if (given.length === 0) return ['/etc/cdi', '/var/run/cdi'];
  for (const directory of given) {
    if (!directory.startsWith('/')) throw invalid(`--cdi-spec-dir: ${directory} is not an absolute path`);
  }
  return given;
}

function positive(flag: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw invalid(`--${flag}: ${text} is not a number from 1 on`);
  return Number(text);
}

function proxiesOf(
  values: Readonly<Record<'http-proxy' | 'https-proxy' | 'no-proxy', string>>,
): Record<string, string> {
  const given: Record<string, string> = {};
  for (const name of ['http-proxy', 'https-proxy', 'no-proxy'] as const) {
    const value = values[name];
    if (value === '') continue;
    if (name !== 'no-proxy' && !URL.canParse(value)) throw invalid(`--${name}: ${value} is not an address`);
    given[name.replace('-', '_').toUpperCase()] = value;
  }
  return given;
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags, allowNegative: false, tokens: true });
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
}

/** `invalid` with a sentence for what is wrong. */
export function parseCommand(args: readonly string[]): ParsedCommand {
  const { values: given, tokens } = readFlags(args);
  if (given.help) return { run: 'help' };
  if (given.version) return { run: 'version' };
  const named = new Set(tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : [])));
  // A second engine on a host has a file of its own, or none.
  const byDefault = given.instance === flags.instance.default;
  const file = given['config-file'] === undefined && !byDefault ? '' : given['config-file'];
  const { values } = readFlags([...readConfig(file, flags, named), ...args]);
  if (!instancePattern.test(values.instance)) {
    throw invalid(
      `--instance: ${values.instance} must be up to 13 of a-z, 0-9 and -, beginning with a letter`,
    );
  }
  for (const root of ['data-root', 'run-root'] as const) {
    if (!values[root].startsWith('/')) throw invalid(`--${root}: ${values[root]} is not an absolute path`);
  }
  return {
    run: 'daemon',
    options: {
      dataRoot: values['data-root'],
      runRoot: values['run-root'],
      instance: values.instance,
      hosts: parseHosts(values.host, values['docker-socket']),
      pidFile: values.pidfile,
      logLevel: values.debug ? 'debug' : parseLevel(values['log-level']),
      defaultRuntime: values['default-runtime'],
      runtimes: values['add-runtime'].map((text) => {
        const [name, path] = pair('add-runtime', text);
        return { name, path };
      }),
      insecureRegistries: values['insecure-registry'],
      registryMirrors: values['registry-mirror'],
      trustPolicy: values['trust-policy'],
      maxConcurrentDownloads: positive('max-concurrent-downloads', values['max-concurrent-downloads']),
      maxConcurrentUploads: positive('max-concurrent-uploads', values['max-concurrent-uploads']),
      proxies: proxiesOf(values),
      bip: values.bip,
      addressPools: values['default-address-pool'].map(parsePool),
      bindAddress: parseBindAddress(values['default-bind-address'] ?? values.ip),
      mtu: parseMtu(values.mtu),
      tls: parseTls(values),
      group: values.group,
      labels: values.label,
      fixCgroups: values['fix-cgroups'] !== 'false',
      experimental: values.experimental,
      init: values.init,
      initPath: values['init-path'],
      logDriver: values['log-driver'],
      logOptions: Object.fromEntries(values['log-opt'].map((text) => pair('log-opt', text))),
      shimPath: values['shim-path'],
      cdiSpecDirs: parseCdiDirs(values['cdi-spec-dir']),
      containerDefaults: parseContainerDefaults(values),
      imagePolicy: parseImagePolicy(values),
      storageDriver: parseStorageDriver(values['storage-driver']),
      writableSize: parseStorageOptions(values['storage-opt']),
    },
  };
}
