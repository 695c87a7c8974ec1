/**
 * Claims of a starting container: addresses on its networks and ports of the host, all or nothing. Synchronous but where
 * another program gives the addresses of one of its networks.
 */

import { internal, toSlipwayError } from '../../core/errors.ts';
import { bridgeSettings } from '../../core/model/bridge-settings.ts';
import type { ContainerRecord, EndpointRecord } from '../../core/model/container.ts';
import { claimEndpoint, hasInterfaces, isBridge, releaseEndpoint, type ClaimDeps } from './claim-endpoint.ts';
import { otherNames, type OtherNames } from './interface-name.ts';
import { isRemote } from './ipam/leases.ts';
import { portRequests, type PortRequest } from './ports/requests.ts';
import type { ClaimedPort } from './ports/claims.ts';
import type { Claims, NetworkEntry, NetworkState } from './state.ts';

export interface PortDeps {
  readonly state: NetworkState;
  /** Whether ports without address are published on `::` too. */
  readonly ipv6: boolean;
  /** Address for ports that name none, on networks that name none; `0.0.0.0` where undefined. */
  readonly bindAddress?: string | undefined;
}

export type ReserveDeps = PortDeps & ClaimDeps;

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
  deps: PortDeps,
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

const entryOf = (state: NetworkState, endpoint: EndpointRecord): NetworkEntry =>
  state.byId(endpoint.networkId) ?? state.find(endpoint.networkName);

function giveBack(deps: ReserveDeps, endpoints: ReadonlyMap<string, EndpointRecord>): void {
  for (const endpoint of endpoints.values()) releaseEndpoint(deps, endpoint);
}

/** The ports, when every endpoint has its addresses. */
function complete(
  deps: ReserveDeps,
  record: ContainerRecord,
  endpoints: ReadonlyMap<string, EndpointRecord>,
): Claims {
  const filled = Object.fromEntries(endpoints);
  const claimedPorts = claimPorts(deps, record, filled);
  const ports = claimedPorts.map(({ dynamic: _dynamic, ...port }) => port);
  const claims: Claims = { endpoints: filled, ports, claimedPorts };
  deps.state.claims.set(record.id, claims);
  return claims;
}

type Planned = readonly (readonly [string, NetworkEntry, EndpointRecord])[];

const namesBeside = (planned: Planned, claimed: ReadonlyMap<string, EndpointRecord>): OtherNames =>
  otherNames(
    planned.map(([, , endpoint]) => endpoint),
    claimed.values(),
  );

/** Nothing waits between the look at what is free and the claim of it. */
function reserveHere(deps: ReserveDeps, record: ContainerRecord, planned: Planned): Claims {
  const endpoints = new Map<string, EndpointRecord>();
  try {
    for (const [name, entry, endpoint] of planned) {
      const claimed = claimEndpoint(deps, entry, endpoint, namesBeside(planned, endpoints));
      if (claimed instanceof Promise) throw internal(`addresses of network ${name} are not the engine's own`);
      endpoints.set(name, claimed);
    }
    return complete(deps, record, endpoints);
  } catch (error) {
    giveBack(deps, endpoints);
    throw error;
  }
}

async function reserveThroughPlugins(
  deps: ReserveDeps,
  record: ContainerRecord,
  planned: Planned,
): Promise<Claims> {
  const endpoints = new Map<string, EndpointRecord>();
  const networkIds = planned.map(([, { network }]) => network.id);
  // While it is being asked nobody removes these networks.
  deps.state.joining.set(record.id, { name: record.name, networkIds });
  try {
    for (const [name, entry, endpoint] of planned)
      endpoints.set(name, await claimEndpoint(deps, entry, endpoint, namesBeside(planned, endpoints)));
    return complete(deps, record, endpoints);
  } catch (error) {
    giveBack(deps, endpoints);
    throw error;
  } finally {
    deps.state.joining.delete(record.id);
  }
}

export function reserve(deps: ReserveDeps, record: ContainerRecord): Claims | Promise<Claims> {
  const present = deps.state.claims.get(record.id);
  if (present !== undefined) return present;
  const planned = Object.entries(record.endpoints).map(([name, endpoint]) => {
    const entry = entryOf(deps.state, endpoint);
    return [name, entry, { ...endpoint, networkId: entry.network.id }] as const;
  });
  const asks = planned.some(([, { network }]) => isRemote(network));
  return asks ? reserveThroughPlugins(deps, record, planned) : reserveHere(deps, record, planned);
}

export function release(deps: ClaimDeps, containerId: string): void {
  const { state } = deps;
  const claims = state.claims.get(containerId);
  if (claims === undefined) return;
  state.claims.delete(containerId);
  for (const endpoint of Object.values(claims.endpoints)) releaseEndpoint(deps, endpoint);
  if (claims.claimedPorts.length > 0) state.ports.release(containerId);
}
