/** Claims of a starting container: addresses on its networks and ports of the host. Synchronous, all or nothing. */

import { internal, toSlipwayError } from '../../core/errors.ts';
import { derivedHex, newId } from '../../core/ids.ts';
import { macOfIpv4 } from '../../core/ip.ts';
import { bridgeSettings } from '../../core/model/bridge-settings.ts';
import type { ContainerRecord, EndpointRecord } from '../../core/model/container.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import { clearedEndpoint } from './endpoints.ts';
import { portRequests, type PortRequest } from './ports/requests.ts';
import type { ClaimedPort } from './ports/claims.ts';
import type { Claims, NetworkEntry, NetworkState } from './state.ts';

export interface ReserveDeps {
  readonly state: NetworkState;
  /** Whether ports without address are published on `::` too. */
  readonly ipv6: boolean;
  /** Address for ports that name none, on networks that name none; `0.0.0.0` where undefined. */
  readonly bindAddress?: string | undefined;
}

const isBridge = (network: NetworkRecord): boolean => network.driver === 'bridge';
/** `host` and `none` have neither interface nor address. */
const hasInterfaces = (network: NetworkRecord): boolean =>
  network.driver !== 'host' && network.driver !== 'null';

function claimAddresses(entry: NetworkEntry, endpoint: EndpointRecord): EndpointRecord {
  const { network, addresses } = entry;
  const wanted = endpoint.spec.IPAMConfig ?? {};
  const claimed: string[] = [];
  try {
    let filled = endpoint;
    // The gateway of an internal network leads nowhere: its containers get no route to it.
    const gateway = (address: string): string => (network.internal ? '' : address);
    if (addresses.has(4)) {
      const got = wanted.IPv4Address ? addresses.claimStatic(wanted.IPv4Address) : addresses.claim(4);
      claimed.push(got.address);
      filled = {
        ...filled,
        ipv4: got.address,
        ipv4PrefixLength: got.prefix,
        ipv4Gateway: gateway(got.gateway),
      };
    }
    if (addresses.has(6)) {
      const got = wanted.IPv6Address ? addresses.claimStatic(wanted.IPv6Address) : addresses.claim(6);
      claimed.push(got.address);
      filled = {
        ...filled,
        ipv6: got.address,
        ipv6PrefixLength: got.prefix,
        ipv6Gateway: gateway(got.gateway),
      };
    }
    return filled;
  } catch (error) {
    for (const address of claimed) addresses.release(address);
    throw error;
  }
}

function macOf(network: NetworkRecord, endpoint: EndpointRecord): string {
  // An ipvlan interface has its parent's.
  if (network.driver === 'ipvlan') return '';
  if (endpoint.spec.MacAddress) return endpoint.spec.MacAddress.toLowerCase();
  // On a macvlan parent an address is free again only when the kernel has collected the interface that had it.
  if (endpoint.ipv4 !== '' && isBridge(network)) return macOfIpv4(endpoint.ipv4);
  return `02:42:${(derivedHex(8, 'mac', endpoint.endpointId).match(/../g) ?? []).join(':')}`;
}

/** The first `eth<n>` that no other endpoint of the container has. */
function freeInterface(prefix: string, taken: ReadonlySet<string>): string {
  for (let index = 0; ; index++) {
    const name = `${prefix}${index}`;
    if (!taken.has(name)) return name;
  }
}

/**
 * Addresses and kernel names for one endpoint. The host's interface has a new name at every start: the one before may
 * still be there for the moment that the kernel needs to collect a dead namespace.
 */
export function claimEndpoint(
  entry: NetworkEntry,
  endpoint: EndpointRecord,
  takenInterfaces: ReadonlySet<string>,
): EndpointRecord {
  const { network } = entry;
  const endpointId = newId();
  if (!hasInterfaces(network)) return { ...clearedEndpoint(endpoint), endpointId };
  const filled = { ...claimAddresses(entry, clearedEndpoint(endpoint)), endpointId };
  return {
    ...filled,
    macAddress: macOf(network, filled),
    interfaceName: freeInterface(bridgeSettings(network).interfacePrefix, takenInterfaces),
    // What hangs on a parent has no end on the host.
    hostInterfaceName: isBridge(network) ? `veth${derivedHex(10, 'veth', endpointId)}` : '',
  };
}

export function releaseEndpoint(state: NetworkState, endpoint: EndpointRecord): void {
  const addresses = state.byId(endpoint.networkId)?.addresses;
  for (const address of [endpoint.ipv4, endpoint.ipv6]) if (address !== '') addresses?.release(address);
}

