/** Addresses and kernel names of one endpoint: claimed in memory at once, or asked of the program that gives them. */

import { derivedHex, newId } from '../../core/ids.ts';
import { macOfIpv4, type IpFamily } from '../../core/ip.ts';
import { bridgeSettings } from '../../core/model/bridge-settings.ts';
import type { EndpointRecord } from '../../core/model/container.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import { clearedEndpoint } from './endpoints.ts';
import { chooseInterfaceName, type OtherNames } from './interface-name.ts';
import type { ClaimedAddress } from './ipam/addresses.ts';
import { isRemote, type Leases } from './ipam/leases.ts';
import type { NetworkEntry, NetworkState } from './state.ts';

export interface ClaimDeps {
  readonly state: NetworkState;
  readonly leases: Leases;
}

export const isBridge = (network: NetworkRecord): boolean => network.driver === 'bridge';
/** `host` and `none` have neither interface nor address. */
export const hasInterfaces = (network: NetworkRecord): boolean =>
  network.driver !== 'host' && network.driver !== 'null';

const wantedAddress = (endpoint: EndpointRecord, family: IpFamily): string =>
  (family === 4 ? endpoint.spec.IPAMConfig?.IPv4Address : endpoint.spec.IPAMConfig?.IPv6Address) ?? '';

function withAddress(
  network: NetworkRecord,
  endpoint: EndpointRecord,
  family: IpFamily,
  got: ClaimedAddress,
): EndpointRecord {
  // The gateway of an internal network leads nowhere: its containers get no route to it.
  const gateway = network.internal ? '' : got.gateway;
  return family === 4
    ? { ...endpoint, ipv4: got.address, ipv4PrefixLength: got.prefix, ipv4Gateway: gateway }
    : { ...endpoint, ipv6: got.address, ipv6PrefixLength: got.prefix, ipv6Gateway: gateway };
}

const familiesOf = ({ network, addresses }: NetworkEntry): readonly IpFamily[] =>
  network.ipam.driver === 'null' ? [] : ([4, 6] as const).filter((family) => addresses.has(family));

function claimAddresses(entry: NetworkEntry, endpoint: EndpointRecord): EndpointRecord {
  const { network, addresses } = entry;
  const claimed: string[] = [];
  try {
    let filled = endpoint;
    for (const family of familiesOf(entry)) {
      const wanted = wantedAddress(endpoint, family);
      const got = wanted === '' ? addresses.claim(family) : addresses.claimStatic(wanted);
      claimed.push(got.address);
      filled = withAddress(network, filled, family, got);
    }
    return filled;
  } catch (error) {
    for (const address of claimed) addresses.release(address);
    throw error;
  }
}

const macOfEndpoint = (endpoint: EndpointRecord): string =>
  endpoint.spec.MacAddress?.toLowerCase() ||
  `02:42:${(derivedHex(8, 'mac', endpoint.endpointId).match(/../g) ?? []).join(':')}`;

async function requestAddresses(
  leases: Leases,
  entry: NetworkEntry,
  endpoint: EndpointRecord,
): Promise<EndpointRecord> {
  const { network } = entry;
  const { requiresMacAddress } = await leases.driver(network);
  const macAddress = macOfEndpoint(endpoint);
  let filled = requiresMacAddress ? { ...endpoint, macAddress } : endpoint;
  try {
    for (const family of familiesOf(entry)) {
      const address = wantedAddress(endpoint, family);
      const got = await leases.claim({ network, family, address, macAddress });
      filled = withAddress(network, filled, family, got);
    }
    return filled;
  } catch (error) {
    for (const address of [filled.ipv4, filled.ipv6]) if (address !== '') leases.giveBack(network, address);
    throw error;
  }
}

function macOf(network: NetworkRecord, endpoint: EndpointRecord): string {
  // An ipvlan interface has its parent's.
  if (network.driver === 'ipvlan') return '';
  // Who gave the addresses was told it.
  if (endpoint.macAddress !== '') return endpoint.macAddress;
  // On a macvlan parent an address is free again only when the kernel has collected the interface that had it.
  const isBound = endpoint.ipv4 !== '' && isBridge(network) && !endpoint.spec.MacAddress;
  return isBound ? macOfIpv4(endpoint.ipv4) : macOfEndpoint(endpoint);
}

/**
 * The host's interface has a new name at every start: the one before may still be there for the moment that the kernel
 * needs to collect a dead namespace.
 */
function named(network: NetworkRecord, filled: EndpointRecord): EndpointRecord {
  return {
    ...filled,
    macAddress: macOf(network, filled),
    // What hangs on a parent has no end on the host.
    hostInterfaceName: isBridge(network) ? `veth${derivedHex(10, 'veth', filled.endpointId)}` : '',
  };
}

/** At once where the engine gives the addresses, a promise where another program does. */
export function claimEndpoint(
  { leases }: ClaimDeps,
  entry: NetworkEntry,
  endpoint: EndpointRecord,
  others: OtherNames,
): EndpointRecord | Promise<EndpointRecord> {
  const { network } = entry;
  const empty = { ...clearedEndpoint(endpoint), endpointId: newId() };
  if (!hasInterfaces(network)) return empty;
  // Before anything is claimed: a name may be refused.
  const interfaceName = chooseInterfaceName(empty, bridgeSettings(network).interfacePrefix, others);
  const called = { ...empty, interfaceName };
  if (!isRemote(network)) return named(network, claimAddresses(entry, called));
  return requestAddresses(leases, entry, called).then((filled) => named(network, filled));
}

/** At once here; another program is told in the background. */
export function releaseEndpoint({ state, leases }: ClaimDeps, endpoint: EndpointRecord): void {
  const entry = state.byId(endpoint.networkId);
  if (entry === undefined) return;
  for (const address of [endpoint.ipv4, endpoint.ipv6]) {
    if (address === '') continue;
    if (isRemote(entry.network)) leases.giveBack(entry.network, address);
    else entry.addresses.release(address);
  }
}
