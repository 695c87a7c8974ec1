/** What host ports a container asks for: its port bindings and `--publish-all`, as ranges to claim from. Pure. */

import { invalid } from '../../../core/errors.ts';
import { parseIp } from '../../../core/ip.ts';
import type { ContainerConfig, HostConfig } from '../../../core/model/container-spec.ts';
import type { PublishedPort } from '../../../core/model/container.ts';

export type PortProtocol = PublishedPort['protocol'];

/** One container port to publish under one host port on every address of `hostIps`. */
export interface PortRequest {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  readonly hostIps: readonly string[];
  /** Inclusive; undefined for any port of the ephemeral range. */
  readonly range: { readonly first: number; readonly last: number } | undefined;
}

export interface BindingDefaults {
  /** For bindings that name none: the network's `host_binding_ipv4`, the engine's default, `0.0.0.0`. */
  readonly address: string;
  /** Whether the host has IPv6: then such bindings are made on `::` too, where that address is `0.0.0.0`. */
  readonly ipv6: boolean;
}

/** What a request for IPv6 is told on a host that has none. */
export const ipv6Missing =
  'IPv6 is not available on this host: the kernel has none, or it is switched off (ipv6.disable=1)';

const protocols: ReadonlySet<string> = new Set(['tcp', 'udp', 'sctp']);

/** `80/tcp` or `80`. */
export function parseContainerPort(text: string): { port: number; protocol: PortProtocol } {
  const [number = '', protocol = 'tcp'] = text.split('/', 2);
  const name = protocol.toLowerCase();
  if (!protocols.has(name)) throw invalid(`invalid port specification: "${text}"`);
  const port = Number(number);
  if (!/^\d{1,5}$/.test(number) || port > 65_535 || port === 0)
    throw invalid(`invalid port specification: "${text}"`);
  return { port, protocol: name as PortProtocol };
}

function parseHostPort(text: string): PortRequest['range'] {
  if (text === '' || text === '0') return undefined;
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = match?.[2] === undefined ? first : Number(match[2]);
  if (match === null || first === 0 || last > 65_535 || first > last)
    throw invalid(`invalid port specification: "${text}"`);
  return { first, last };
}

function addresses(hostIp: string, defaults: BindingDefaults): readonly string[] {
  if (hostIp === '') {
    const both = defaults.ipv6 && defaults.address === '0.0.0.0';
    return both ? [defaults.address, '::'] : [defaults.address];
  }
  const bare = hostIp.replace(/^\[(.*)\]$/, '$1');
  if (parseIp(bare) === undefined) throw invalid(`invalid IP address: ${hostIp}`);
  if (bare.includes(':') && !defaults.ipv6)
    throw invalid(`no port can be published on ${hostIp}: ${ipv6Missing}`);
  return [bare];
}

/** Throws `invalid` for malformed bindings. */
export function portRequests(
  config: Pick<ContainerConfig, 'ExposedPorts'>,
  hostConfig: Pick<HostConfig, 'PortBindings' | 'PublishAllPorts'>,
  defaults: BindingDefaults,
): readonly PortRequest[] {
  const requests: PortRequest[] = [];
  const bound = new Set<string>();
  for (const [key, bindings] of Object.entries(hostConfig.PortBindings ?? {})) {
    const { port, protocol } = parseContainerPort(key);
    for (const binding of bindings ?? []) {
      bound.add(`${port}/${protocol}`);
      const hostIps = addresses(binding.HostIp ?? '', defaults);
      requests.push({ protocol, containerPort: port, hostIps, range: parseHostPort(binding.HostPort ?? '') });
    }
  }
  if (hostConfig.PublishAllPorts !== true) return requests;
  for (const key of Object.keys(config.ExposedPorts ?? {})) {
    const { port, protocol } = parseContainerPort(key);
    if (bound.has(`${port}/${protocol}`)) continue;
    requests.push({ protocol, containerPort: port, hostIps: addresses('', defaults), range: undefined });
  }
  return requests;
}