/**
 * The endpoint that carries the default route and the published ports: the highest gateway priority among networks that
 * lead outside, then the first by name, as Docker chooses.
 */
export function gatewayEndpoint(
  state: NetworkState,
  endpoints: Readonly<Record<string, EndpointRecord>>,
): EndpointRecord | undefined {
  const leading = Object.values(endpoints).filter((endpoint) => {
    const network = state.byId(endpoint.networkId)?.network;
    return network?.internal === false && hasInterfaces(network) && endpoint.interfaceName !== '';
  });
  const priority = (endpoint: EndpointRecord): number => endpoint.spec.GwPriority ?? 0;
  return leading.toSorted(
    (one, other) => priority(other) - priority(one) || (one.networkName < other.networkName ? -1 : 1),
  )[0];
}

/** Ports that are reached at the container's own address, which it must have. */
function routedPorts(
  { protocol, containerPort, hostIps }: PortRequest,
  gateway: EndpointRecord,
  isRouted: (hostIp: string) => boolean,
): readonly ClaimedPort[] {
  const families = new Set(hostIps.filter(isRouted).map((hostIp) => (hostIp.includes(':') ? 6 : 4)));
  return [...families]
    .filter((family) => (family === 4 ? gateway.ipv4 : gateway.ipv6) !== '')
    .map((family) => ({
      protocol,
      containerPort,
      hostIp: family === 4 ? '0.0.0.0' : '::',
      hostPort: 0,
      dynamic: false,
    }));
}

export function claimPorts(
  deps: ReserveDeps,
  record: ContainerRecord,
  endpoints: Readonly<Record<string, EndpointRecord>>,
): readonly ClaimedPort[] {
  const gateway = gatewayEndpoint(deps.state, endpoints);
  const network = gateway && deps.state.byId(gateway.networkId)?.network;
  // Ports are published through a bridge; on other networks the container is reached at its own address.
  if (gateway === undefined || network === undefined || !isBridge(network)) return [];
  const { hostBinding, gatewayModes } = bridgeSettings(network);
  const defaults = { address: hostBinding ?? deps.bindAddress ?? '0.0.0.0', ipv6: deps.ipv6 };
  const requests = portRequests(record.config, record.hostConfig, defaults);
  const isRouted = (hostIp: string): boolean =>
    gatewayModes[hostIp.includes(':') ? 'ipv6' : 'ipv4'] === 'routed';
  try {
    const held = requests.map((request) => ({
      ...request,
      hostIps: request.hostIps.filter((hostIp) => !isRouted(hostIp)),
    }));
    const claimed = deps.state.ports.claim(
      record.id,
      held.filter(({ hostIps }) => hostIps.length > 0),
    );
    return [...claimed, ...requests.flatMap((request) => routedPorts(request, gateway, isRouted))];
  } catch (error) {
    throw connectivityError(record, gateway, error);
  }
}

/** Docker's frame around what goes wrong while ports are published. */
export function connectivityError(record: ContainerRecord, gateway: EndpointRecord, error: unknown): Error {
  const cause = toSlipwayError(error);
  return internal(
    `failed to set up container networking: driver failed programming external connectivity on endpoint ${record.name} (${gateway.endpointId}): ${cause.message}`,
    error,
  );
}

export function reserve(deps: ReserveDeps, record: ContainerRecord): Claims {
  const present = deps.state.claims.get(record.id);
  if (present !== undefined) return present;
  const endpoints = new Map<string, EndpointRecord>();
  try {
    for (const [name, endpoint] of Object.entries(record.endpoints)) {
      const entry = deps.state.byId(endpoint.networkId) ?? deps.state.find(endpoint.networkName);
      const taken = new Set([...endpoints.values()].map((other) => other.interfaceName));
      const current = { ...endpoint, networkId: entry.network.id };
      endpoints.set(name, claimEndpoint(entry, current, taken));
    }
    const filled = Object.fromEntries(endpoints);
    const claimedPorts = claimPorts(deps, record, filled);
    const ports = claimedPorts.map(({ dynamic: _dynamic, ...port }) => port);
    const claims: Claims = { endpoints: filled, ports, claimedPorts };
    deps.state.claims.set(record.id, claims);
    return claims;
  } catch (error) {
    for (const endpoint of endpoints.values()) releaseEndpoint(deps.state, endpoint);
    throw error;
  }
}

export function release(state: NetworkState, containerId: string): void {
  const claims = state.claims.get(containerId);
  if (claims === undefined) return;
  state.claims.delete(containerId);
  for (const endpoint of Object.values(claims.endpoints)) releaseEndpoint(state, endpoint);
  if (claims.claimedPorts.length > 0) state.ports.release(containerId);
}
