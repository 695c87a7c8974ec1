/** `network create`. */

import type { Ctx } from '../../core/ctx.ts';
import { conflict, forbidden, invalid, notFound } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { cidrsOverlap, formatCidr, formatIp, parseCidr, type Cidr } from '../../core/ip.ts';
import { bridgeOption } from '../../core/model/bridge-settings.ts';
import type { IpamPool, NetworkRecord } from '../../core/model/network.ts';
import { noSwarm } from '../../core/ports/network-driver.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import { withUndo, type UndoStack } from '../../core/undo.ts';
import { createConfiguration, withConfiguration } from './configuration.ts';
import { driverOf, loadIpam, type Networks } from './deps.ts';
import { emitNetwork } from './emit.ts';
import { isRemote } from './ipam/leases.ts';
import { planPools, type PoolPlan, type PoolSurroundings } from './ipam/pools.ts';
import { requestPools } from './ipam/remote-pools.ts';
import { ipv6Missing } from './ports/requests.ts';
import type { NetworkState } from './state.ts';
import type { NetworkCreateRequest } from './types.ts';
import { ensureWalls, firewallNetwork, removeWalls } from './walls.ts';

const predefinedNames = new Set(['bridge', 'host', 'none', 'default']);
const singletons: Readonly<Record<string, string>> = { host: 'host', null: 'null', none: 'null' };

export function usedSubnets(state: NetworkState): readonly Cidr[] {
  // Another program's pools matter where they are bridges of this host; elsewhere they may even be the same for many networks.
  const here = state
    .all()
    .filter(
      ({ network }) =>
        (network.ipam.driver === 'default' && network.configOnly !== true) ||
        network.bridgeName !== undefined,
    );
  return here.flatMap(({ network }) =>
    network.ipam.pools.flatMap((pool) => {
      const parsed = parseCidr(pool.subnet);
      return parsed === undefined ? [] : [parsed.cidr];
    }),
  );
}

/** Destinations of the host's routes that a default pool must step over. */
export async function hostRoutes(room: Networks): Promise<readonly Cidr[]> {
  const routes = await room.host.routes();
  return routes.flatMap(({ destination }) => {
    const parsed = parseCidr(destination);
    return parsed === undefined || parsed.cidr.prefix === 0 ? [] : [parsed.cidr];
  });
}

/** What needs a cluster, in Docker's words for a host that is in none. */
function refuseClusterWide(request: NetworkCreateRequest): void {
  if (request.scope === 'swarm' && request.driver !== 'overlay')
    throw forbidden('cannot create a swarm scoped network when swarm is not active');
  if (request.driver === 'overlay') throw forbidden(noSwarm);
  if (request.ingress === true) throw forbidden('Ingress network can only be global scope network');
  if (request.scope !== undefined && request.scope !== '' && request.scope !== 'local')
    throw forbidden(noSwarm);
}

function checkName(request: NetworkCreateRequest): void {
  if (request.name.trim() === '') throw invalid('invalid network name: name is empty');
  if (request.name.includes('/') || request.name.includes('\0') || request.name.length > 255)
    throw invalid(`invalid network name: ${JSON.stringify(request.name)}`);
  if (predefinedNames.has(request.name))
    throw forbidden(`operation is not permitted on predefined ${request.name} network`);
}

function checkRequest(room: Networks, request: NetworkCreateRequest): string {
  const driver = request.driver || 'bridge';
  const single = singletons[driver];
  if (single !== undefined) throw forbidden(`only one instance of "${single}" network is allowed`);
  refuseClusterWide(request);
  if (driverOf(room, driver) === undefined) throw notFound(`plugin ${JSON.stringify(driver)} not found`);
  // The engine's own drivers need addresses; that of a plugin may do without.
  if (request.ipam?.driver === 'null' && room.drivers.some(({ name }) => name === driver))
    throw invalid('ipv4 pool is empty');
  if (request.enableIPv6 === true && !room.facts.ipv6) throw invalid(ipv6Missing);
  return driver;
}

