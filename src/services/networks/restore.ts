/**
 * Daemon start: networks from their records, claims from the running containers, then the kernel and slipway-net brought
 * to agree. Everything compares first and changes only what differs: traffic and lookups go on meanwhile.
 */

import type { Ctx } from '../../core/ctx.ts';
import { bridgeOption } from '../../core/model/bridge-settings.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { PortHold } from '../../core/ports/net-helper.ts';
import { hostAndPort } from '../../core/ip.ts';
import { attachInterfaces } from './attach.ts';
import { planPredefined } from './create.ts';
import { isRemote } from './ipam/leases.ts';
import { restoreLeases } from './restore-leases.ts';
import { restoreWalls } from './walls.ts';
import { awayNote, driverOf, type Networks } from './deps.ts';
import { namedEndpoints, resolverConfig, zoneOf } from './names.ts';
import { portHolds } from './published.ts';
import type { Claims } from './state.ts';
import type { RestoredContainer } from './types.ts';

/** Whether flags ask for another default bridge than the stored one, and no container holds on to it. */
function isOutdated(room: Networks, stored: NetworkRecord, running: readonly RestoredContainer[]): boolean {
  const { bip, mtu } = room.defaults ?? {};
  const used = running.some(({ record }) =>
    Object.values(record.endpoints).some((endpoint) => endpoint.networkId === stored.id),
  );
  if (!stored.predefined || stored.name !== 'bridge' || used) return false;
  const gateway = bip?.split('/')[0];
  const otherMtu = (stored.options[bridgeOption.mtu] ?? '') !== (mtu === undefined ? '' : String(mtu));
  return otherMtu || (gateway !== undefined && stored.ipam.pools[0]?.gateway !== gateway);
}

/** The default bridge shows where its ports are published as an option; the daemon's flag decides it anew at each start. */
function withBindAddress(room: Networks, stored: NetworkRecord): NetworkRecord {
  if (!stored.predefined || stored.driver !== 'bridge') return stored;
  const address = room.defaults?.bindAddress ?? '0.0.0.0';
  return { ...stored, options: { ...stored.options, [bridgeOption.hostBinding]: address } };
}

async function loadNetworks(room: Networks, ctx: Ctx, running: readonly RestoredContainer[]): Promise<void> {
  for (const stored of await room.records.list('network')) {
    try {
      await loadPlugin(room, ctx, stored);
      if (isOutdated(room, stored, running)) {
        await driverOf(room, stored.driver)?.remove(ctx, stored);
        await room.records.commit([{ op: 'delete', kind: 'network', id: stored.id }]);
        continue;
      }
      const current = withBindAddress(room, stored);
      room.state.add(driverOf(room, current.driver)?.validate(current) ?? current);
    } catch (error) {
      note(room, `network ${stored.name} (${stored.id}) could not be restored`, error);
    }
  }
  for (const name of ['bridge', 'host', 'none'] as const) {
    if (room.state.all().some(({ network }) => network.predefined && network.name === name)) continue;
    const network = await planPredefined(room, name);
    await room.records.commit([{ op: 'put', kind: 'network', id: network.id, record: network }]);
    room.state.add(network);
  }
}

/** A plugin that is away, or comes up later, is asked again when a container needs it. */
async function loadPlugin(room: Networks, ctx: Ctx, { name, driver }: NetworkRecord): Promise<void> {
  if (driverOf(room, driver) !== undefined) return;
  try {
    await room.plugins?.load(ctx, driver);
  } catch (error) {
    note(room, `${awayNote(driver)}${name} does not serve`, error);
  }
}

function note(room: Networks, what: string, error: unknown): void {
  room.log.error(what, { error });
  room.notes.push(`WARNING: ${what}: ${error instanceof Error ? error.message : String(error)}`);
}

function adoptAddresses(room: Networks, record: ContainerRecord): void {
  for (const endpoint of Object.values(record.endpoints)) {
    const entry = room.state.byId(endpoint.networkId);
    if (entry === undefined || isRemote(entry.network)) continue;
    const { addresses } = entry;
    for (const address of [endpoint.ipv4, endpoint.ipv6]) {
      if (address === '') continue;
      try {
        addresses.claimStatic(address);
      } catch (error) {
        room.log.warn('address of a running container could not be claimed', {
          container: record.id,
          address,
          error,
        });
      }
    }
  }
}

function adopt(room: Networks, record: ContainerRecord): void {
  adoptAddresses(room, record);
  room.state.ports.adopt(record.id, record.ports);
  const claims: Claims = {
    endpoints: record.endpoints,
    ports: record.ports,
    claimedPorts: record.ports.map((port) => ({ ...port, dynamic: false })),
  };
  room.state.claims.set(record.id, claims);
  room.state.attached.set(record.id, { record, endpoints: record.endpoints });
}

async function ensureNetworks(room: Networks, ctx: Ctx): Promise<void> {
  const networks = room.state.all().map(({ network }) => network);
  await Promise.all(
    networks.map(async (network) => {
      try {
        await driverOf(room, network.driver)?.ensure(ctx, network);
      } catch (error) {
        note(room, `network ${network.name} could not be set up`, error);
      }
    }),
  );
}

const portKey = (port: PortHold): string =>
  `${port.containerId} ${port.protocol} ${hostAndPort(port.hostIp, port.hostPort)} ${port.containerPort} ${port.containerIp}`;

