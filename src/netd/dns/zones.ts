/** Names of networks, as the daemon last gave them: lookups by name and by address. */

import { bytesOf } from '../../core/ip.ts';
import type { Zone } from '../../core/netd-protocol.ts';
import type { ResolverConfig, ZoneName } from '../../core/ports/net-helper.ts';

interface IndexedZone {
  readonly zone: Zone;
  readonly byName: ReadonlyMap<string, ZoneName>;
  /** Built when the first reverse lookup comes. */
  byAddress: Map<string, string> | undefined;
}

/** `11.0.17.172.in-addr.arpa` as `172.17.0.11`; undefined for other names. IPv6 as 32 hex digits. */
export function addressOfReverseName(name: string): string | undefined {
  const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  if (four !== null) return four.slice(1, 5).toReversed().join('.');
  const six = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  return six?.[1]?.split('.').toReversed().join('');
}

const addressKey = (address: string): string =>
  address.includes(':') ? Buffer.from(bytesOf(address)).toString('hex') : address;

function merge(one: ZoneName | undefined, other: ZoneName): ZoneName {
  if (one === undefined) return other;
  return { name: one.name, ipv4: [...one.ipv4, ...other.ipv4], ipv6: [...one.ipv6, ...other.ipv6] };
}

/** Containers that share an alias share its name: all their addresses are answered. */
function indexNames(names: readonly ZoneName[]): ReadonlyMap<string, ZoneName> {
  const index = new Map<string, ZoneName>();
  for (const entry of names) {
    const name = entry.name.toLowerCase();
    index.set(name, merge(index.get(name), { ...entry, name }));
  }
  return index;
}

export class Zones {
  readonly #zones = new Map<string, IndexedZone>();
  #generation = 0;

  /** Another number after each change. */
  get generation(): number {
    return this.#generation;
  }

  set(zone: Zone): void {
    this.#generation++;
    if (zone.names.length === 0) this.#zones.delete(zone.networkId);
    else this.#zones.set(zone.networkId, { zone, byName: indexNames(zone.names), byAddress: undefined });
  }

  all(): readonly Zone[] {
    return [...this.#zones.values()].map(({ zone }) => zone);
  }

  /** The entry of a name as this container sees it: its own names, then its networks in order. */
  find(config: ResolverConfig, name: string): ZoneName | undefined {
    const own = config.ownNames.find((entry) => entry.name.toLowerCase() === name);
    if (own !== undefined) return own;
    for (const networkId of config.networkIds) {
      const indexed = this.#zones.get(networkId);
      const found = indexed?.byName.get(name) ?? (indexed && inNetwork(indexed, name));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** `name.network` of an address on one of the container's networks. */
  reverse(config: ResolverConfig, address: string): string | undefined {
    for (const networkId of config.networkIds) {
      const indexed = this.#zones.get(networkId);
      if (indexed === undefined) continue;
      indexed.byAddress ??= indexAddresses(indexed.zone);
      const name = indexed.byAddress.get(address);
      if (name !== undefined) return name;
    }
    return undefined;
  }
}

/** `web.mynet` as `web` on the network `mynet`. */
function inNetwork(indexed: IndexedZone, name: string): ZoneName | undefined {
  const suffix = `.${indexed.zone.networkName.toLowerCase()}`;
  if (suffix === '.' || !name.endsWith(suffix)) return undefined;
  return indexed.byName.get(name.slice(0, -suffix.length));
}

function indexAddresses(zone: Zone): Map<string, string> {
  const index = new Map<string, string>();
  for (const entry of zone.names)
    for (const address of [...entry.ipv4, ...entry.ipv6]) {
      const key = addressKey(address);
      const name = zone.networkName === '' ? entry.name : `${entry.name}.${zone.networkName}`;
      if (!index.has(key)) index.set(key, name);
    }
  return index;
}
