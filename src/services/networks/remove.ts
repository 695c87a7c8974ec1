/** `network rm` and `network prune`. */

import type { Ctx } from '../../core/ctx.ts';
import { forbidden, invalid, isKind } from '../../core/errors.ts';
import { shortId } from '../../core/ids.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import { refuseUsedConfiguration } from './configuration.ts';
import { driverFor, type Networks } from './deps.ts';
import { emitNetwork } from './emit.ts';
import { isRemote } from './ipam/leases.ts';
import { releasePools } from './ipam/remote-pools.ts';
import type { NetworkFilters } from './types.ts';
import { filterViews, viewOf } from './view.ts';
import { firewallNetwork, removeWalls } from './walls.ts';

/** Containers that hold an address of the network: attached ones, and those that are just starting. */
function activeEndpoints(room: Networks, network: NetworkRecord): readonly string[] {
  const found = new Map<string, string>();
  for (const [containerId, claims] of room.state.claims)
    for (const endpoint of Object.values(claims.endpoints))
      if (endpoint.networkId === network.id)
        found.set(containerId, endpoint.dnsNames[0] ?? shortId(containerId));
  for (const [containerId, { name, networkIds }] of room.state.joining)
    if (networkIds.includes(network.id)) found.set(containerId, name);
  for (const { record } of room.state.members(network.id)) found.set(record.id, record.name);
  return [...found].map(([id, name]) => `name:"${name}" id:"${shortId(id)}"`);
}

function refuseWhenActive(room: Networks, network: NetworkRecord): void {
  const active = activeEndpoints(room, network);
  if (active.length === 0) return;
  throw forbidden(
    `error while removing network: network ${network.name} id ${network.id} has active endpoints (${active.join(', ')})`,
  );
}

/** Addresses and pools that another program gave go back to it; where it is away the network goes all the same, as with Docker. */
export async function releaseNetworkPools(room: Networks, ctx: Ctx, network: NetworkRecord): Promise<void> {
  if (!isRemote(network)) return;
  const failed = (error: unknown): void =>
    room.log.warn('the addresses of a network could not be given back', {
      network: network.name,
      plugin: network.ipam.driver,
      error,
    });
  try {
    await room.leases.finish(network, (driver) => releasePools(ctx, driver, network.ipam.pools, failed));
  } catch (error) {
    failed(error);
  }
}

async function removeNow(room: Networks, ctx: Ctx, network: NetworkRecord): Promise<void> {
  refuseWhenActive(room, network);
  refuseUsedConfiguration(room.state, network);
  // Unknown from here on: nobody can claim an address on a network that is going.
  room.state.remove(network.id);
  try {
    const walls = firewallNetwork(network);
    // A sub-interface that another network hangs on stays.
    const isShared = room.state
      .all()
      .some(
        ({ network: other }) => other.parentName !== undefined && other.parentName === network.parentName,
      );
    await room.farewells.settle(network);
    if (!isShared) await (await driverFor(room, ctx, network.driver)).remove(ctx, network);
    if (walls !== undefined) await removeWalls(room, ctx, walls);
    await room.helper.setZone(ctx, network.id, network.name, []);
    await room.records.commit([{ op: 'delete', kind: 'network', id: network.id }]);
    await releaseNetworkPools(room, ctx, network);
  } catch (error) {
    room.state.add(network);
    throw error;
  }
  emitNetwork(room, network, 'destroy');
}

export async function remove(room: Networks, ctx: Ctx, reference: string): Promise<void> {
  const { network } = room.state.find(reference);
  if (network.predefined) throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
  await room.queue.run(network.id, () => removeNow(room, ctx, network));
}

const pruneFilters = new Set(['label', 'label!', 'until']);

export async function prune(
  room: Networks,
  ctx: Ctx,
  filters: NetworkFilters = {},
): Promise<readonly string[]> {
  for (const name of Object.keys(filters))
    if (!pruneFilters.has(name)) throw invalid(`invalid filter '${name}'`);
  if ((filters['until'] ?? []).length > 1) throw invalid('more than one until filter specified');
  const views = room.state.all().map(({ network }) => viewOf(room.state, network));
  const removed: string[] = [];
  for (const { network } of filterViews(views, filters)) {
    if (network.predefined || network.configOnly === true || activeEndpoints(room, network).length > 0)
      continue;
    try {
      await remove(room, ctx, network.id);
      removed.push(network.name);
    } catch (error) {
      // Used or removed by someone else in the meantime.
      if (!isKind(error, 'forbidden') && !isKind(error, 'notFound')) throw error;
    }
  }
  // Docker counts bytes for every kind, and networks have none.
  room.events.emit({ type: 'network', action: 'prune', actorId: '', attributes: { reclaimed: '0' } });
  return removed;
}
