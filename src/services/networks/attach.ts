/** Puts a starting container on its networks, and takes an ended one off them. */

import type { Ctx } from '../../core/ctx.ts';
import { internal, isKind } from '../../core/errors.ts';
import type { ContainerRecord, EndpointRecord, PublishedPort } from '../../core/model/container.ts';
import type { EndpointPlan, NamespaceHandle } from '../../core/ports/network-driver.ts';
import { withUndo } from '../../core/undo.ts';
import { driverFor, driverOf, type Networks } from './deps.ts';
import { namedEndpoints, publishNamesOf, refreshResolver, resolverConfig } from './names.ts';
import { connectivityError, gatewayEndpoint, release } from './reserve.ts';
import { scheduleSweep } from './sweep.ts';
import type { ClaimedPort } from './ports/claims.ts';
import { firewallPorts, portHolds } from './published.ts';
import { publishPorts, unpublishPorts } from './walls.ts';

type Endpoints = Readonly<Record<string, EndpointRecord>>;

const endpointSysctls = 'com.docker.network.endpoint.sysctls';

function splitSysctls(text: string | undefined): readonly string[] {
  return text === undefined || text === '' ? [] : text.split(',').map((entry) => entry.trim());
}

/** `--link-local-ip`: IPv4 ones are of 169.254.0.0/16, IPv6 ones of fe80::/64. */
function linkLocal(endpoint: EndpointRecord): { readonly moreAddresses?: readonly string[] } {
  const given = endpoint.spec.IPAMConfig?.LinkLocalIPs ?? [];
  if (given.length === 0) return {};
  return { moreAddresses: given.map((address) => `${address}/${address.includes(':') ? 64 : 16}`) };
}

export function endpointPlan(
  room: Networks,
  record: ContainerRecord,
  endpoints: Endpoints,
  endpoint: EndpointRecord,
): EndpointPlan {
  const network = room.state.byId(endpoint.networkId)?.network;
  if (network === undefined)
    throw internal(`network ${endpoint.networkName} of container ${record.name} is unknown`);
  const withPrefix = (address: string, prefix: number): string =>
    address === '' ? '' : `${address}/${prefix}`;
  return {
    network,
    endpointId: endpoint.endpointId,
    containerId: record.id,
    interfaceName: endpoint.interfaceName,
    hostInterfaceName: endpoint.hostInterfaceName,
    macAddress: endpoint.macAddress,
    ipv4: withPrefix(endpoint.ipv4, endpoint.ipv4PrefixLength),
    ipv4Gateway: endpoint.ipv4Gateway,
    ipv6: withPrefix(endpoint.ipv6, endpoint.ipv6PrefixLength),
    ipv6Gateway: endpoint.ipv6Gateway,
    defaultRoute: gatewayEndpoint(room.state, endpoints)?.networkId === endpoint.networkId,
    published: record.ports.length > 0,
    ...linkLocal(endpoint),
    sysctls: splitSysctls(endpoint.spec.DriverOpts?.[endpointSysctls]),
  };
}

export async function attachInterfaces(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  namespace: NamespaceHandle,
  only: Endpoints = record.endpoints,
): Promise<void> {
  // One after another: eth0 before eth1, and the kernel's RTNL lock would queue them anyway.
  for (const endpoint of Object.values(only)) {
    const plan = endpointPlan(room, record, record.endpoints, endpoint);
    const driver = await driverFor(room, ctx, plan.network.driver);
    await driver.attach(ctx, namespace, plan);
  }
}

const maxExchanges = 10;

/** Binds the ports; ephemeral ones that a process of the host uses are exchanged for others. */
async function holdPorts(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
): Promise<readonly PublishedPort[]> {
  const gateway = gatewayEndpoint(room.state, record.endpoints);
  if (record.ports.length === 0 || gateway === undefined) return record.ports;
  let current: ContainerRecord = record;
  for (let attempt = 0; ; attempt++) {
    try {
      await room.helper.holdPorts(ctx, portHolds(room, current));
      return current.ports;
    } catch (error) {
      const exchanged =
        isKind(error, 'conflict') && attempt < maxExchanges ? exchange(room, record.id) : undefined;
      if (exchanged === undefined) throw connectivityError(record, gateway, error);
      current = { ...record, ports: exchanged };
    }
  }
}

/** Other numbers for all ports that the user did not choose; undefined when there are none. */
function exchange(room: Networks, containerId: string): readonly PublishedPort[] | undefined {
  const claims = room.state.claims.get(containerId);
  if (claims === undefined || !claims.claimedPorts.some((port) => port.dynamic)) return undefined;
  const groups = Map.groupBy(
    claims.claimedPorts.filter((port) => port.dynamic),
    (port) => `${port.protocol}/${port.hostPort}`,
  );
  const fixed = claims.claimedPorts.filter((port) => !port.dynamic);
  const fresh = [...groups.values()].flatMap((group) => room.state.ports.exchange(containerId, group));
  const claimedPorts: readonly ClaimedPort[] = [...fixed, ...fresh];
  const ports = claimedPorts.map(({ dynamic: _dynamic, ...port }) => port);
  room.state.claims.set(containerId, { ...claims, ports, claimedPorts });
  return ports;
}

