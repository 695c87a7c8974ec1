/** Daemon start, where other programs give addresses: what is in use is told again to those that keep nothing, and what ended meanwhile goes back. */

import { backgroundCtx } from '../../core/ctx.ts';
import type { IpamPool, NetworkRecord } from '../../core/model/network.ts';
import type { IpamDriver } from '../../core/ports/ipam-driver.ts';
import { releaseEndpoint } from './claim-endpoint.ts';
import { listContainers, type Networks } from './deps.ts';
import { isRemote } from './ipam/leases.ts';
import type { RestoredContainer } from './types.ts';

async function replayPool(
  room: Networks,
  driver: IpamDriver,
  network: NetworkRecord,
  pool: IpamPool,
): Promise<IpamPool> {
  const ctx = backgroundCtx(room.log);
  const { poolId } = await driver.requestPool(ctx, {
    scope: 'local',
    subnet: pool.subnet,
    ipRange: pool.ipRange ?? '',
    options: network.ipam.options ?? {},
    ipv6: pool.subnet.includes(':'),
  });
  if (pool.gateway !== '')
    await driver.requestAddress(ctx, { poolId, address: pool.gateway, purpose: 'gateway' });
  for (const address of Object.values(pool.auxAddresses ?? {}))
    await driver.requestAddress(ctx, { poolId, address, purpose: 'reserved' });
  return { ...pool, poolId };
}

/** Endpoints on a network, by who has claimed an address at the moment. */
function* claimedOn(room: Networks, networkId: string) {
  for (const { endpoints } of room.state.claims.values())
    for (const endpoint of Object.values(endpoints)) if (endpoint.networkId === networkId) yield endpoint;
}

async function replay(room: Networks, driver: IpamDriver, network: NetworkRecord): Promise<void> {
  const ctx = backgroundCtx(room.log);
  const pools: IpamPool[] = [];
  for (const pool of network.ipam.pools) pools.push(await replayPool(room, driver, network, pool));
  const replayed = { ...network, ipam: { ...network.ipam, pools } };
  await room.records.commit([{ op: 'put', kind: 'network', id: network.id, record: replayed }]);
  room.state.replace(replayed);
  const poolId = (six: boolean): string =>
    pools.find((pool) => pool.subnet.includes(':') === six)?.poolId ?? '';
  for (const { ipv4, ipv6, macAddress } of claimedOn(room, network.id))
    for (const address of [ipv4, ipv6].filter((text) => text !== ''))
      await driver.requestAddress(ctx, {
        poolId: poolId(address.includes(':')),
        address,
        purpose: 'endpoint',
        ...(driver.requiresMacAddress ? { macAddress } : {}),
      });
}

/** Nobody waits for a program that is away: it is told when it is needed. */
export function restoreLeases(room: Networks, running: readonly RestoredContainer[]): void {
  const remote = room.state.all().filter(({ network }) => isRemote(network));
  if (remote.length === 0) return;
  for (const { network } of remote)
    room.leases
      .replay(network, (driver) => replay(room, driver, network))
      .catch((error: unknown) => {
        const plugin = network.ipam.driver;
        room.log.warn('a plugin could not be told the addresses in use', {
          network: network.name,
          plugin,
          error,
        });
      });
  for (const { network } of remote) room.leases.resume(network);
  const runs = new Set(running.map(({ record }) => record.id));
  for (const record of listContainers(room).filter(({ id }) => !runs.has(id)))
    for (const endpoint of Object.values(record.endpoints)) releaseRemote(room, endpoint);
}

function releaseRemote(room: Networks, endpoint: Parameters<typeof releaseEndpoint>[1]): void {
  const network = room.state.byId(endpoint.networkId)?.network;
  if (network !== undefined && isRemote(network)) releaseEndpoint(room, endpoint);
}