function recordOf(request: NetworkCreateRequest, driver: string): Omit<NetworkRecord, 'ipam'> {
  return {
    id: newId(),
    name: request.name,
    createdAt: formatNano(nowNano()),
    driver,
    scope: 'local',
    enableIPv4: request.enableIPv4 !== false,
    enableIPv6: request.enableIPv6 === true,
    internal: request.internal === true,
    attachable: request.attachable === true,
    options: { ...request.options },
    labels: { ...request.labels },
    predefined: false,
    ...(request.configFrom ? { configFrom: request.configFrom } : {}),
  };
}

function checkBridgeName(room: Networks, network: NetworkRecord): void {
  const other = room.state.all().find((entry) => entry.network.bridgeName === network.bridgeName);
  if (network.bridgeName === undefined || other === undefined) return;
  throw forbidden(
    `cannot create network ${network.id} (${network.bridgeName}): conflicts with network ${other.network.id} (${network.bridgeName}): networks have same bridge name`,
  );
}

/** Makes a planned network real: record first, then the kernel; the caller has claimed its name and subnets. */
export async function realise(
  room: Networks,
  ctx: Ctx,
  undo: UndoStack,
  network: NetworkRecord,
): Promise<void> {
  const { id } = network;
  undo.push('network record', () => room.records.commit([{ op: 'delete', kind: 'network', id }]));
  await room.records.commit([{ op: 'put', kind: 'network', id, record: network }]);
  const driver = driverOf(room, network.driver);
  undo.push('network in the kernel', (own) => driver?.remove(own, network));
  if (driver?.create === undefined) await driver?.ensure(ctx, network);
  else await driver.create(ctx, network);
  const walls = firewallNetwork(network);
  if (walls === undefined) return;
  undo.push('network in the firewall', (own) => removeWalls(room, own, walls));
  await ensureWalls(room, ctx, walls);
}

export async function create(
  room: Networks,
  ctx: Ctx,
  wanted: NetworkCreateRequest,
): Promise<{ id: string; warnings: readonly string[] }> {
  checkName(wanted);
  if (wanted.configOnly === true) {
    refuseTakenName(room, wanted.name);
    return await createConfiguration(room, wanted);
  }
  const request = withConfiguration(room.state, wanted);
  const asked = request.driver || 'bridge';
  if (asked !== 'overlay' && driverOf(room, asked) === undefined) await room.plugins?.load(ctx, asked);
  const driver = checkRequest(room, request);
  refuseTakenName(room, request.name);
  const routes = await hostRoutes(room);
  return withUndo(ctx, async (undo) => {
    const given = await poolsOfPlugin(room, ctx, undo, request, routes);
    // From here to `add` nothing waits: two requests never choose the same subnet or name.
    refuseTakenName(room, request.name);
    const { pools, warnings } = given ?? planPools(request, surroundings(room, routes));
    const planned = plan(room, request, driver, pools);
    undo.push('claims of the network', () => room.state.remove(planned.id));
    room.state.add(planned);
    await room.queue.run(planned.id, () => realise(room, ctx, undo, planned));
    emitNetwork(room, planned, 'create');
    return { id: planned.id, warnings };
  });
}

function refuseTakenName(room: Networks, name: string): void {
  if (room.state.all().some((entry) => entry.network.name === name))
    throw conflict(`network with name ${name} already exists`);
}

/** The network's record, when its pools are known. */
function plan(
  room: Networks,
  request: NetworkCreateRequest,
  driver: string,
  pools: readonly IpamPool[],
): NetworkRecord {
  const options = request.ipam?.options;
  const ipam = {
    driver: request.ipam?.driver || 'default',
    ...(options === undefined ? {} : { options: { ...options } }),
    pools,
  };
  const planned = driverOf(room, driver)?.validate({ ...recordOf(request, driver), ipam });
  if (planned === undefined) throw notFound(`plugin ${JSON.stringify(driver)} not found`);
  checkBridgeName(room, planned);
  checkBridgeSubnets(room, planned);
  return planned;
}