/** All settle before the first failure is thrown, so that what is taken back is not still being made. */
async function settled<T extends readonly unknown[]>(work: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return results.map((result) => (result.status === 'fulfilled' ? result.value : undefined)) as unknown as T;
}

async function attachResolver(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  namespace: NamespaceHandle,
): Promise<void> {
  const attached = { record, endpoints: record.endpoints };
  if (namedEndpoints(room.state, record.endpoints).length === 0) return;
  await room.helper.attachResolver(ctx, namespace.path, resolverConfig(room, attached));
  // A link's target may have moved meanwhile.
  const hasLinks = Object.values(record.endpoints).some((endpoint) => (endpoint.spec.Links ?? []).length > 0);
  if (hasLinks) await refreshResolver(room, ctx, attached);
}

export async function attach(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  namespace: NamespaceHandle,
): Promise<readonly PublishedPort[]> {
  return withUndo(ctx, async (undo) => {
    undo.push('networks', (own) => detach(room, own, record, namespace));
    room.state.attached.set(record.id, { record, endpoints: record.endpoints });
    const [ports] = await settled<[readonly PublishedPort[], void, void, void]>([
      holdPorts(room, ctx, record),
      attachInterfaces(room, ctx, record, namespace),
      attachResolver(room, ctx, record, namespace),
      publishNamesOf(room, ctx, record.endpoints),
    ]);
    const published = { ...record, ports };
    room.state.attached.set(record.id, { record: published, endpoints: record.endpoints });
    // Last: the map sends traffic to the container, and a port that the host uses must not lose its own.
    await publishPorts(room, ctx, firewallPorts(room, published));
    return ports;
  });
}

/** Nobody waits for a driver that is another program and away: it is told when it is back. */
export async function detachEndpoint(
  room: Networks,
  ctx: Ctx,
  plan: EndpointPlan,
  namespace: NamespaceHandle | undefined,
): Promise<void> {
  const { network, endpointId } = plan;
  const driver = driverOf(room, network.driver);
  // It has been away since the daemon came up.
  if (driver === undefined) return room.farewells.owe(network, endpointId);
  try {
    await driver.detach(ctx, namespace, plan);
  } catch (error) {
    if (driver.forget === undefined || !isKind(error, 'unavailable')) throw error;
    room.farewells.owe(network, endpointId);
  }
}

async function detachInterfaces(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  namespace: NamespaceHandle | undefined,
): Promise<void> {
  const used = Object.values(record.endpoints).filter(
    ({ interfaceName, networkId }) => interfaceName !== '' && room.state.byId(networkId) !== undefined,
  );
  // One that fails keeps none of the others.
  const results = await Promise.allSettled(
    used.map(async (endpoint) => {
      const plan = endpointPlan(room, record, record.endpoints, endpoint);
      const driver = driverOf(room, plan.network.driver);
      const isCollected = namespace === undefined && driver !== undefined && driver.detachAlways !== true;
      if (!isCollected) return await detachEndpoint(room, ctx, plan, namespace);
      if (endpoint.hostInterfaceName !== '') room.leaving.set(endpoint.hostInterfaceName, record.id);
    }),
  );
  if (namespace === undefined) scheduleSweep(room);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function takeOff(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  namespace: NamespaceHandle | undefined,
): Promise<void> {
  const hasNames = namedEndpoints(room.state, record.endpoints).length > 0;
  room.state.attached.delete(record.id);
  const ports = async (): Promise<void> => {
    if (record.ports.length === 0) return;
    try {
      await unpublishPorts(room, ctx, firewallPorts(room, record));
    } finally {
      await room.helper.releasePorts(ctx, record.id);
    }
  };
  await settled<[void, void, void, void]>([
    ports(),
    hasNames ? room.helper.detachResolver(ctx, record.id) : Promise.resolve(),
    publishNamesOf(room, ctx, record.endpoints),
    detachInterfaces(room, ctx, record, namespace),
  ]);
}

/** Idempotent. Claims that are released meanwhile are given back at the end: nobody gets an address that is still in use. */
export async function detach(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  namespace: NamespaceHandle | undefined,
): Promise<void> {
  const mark = room.detaching.get(record.id) ?? { releaseAfter: false };
  room.detaching.set(record.id, mark);
  // The ports as published may differ from those in the caller's record.
  const last = room.state.attached.get(record.id)?.record;
  const current = last === undefined ? record : { ...record, ports: last.ports, endpoints: last.endpoints };
  try {
    await takeOff(room, ctx, current, namespace);
  } finally {
    room.detaching.delete(record.id);
    if (mark.releaseAfter) release(room, record.id);
  }
}