async function syncPorts(room: Networks, ctx: Ctx, held: readonly PortHold[]): Promise<void> {
  const records = [...room.state.attached.values()].map(({ record }) => record);
  const wanted = new Map(records.map((record) => [record.id, portHolds(room, record)]));
  const heldKeys = new Set(held.map(portKey));
  const wantedKeys = new Set([...wanted.values()].flat().map(portKey));
  const stale = new Set(
    held.filter((port) => !wantedKeys.has(portKey(port))).map((port) => port.containerId),
  );
  for (const containerId of stale) await room.helper.releasePorts(ctx, containerId);
  for (const [containerId, ports] of wanted) {
    const missing = ports.filter((port) => stale.has(containerId) || !heldKeys.has(portKey(port)));
    if (missing.length === 0) continue;
    try {
      await room.helper.holdPorts(ctx, missing);
    } catch (error) {
      note(room, `published ports of container ${containerId} could not be held`, error);
    }
  }
}

/** Brings slipway-net to agree with who is attached; after its restart only resolvers may be missing. */
export async function syncHelper(
  room: Networks,
  ctx: Ctx,
  running: readonly RestoredContainer[],
): Promise<void> {
  const known = await room.helper.list(ctx);
  const networks = room.state.all().map(({ network }) => network);
  const ids = new Set(networks.map((network) => network.id));
  await Promise.all([
    ...known.zones.filter((id) => !ids.has(id)).map((id) => room.helper.setZone(ctx, id, '', [])),
    ...networks.map((network) =>
      room.helper.setZone(ctx, network.id, network.name, zoneOf(room.state, network.id)),
    ),
  ]);
  const wanted = running.filter(({ record }) => namedEndpoints(room.state, record.endpoints).length > 0);
  const wantedIds = new Set(wanted.map(({ record }) => record.id));
  for (const id of known.resolvers) if (!wantedIds.has(id)) await room.helper.detachResolver(ctx, id);
  for (const { record, namespace } of wanted) {
    const config = resolverConfig(room, { record, endpoints: record.endpoints });
    if (known.resolvers.includes(record.id)) await room.helper.updateResolver(ctx, config);
    else if (namespace !== undefined) await room.helper.attachResolver(ctx, namespace.path, config);
  }
  await syncPorts(room, ctx, known.ports);
}

/** A bridge that was deleted took its ports along: containers whose host interface is gone are joined again. */
export async function repairEndpoints(
  room: Networks,
  ctx: Ctx,
  running: readonly RestoredContainer[],
): Promise<void> {
  const lists = await Promise.all(room.drivers.map((driver) => driver.list(ctx)));
  const present = new Set(lists.flatMap((list) => list.endpoints));
  for (const { record, namespace } of running) {
    const lost = Object.entries(record.endpoints).filter(
      ([, endpoint]) => endpoint.hostInterfaceName !== '' && !present.has(endpoint.hostInterfaceName),
    );
    if (lost.length === 0 || namespace === undefined) continue;
    try {
      await detachLost(
        room,
        ctx,
        record,
        lost.map(([name]) => name),
        namespace,
      );
      room.log.info('joined a container to its networks again', { container: record.id });
    } catch (error) {
      note(room, `container ${record.name} could not be joined to its networks again`, error);
    }
  }
}

async function detachLost(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  names: readonly string[],
  namespace: NonNullable<RestoredContainer['namespace']>,
): Promise<void> {
  const lost = Object.fromEntries(Object.entries(record.endpoints).filter(([name]) => names.includes(name)));
  // Deleting the host's end, in whatever bridge it is by now, takes the other end along.
  const stray = {
    networks: [],
    endpoints: Object.values(lost).map((endpoint) => endpoint.hostInterfaceName),
  };
  for (const driver of room.drivers) await driver.removeStray(ctx, stray);
  await attachInterfaces(room, ctx, record, namespace, lost);
}

async function removeOrphans(room: Networks, ctx: Ctx): Promise<void> {
  const records = [...room.state.attached.values()];
  const known = new Set(
    records.flatMap(({ endpoints }) =>
      Object.values(endpoints).map((endpoint) => endpoint.hostInterfaceName),
    ),
  );
  const owned = new Set(room.state.all().flatMap(({ network }) => [network.bridgeName, network.parentName]));
  for (const driver of room.drivers) {
    const found = await driver.list(ctx);
    const networks = found.networks.filter((name) => !owned.has(name));
    const endpoints = found.endpoints.filter((name) => !known.has(name));
    if (networks.length + endpoints.length > 0) await driver.removeStray(ctx, { networks, endpoints });
  }
}

export async function restore(
  room: Networks,
  ctx: Ctx,
  running: readonly RestoredContainer[],
): Promise<void> {
  await loadNetworks(room, ctx, running);
  for (const { record } of running) adopt(room, record);
  await room.debts.load((networkId) => room.state.byId(networkId) !== undefined);
  restoreLeases(room, running);
  for (const { network } of room.state.all()) room.farewells.resume(network);
  await Promise.all([ensureNetworks(room, ctx), room.helper.ensureRunning(ctx)]);
  await restoreWalls(room, ctx);
  await repairEndpoints(room, ctx, running);
  await syncHelper(room, ctx, running);
  try {
    await removeOrphans(room, ctx);
  } catch (error) {
    note(room, 'interfaces without owner could not be removed', error);
  }
}
