import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { invalid } from '../core/errors.ts';
import type { ListenerSpec, TlsOptions } from '../api/index.ts';
import type { DaemonOptions, TlsFiles } from './options.ts';

function readTls(files: TlsFiles): TlsOptions {
  return {
    cert: readFileSync(files.cert),
    key: readFileSync(files.key),
    ...(files.clientCa === undefined ? {} : { clientCa: readFileSync(files.clientCa) }),
  };
}

/** Number of a group by name from /etc/group; undefined when there is none. */
export function groupId(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`${name}:`));
  return line === undefined ? undefined : Number(line.split(':')[2]);
}

function parseTcp(host: string): { readonly host: string; readonly port: number } {
  const url = URL.parse(host);
  if (url === null || url.hostname === '')
    throw invalid(`--host: ${host} is not of the form tcp://HOST:PORT`);
  const plainPort = 2375;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? plainPort : Number(url.port),
  };
}

/** One `--host` as the API's listener. */
export function listenerOf(host: string, options: Pick<DaemonOptions, 'tls' | 'group'>): ListenerSpec {
  if (host.startsWith('unix://')) {
    const gid = groupId(options.group);
    return { type: 'unix', path: host.slice('unix://'.length), ...(gid === undefined ? {} : { gid }) };
  }
  if (host.startsWith('fd://')) {
    const firstPassed = 3;
    const number = host.slice('fd://'.length);
    return { type: 'fd', fd: number === '' ? firstPassed : Number(number) };
  }
  if (host.startsWith('tcp://')) {
    const at = parseTcp(host);
    return { type: 'tcp', ...at, ...(options.tls === undefined ? {} : { tls: readTls(options.tls) }) };
  }
  throw invalid(`--host: ${host} begins with none of unix://, tcp://, fd://`);
}

/** TCP listeners that anyone who reaches them may use as root. */
export function insecureListeners(options: DaemonOptions): readonly string[] {
  if (options.tls?.clientCa !== undefined) return [];
  return options.hosts
    .filter((host) => host.startsWith('tcp://'))
    .map((host) => {
      const { host: name, port } = parseTcp(host);
      return `${isIPv4(name) || !name.includes(':') ? name : `[${name}]`}:${port}`;
    });
}