/** Undefined where the engine gives the addresses itself. */
async function poolsOfPlugin(
  room: Networks,
  ctx: Ctx,
  undo: UndoStack,
  request: NetworkCreateRequest,
  routes: readonly Cidr[],
): Promise<PoolPlan | undefined> {
  const name = request.ipam?.driver || 'default';
  if (name === 'default') return undefined;
  if (name === 'null') return { pools: [{ subnet: '0.0.0.0/0', gateway: '' }], warnings: [] };
  const driver = await loadIpam(room, ctx, name);
  return requestPools(ctx, undo, { driver, request, blocked: [...usedSubnets(room.state), ...routes] });
}

/** A program that gives addresses may give those of another bridge; `planPools` never does. */
function checkBridgeSubnets(room: Networks, network: NetworkRecord): void {
  if (network.bridgeName === undefined || !isRemote(network)) return;
  const subnets = network.ipam.pools.flatMap((pool) => parseCidr(pool.subnet)?.cidr ?? []);
  for (const { network: other } of room.state.all()) {
    if (other.bridgeName === undefined) continue;
    const taken = other.ipam.pools.flatMap((pool) => parseCidr(pool.subnet)?.cidr ?? []);
    const shared = subnets.find((subnet) => taken.some((one) => cidrsOverlap(one, subnet)));
    if (shared === undefined) continue;
    throw forbidden(
      `cannot create network ${network.id} (${network.bridgeName}): conflicts with network ${other.id} (${other.bridgeName}): networks have overlapping IPv${shared.family}`,
    );
  }
}

function surroundings(room: Networks, hostRoutes: readonly Cidr[]): PoolSurroundings {
  const { engineId, defaults } = room;
  return { used: usedSubnets(room.state), hostRoutes, engineId, addressPools: defaults?.addressPools };
}

/** `10.1.0.1/24` is the gateway and, without its host bits, the subnet. */
function bipRequest(bip: string | undefined): Pick<NetworkCreateRequest, 'ipam'> {
  if (bip === undefined) return {};
  const parsed = parseCidr(bip);
  if (parsed === undefined) throw invalid(`invalid bridge address ${bip}: it must be like 10.1.0.1/24`);
  return { ipam: { config: [{ subnet: formatCidr(parsed.cidr), gateway: formatIp(parsed.address) }] } };
}

/** `bridge`, `host` or `none`, as a new engine makes them. */
export async function planPredefined(
  room: Networks,
  name: 'bridge' | 'host' | 'none',
): Promise<NetworkRecord> {
  const driver = name === 'none' ? 'null' : name;
  const base = { ...recordOf({ name }, driver), predefined: true };
  if (name !== 'bridge')
    return { ...base, enableIPv4: true, ipam: { driver: 'default', options: {}, pools: [] } };
  const routes = await hostRoutes(room);
  const { pools } = planPools(bipRequest(room.defaults?.bip), surroundings(room, routes));
  const named: NetworkRecord = { ...base, ipam: { driver: 'default', options: {}, pools } };
  const validated = driverOf(room, driver)?.validate(named) ?? named;
  // Docker shows the default bridge's settings as options.
  const options = {
    [bridgeOption.defaultBridge]: 'true',
    [bridgeOption.icc]: 'true',
    [bridgeOption.masquerade]: 'true',
    [bridgeOption.hostBinding]: room.defaults?.bindAddress ?? '0.0.0.0',
    [bridgeOption.name]: validated.bridgeName ?? '',
    ...(room.defaults?.mtu === undefined ? {} : { [bridgeOption.mtu]: String(room.defaults.mtu) }),
  };
  return { ...validated, options };
}
