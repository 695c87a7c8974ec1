/** Changes of the firewall, and the whole picture where a change meets a table that someone else has flushed. */

import type { Ctx } from '../../core/ctx.ts';
import { bridgeSettings } from '../../core/model/bridge-settings.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import type { FirewallNetwork, FirewallPort } from '../../core/ports/firewall.ts';
import type { Networks } from './deps.ts';
import { firewallPorts } from './published.ts';

/** Its bridge has no address of the host: packets stay inside it, also where bridged ones pass the firewall (br_netfilter). */
const overlayWalls = {
  ipv4Subnets: [],
  ipv6Subnets: [],
  internal: true,
  masquerade: false,
  icc: true,
  gatewayModes: { ipv4: 'isolated', ipv6: 'isolated' },
} as const;

/** What the firewall must know of a network; undefined for networks without bridge. */
export function firewallNetwork(network: NetworkRecord): FirewallNetwork | undefined {
  if (network.driver === 'overlay' && network.bridgeName !== undefined)
    return { networkId: network.id, bridge: network.bridgeName, ...overlayWalls };
  if (network.driver !== 'bridge' || network.bridgeName === undefined) return undefined;
  const { icc, masquerade, gatewayModes, sourceAddresses, trustedInterfaces } = bridgeSettings(network);
  const subnets = network.ipam.pools.map((pool) => pool.subnet);
  return {
    networkId: network.id,
    bridge: network.bridgeName,
    ipv4Subnets: subnets.filter((subnet) => !subnet.includes(':')),
    ipv6Subnets: subnets.filter((subnet) => subnet.includes(':')),
    internal: network.internal,
    masquerade,
    icc,
    gatewayModes,
    sourceAddresses,
    trustedInterfaces,
  };
}

const one = 'table';

/** Everything at once, from what is attached when it is this call's turn. */
export function restoreWalls(room: Networks, ctx: Ctx): Promise<void> {
  return room.walls.run(one, () => restoreNow(room, ctx));
}

async function restoreNow(room: Networks, ctx: Ctx): Promise<void> {
  const networks = room.state.all().flatMap(({ network }) => firewallNetwork(network) ?? []);
  const ports = [...room.state.attached.values()].flatMap(({ record }) => firewallPorts(room, record));
  await room.firewall.restore(ctx, networks, ports);
}

function orWhole(room: Networks, ctx: Ctx, change: () => Promise<void>): Promise<void> {
  return room.walls.run(one, async () => {
    try {
      await change();
    } catch (error) {
      room.log.warn('the firewall table is not as it should be and is made again', { error });
      await restoreNow(room, ctx);
    }
  });
}

/** The container whose ports these are is among the attached already. */
export async function publishPorts(room: Networks, ctx: Ctx, ports: readonly FirewallPort[]): Promise<void> {
  if (ports.length > 0) await orWhole(room, ctx, () => room.firewall.publish(ctx, ports));
}

export async function ensureWalls(room: Networks, ctx: Ctx, network: FirewallNetwork): Promise<void> {
  await orWhole(room, ctx, () => room.firewall.ensureNetwork(ctx, network));
}

export async function unpublishPorts(
  room: Networks,
  ctx: Ctx,
  ports: readonly FirewallPort[],
): Promise<void> {
  if (ports.length > 0) await room.walls.run(one, () => room.firewall.unpublish(ctx, ports));
}

export async function removeWalls(room: Networks, ctx: Ctx, network: FirewallNetwork): Promise<void> {
  await room.walls.run(one, () => room.firewall.removeNetwork(ctx, network));
}
