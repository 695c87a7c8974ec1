/** Where a registry is reached: its mirrors, itself, and how far each certificate counts. */

import { statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid } from '../core/errors.ts';
import { defaultDomain } from '../core/reference.ts';
import { allCapabilities, readHostsFile, type Capability, type HostEntry } from './hosts.ts';
import type { TlsOptions } from './http.ts';
import { inNetwork, isLoopback } from './networks.ts';

export interface EndpointOptions {
  /** Hosts, `host:port` or networks (CIDR) that are reached without a valid certificate, or over plain HTTP. */
  readonly insecureRegistries: readonly string[];
  /** Addresses that are asked first: `https://mirror` for Docker Hub's images, `ghcr.io=https://mirror` for another registry's. */
  readonly mirrors: readonly string[];
  /** Docker Hub's own address. */
  readonly hub: string;
  /** `<directory>/<host:port>/` with `hosts.toml` (containerd's) or `*.crt` and client certificates (Docker's). The first that has one counts. */
  readonly certsDirectories: readonly string[];
}

export interface Endpoint {
  /** Without a path. */
  readonly base: URL;
  /** What stands for `/v2` in paths. */
  readonly prefix: string;
  readonly tls: TlsOptions;
  /** Not the registry itself: credentials are not for it, and what it lacks may be elsewhere. */
  readonly isMirror: boolean;
  readonly capabilities: readonly Capability[];
  readonly headers: Readonly<Record<string, string>>;
}

function splitHost(domain: string): string {
  const bracket = /^\[(.+)\](?::\d+)?$/.exec(domain);
  return bracket?.[1] ?? domain.replace(/:\d+$/, '');
}

/** Loopback is always insecure, as in Docker. */
export function isInsecure(domain: string, listed: readonly string[]): boolean {
  const host = splitHost(domain);
  if (isLoopback(host)) return true;
  return listed.some(
    (entry) => entry === domain || entry === host || (entry.includes('/') && inNetwork(host, entry)),
  );
}

export interface Mirror {
  /** The registry that it stands for. */
  readonly domain: string;
  readonly url: URL;
}

/** One value of `--registry-mirror`. `invalid` with Docker's words. */
export function parseMirror(text: string): Mirror {
  const [, domain = defaultDomain, address = ''] = /^(?:([^=/]+)=)?(.*)$/s.exec(text) ?? [];
  if (!/^https?:\/\//.test(address) || !URL.canParse(address))
    throw invalid(`invalid mirror: ${JSON.stringify(text)} is not an http or https address`);
  const url = new URL(address);
  if (url.username !== '' || url.password !== '')
    throw invalid(`invalid mirror: username/password not allowed in URI ${JSON.stringify(url.origin)}`);
  if (url.search !== '' || url.hash !== '')
    throw invalid(`invalid mirror: query or fragment at end of the URI ${JSON.stringify(url.origin)}`);
  return { domain, url };
}

/**
 * The first of the directories that exists for a domain. Looked for at once, since every request begins with it: a look takes
 * a microsecond, and one by way of another thread a hundred.
 */
function directoryOf(options: EndpointOptions, domain: string): string | undefined {
  // A domain has no slash, so this cannot leave the directories.
  const names = [domain, ...(domain.includes(':') ? [domain.replace(':', '_')] : []), '_default'];
  for (const name of names) {
    for (const root of options.certsDirectories) {
      const path = join(root, name);
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return path;
    }
  }
  return undefined;
}

async function readCertificates(path: string | undefined): Promise<Partial<TlsOptions>> {
  if (path === undefined) return {};
  const names = (await readdir(path)).sort();
  const read = (name: string): Promise<Buffer> => readFile(join(path, name));
  const ca = await Promise.all(names.filter((name) => name.endsWith('.crt')).map(read));
  const cert = names.find((name) => name.endsWith('.cert'));
  const key = cert === undefined ? undefined : `${cert.slice(0, -5)}.key`;
  if (cert !== undefined && key !== undefined && !names.includes(key))
    throw invalid(
      `missing key ${key} for client certificate ${cert}. CA certificates must use the extension .crt`,
    );
  return {
    ...(ca.length > 0 && { ca }),
    ...(cert !== undefined && key !== undefined && { cert: await read(cert), key: await read(key) }),
  };
}

const originOf = (url: URL): URL => new URL(url.origin);
const pathOf = (url: URL): string => url.pathname.replace(/\/+$/, '');

function fromHosts(entry: HostEntry, options: EndpointOptions, isMirror: boolean): Endpoint {
  const insecure = entry.skipVerify || isInsecure(entry.url.host, options.insecureRegistries);
  const path = pathOf(entry.url);
  return {
    base: originOf(entry.url),
    prefix: entry.overridePath || path.endsWith('/v2') ? path : `${path}/v2`,
    tls: { verify: !insecure, ...entry.tls },
    isMirror,
    capabilities: entry.capabilities,
    headers: entry.headers,
  };
}

/** The registry itself where no file says otherwise: insecure ones may have any certificate, or none. */
function ownEndpoints(
  options: EndpointOptions,
  domain: string,
  certificates: Partial<TlsOptions>,
): Endpoint[] {
  const common = { prefix: '/v2', isMirror: false, capabilities: allCapabilities, headers: {} };
  if (domain === defaultDomain) {
    const base = new URL(options.hub);
    return [{ ...common, base, tls: { verify: !isInsecure(base.host, []), ...certificates } }];
  }
  const insecure = isInsecure(domain, options.insecureRegistries);
  const secure = {
    ...common,
    base: new URL(`https://${domain}`),
    tls: { verify: !insecure, ...certificates },
  };
  return insecure ? [secure, { ...secure, base: new URL(`http://${domain}`) }] : [secure];
}

/** In the order in which they are to be tried. */
export async function endpointsOf(options: EndpointOptions, domain: string): Promise<Endpoint[]> {
  const directory = directoryOf(options, domain);
  const file = directory === undefined ? undefined : await readHostsFile(directory);
  const mirrors = options.mirrors
    .map((text) => parseMirror(text))
    .filter((mirror) => mirror.domain === domain)
    .map(({ url }): Endpoint => ({
      base: originOf(url),
      prefix: `${pathOf(url)}/v2`,
      tls: { verify: !isInsecure(url.host, options.insecureRegistries) },
      isMirror: true,
      capabilities: ['pull', 'resolve'],
      headers: {},
    }));
  const certificates = file === undefined ? await readCertificates(directory) : {};
  const own =
    file?.server === undefined
      ? ownEndpoints(options, domain, certificates)
      : [fromHosts(file.server, options, false)];
  const hosts = (file?.hosts ?? []).map((entry) => {
    const same = own.find((each) => each.base.origin === entry.url.origin);
    return fromHosts(entry, options, same === undefined);
  });
  const named = new Set(hosts.map((host) => host.base.origin));
  return [...mirrors, ...hosts, ...own.filter((each) => !named.has(each.base.origin))];
}
