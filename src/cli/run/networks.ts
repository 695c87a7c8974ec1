/** `--network` and the flags that go with it. */
import { CliError } from '../exit.ts';
import type { Flags } from '../flags/parse.ts';
import { parseCsv } from '../flags/values.ts';

export interface Attachment {
  readonly target: string;
  readonly aliases: readonly string[];
  readonly driverOpts: Readonly<Record<string, string>>;
  readonly ip: string;
  readonly ip6: string;
  readonly linkLocal: readonly string[];
  readonly mac: string;
  readonly priority: number;
}

const NONE: Omit<Attachment, 'target'> = {
  aliases: [],
  driverOpts: {},
  ip: '',
  ip6: '',
  linkLocal: [],
  mac: '',
  priority: 0,
};

/** Reads `back` or `name=back,alias=db,ip=10.0.0.9`. Throws an Error in docker's words. */
export function parseNetwork(text: string): Attachment {
  if (!/^[^,]*=/.test(text)) return { target: text, ...NONE };
  let network: Attachment = { target: '', ...NONE };
  for (const field of parseCsv(text)) {
    const at = field.indexOf('=');
    const key = (at < 0 ? field : field.slice(0, at)).trim().toLowerCase();
    const value = at < 0 ? '' : field.slice(at + 1).trim();
    if (at < 0 || value === '') throw new Error(`invalid field ${field}`);
    if (key === 'name') network = { ...network, target: value };
    else if (key === 'alias') network = { ...network, aliases: [...network.aliases, value] };
    else if (key === 'ip') network = { ...network, ip: value };
    else if (key === 'ip6') network = { ...network, ip6: value };
    else if (key === 'mac-address') network = { ...network, mac: value };
    else if (key === 'link-local-ip') network = { ...network, linkLocal: [...network.linkLocal, value] };
    else if (key === 'gw-priority') network = { ...network, priority: Number(value) };
    else if (key === 'driver-opt') {
      // The value may hold further signs: a sysctl is `name=value` itself.
      const cut = value.indexOf('=');
      const [name, content] = cut < 0 ? [value, ''] : [value.slice(0, cut), value.slice(cut + 1)];
      network = { ...network, driverOpts: { ...network.driverOpts, [name]: content } };
    } else throw new Error(`invalid field key ${key}`);
  }
  if (network.target === '') throw new Error('network name/id is not specified');
  return network;
}

/** A name of the user's own, not one of the modes that the engine knows. */
const isUserDefined = (name: string): boolean =>
  !['', 'default', 'bridge', 'host', 'none', 'nat'].includes(name) && !name.startsWith('container:');

/** The flags for the first network, added to what `--network` says itself. */
function withFlags(first: Attachment, flags: Flags): Attachment {
  const conflict = (flag: string): never => {
    throw new CliError(
      `conflicting options: cannot specify both --${flag} and per-network ${flag.replace('network-', '')}`,
    );
  };
  const aliases = [...flags.list('network-alias'), ...flags.list('net-alias')];
  if (aliases.length > 0 && first.aliases.length > 0) conflict('network-alias');
  const ip = flags.string('ip');
  const ip6 = flags.string('ip6');
  if (ip !== '' && first.ip !== '') conflict('ip');
  if (ip6 !== '' && first.ip6 !== '') conflict('ip6');
  return {
    ...first,
    aliases: aliases.length > 0 ? aliases : first.aliases,
    ip: ip || first.ip,
    ip6: ip6 || first.ip6,
    linkLocal: [...flags.list('link-local-ip'), ...first.linkLocal],
    mac: flags.string('mac-address') || first.mac,
  };
}

function endpoint(network: Attachment, links: readonly string[]): Record<string, unknown> {
  const { ip, ip6, linkLocal } = network;
  const ipam = {
    ...(ip === '' ? {} : { IPv4Address: ip }),
    ...(ip6 === '' ? {} : { IPv6Address: ip6 }),
    ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal }),
  };
  return {
    ...(Object.keys(ipam).length === 0 ? {} : { IPAMConfig: ipam }),
    ...(links.length === 0 ? {} : { Links: links }),
    ...(network.aliases.length === 0 ? {} : { Aliases: network.aliases }),
    ...(Object.keys(network.driverOpts).length === 0 ? {} : { DriverOpts: network.driverOpts }),
    ...(network.mac === '' ? {} : { MacAddress: network.mac }),
    ...(network.priority === 0 ? {} : { GwPriority: network.priority }),
  };
}

export interface NetworkPlan {
  readonly mode: string;
  readonly endpoints: Readonly<Record<string, Record<string, unknown>>>;
}

export function planNetworks(flags: Flags): NetworkPlan {
  const given = [...flags.list('network'), ...flags.list('net')].map(parseNetwork);
  const [first = { target: 'default', ...NONE }, ...others] = given;
  const links = flags.list('link');
  const all = [withFlags(first, flags), ...others];
  const endpoints: Record<string, Record<string, unknown>> = {};
  for (const [at, network] of all.entries()) {
    const custom = isUserDefined(network.target);
    if (!custom && at === 0 && network.aliases.length > 0) {
      throw new CliError('network-scoped aliases are only supported for user-defined networks');
    }
    if (
      all.length > 1 &&
      !custom &&
      (network.target === 'host' || network.target === 'none' || network.target.startsWith('container:'))
    ) {
      throw new CliError(
        `conflicting options: cannot attach both user-defined and non-user-defined network-modes`,
      );
    }
    if (endpoints[network.target] !== undefined)
      throw new CliError(`network ${JSON.stringify(network.target)} is specified multiple times`);
    endpoints[network.target] = endpoint(network, at === 0 && custom ? links : []);
  }
  return { mode: all[0]?.target ?? 'default', endpoints };
}
