/** `/etc/resolv.conf` of a container, from the host's and what its user asks. Pure. */

import { parseIp } from '../../core/ip.ts';

export interface ResolvConf {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** The address of the embedded DNS inside every container on a user-defined network. */
export const embeddedServer = '127.0.0.11';
/** Asked when the host names no server that a container could reach; Docker's choice. */
const publicServers = ['8.8.8.8', '8.8.4.4'];

export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let search: readonly string[] = [];
  const options: string[] = [];
  for (const raw of text.split('\n')) {
    const [keyword, ...words] = raw
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    const [first] = words;
    if (keyword === 'nameserver' && first !== undefined && parseIp(first.replace(/%.*$/, '')) !== undefined)
      servers.push(first);
    else if (keyword === 'search' || keyword === 'domain') search = words;
    else if (keyword === 'options') options.push(...words);
  }
  return { servers, search, options };
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

export interface ResolvConfRequest {
  readonly host: ResolvConf;
  /** Whether the container has the embedded DNS. */
  readonly embedded: boolean;
  readonly ipv6: boolean;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
}

/**
 * Servers that the container can use itself: the user's, else the host's. The host's loopback servers are out of its
 * reach; with the embedded DNS they are asked from the host's namespace instead.
 */
function reachable(request: ResolvConfRequest): readonly string[] {
  if (request.dns.length > 0) return request.dns;
  const servers = request.host.servers.filter(
    (server) => !isLoopback(server) && (request.ipv6 || !server.includes(':')),
  );
  return servers.length > 0 ? servers : publicServers;
}

/** The servers that the embedded DNS forwards to. */
export function upstreamServers(
  request: Pick<ResolvConfRequest, 'host' | 'dns'>,
): readonly { readonly address: string; readonly hostNamespace: boolean }[] {
  if (request.dns.length > 0)
    return request.dns.map((address) => ({ address, hostNamespace: isLoopback(address) }));
  const servers = request.host.servers.length > 0 ? request.host.servers : publicServers;
  // From the container's namespace as Docker asks, but for what only the host itself reaches: loopback, IPv6, link-local.
  return servers.map((address) => ({ address, hostNamespace: isLoopback(address) || address.includes(':') }));
}

export function resolvConf(request: ResolvConfRequest): string {
  const lines: string[] = [];
  const servers = request.embedded ? [embeddedServer] : reachable(request);
  for (const server of servers) lines.push(`nameserver ${server}`);
  // A single dot as search domain means none.
  const asked = request.dnsSearch.length > 0 ? request.dnsSearch : request.host.search;
  const search = asked.filter((domain) => domain !== '.');
  if (search.length > 0) lines.push(`search ${search.join(' ')}`);
  const chosen = request.dnsOptions.length > 0 ? request.dnsOptions : request.host.options;
  // Names without dots are answered as they are: the embedded DNS knows them.
  const options =
    request.embedded && !chosen.some((option) => option.startsWith('ndots:'))
      ? [...chosen, 'ndots:0']
      : chosen;
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return `${lines.join('\n')}\n`;
}
