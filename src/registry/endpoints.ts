/** Where a registry is reached, and how far its certificate counts. */

import { readdir, readFile } from 'node:fs/promises';
import { BlockList, isIP } from 'node:net';
import { join } from 'node:path';
import { isErrno } from '../core/errors.ts';
import { defaultDomain } from '../core/reference.ts';
import type { TlsOptions } from './http.ts';

export interface EndpointOptions {
  /** Hosts, `host:port` or networks (CIDR) that are reached without a valid certificate, or over plain HTTP. */
  readonly insecureRegistries: readonly string[];
  /** Base addresses that are asked for Docker Hub's images first. */
  readonly mirrors: readonly string[];
  /** Docker Hub's own address. */
  readonly hub: string;
  /** `<directory>/<host:port>/*.crt` and client certificates, as Docker has them. */
  readonly certsDirectory: string;
}

export interface Endpoint {
  /** Without a path. */
  readonly base: URL;
  readonly tls: TlsOptions;
  readonly isMirror: boolean;
}

function splitHost(domain: string): string {
  const bracket = /^\[(.+)\](?::\d+)?$/.exec(domain);
  return bracket?.[1] ?? domain.replace(/:\d+$/, '');
}

function inNetwork(host: string, network: string): boolean {
  const [address = '', prefix = ''] = network.split('/');
  const family = isIP(address);
  if (family === 0 || !/^\d+$/.test(prefix)) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), family === 6 ? 'ipv6' : 'ipv4');
  const own = isIP(host);
  return own !== 0 && list.check(host, own === 6 ? 'ipv6' : 'ipv4');
}

/** Loopback is always insecure, as in Docker: nobody else can listen there. */
export function isInsecure(domain: string, listed: readonly string[]): boolean {
  const host = splitHost(domain);
  if (host === 'localhost' || host === '::1' || inNetwork(host, '127.0.0.0/8')) return true;
  return listed.some(
    (entry) => entry === domain || entry === host || (entry.includes('/') && inNetwork(host, entry)),
  );
}

async function readCertificates(directory: string, domain: string): Promise<Partial<TlsOptions>> {
  // A domain has no slash, so this cannot leave the directory.
  const path = join(directory, domain);
  let names: string[];
  try {
    names = (await readdir(path)).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return {};
    throw error;
  }
  const read = (name: string): Promise<Buffer> => readFile(join(path, name));
  const ca = await Promise.all(names.filter((name) => name.endsWith('.crt')).map(read));
  const cert = names.find((name) => name.endsWith('.cert'));
  const key = cert === undefined ? undefined : `${cert.slice(0, -5)}.key`;
  return {
    ...(ca.length > 0 && { ca }),
    ...(cert !== undefined &&
      key !== undefined &&
      names.includes(key) && { cert: await read(cert), key: await read(key) }),
  };
}

/** In the order in which they are to be tried. */
export async function endpointsOf(options: EndpointOptions, domain: string): Promise<Endpoint[]> {
  if (domain === defaultDomain) {
    const mirrors = options.mirrors.map((mirror): Endpoint => {
      const base = new URL(mirror);
      return { base, tls: { verify: !isInsecure(base.host, options.insecureRegistries) }, isMirror: true };
    });
    const base = new URL(options.hub);
    return [...mirrors, { base, tls: { verify: !isInsecure(base.host, []) }, isMirror: false }];
  }
  const insecure = isInsecure(domain, options.insecureRegistries);
  const tls: TlsOptions = { verify: !insecure, ...(await readCertificates(options.certsDirectory, domain)) };
  const secure: Endpoint = { base: new URL(`https://${domain}`), tls, isMirror: false };
  return insecure ? [secure, { ...secure, base: new URL(`http://${domain}`) }] : [secure];
}
