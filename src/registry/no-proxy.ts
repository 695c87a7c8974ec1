/** Which addresses are reached without a proxy: by Go's rules for NO_PROXY, and so dockerd's. Node's own know no networks and no domains. */

import { isIP } from 'node:net';
import { inNetwork, isLoopback } from './networks.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `host`, `host:port`, `[::1]:port`, an address as it is. */
function splitEntry(entry: string): { readonly name: string; readonly port: string | undefined } {
  if (isIP(entry) !== 0) return { name: entry, port: undefined };
  const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  return { name: name.replace(/^\[(.*)\]$/, '$1'), port };
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inNetwork(host, entry);
  const { name, port: only } = splitEntry(entry);
  if (name === '' || (only !== undefined && only !== port)) return false;
  // `.example.com` and `*.example.com` are all below it, `example.com` is that as well.
  const domain = name.startsWith('*.') ? name.slice(1) : name;
  if (domain.startsWith('.')) return host.endsWith(domain);
  return host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`));
}

/** Loopback never goes by a proxy. */
export function isDirect(url: URL, env: Environment): boolean {
  const host = url.hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (isLoopback(host)) return true;
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const listed = (env['NO_PROXY'] ?? env['no_proxy'] ?? '').toLowerCase();
  return listed.split(',').some((entry) => matches(entry.trim(), host, port));
}

/** The environment of proxies without exceptions: they are decided here. */
export function withoutExceptions(env: Environment): Record<string, string | undefined> {
  const { NO_PROXY: _upper, no_proxy: _lower, ...rest } = env;
  return rest;
}
