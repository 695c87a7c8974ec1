/** `slipway network exposure`: what of the running containers is reachable, and from where. */

import type { Ctx } from '../../core/ctx.ts';
import { hostAndPort } from '../../core/ip.ts';
import { bridgeSettings } from '../../core/model/bridge-settings.ts';
import type { ContainerRecord, EndpointRecord, PublishedPort } from '../../core/model/container.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import { listContainers, type Networks } from './deps.ts';
import { gatewayEndpoint } from './reserve.ts';
import type { Exposure, ExposureRow } from './types.ts';
import { isLoopback } from './resolv-conf.ts';

const bare = (address: string): string => address.replace(/\/\d+$/, '');

async function hostAddresses(room: Networks): Promise<readonly string[]> {
  const bridges = new Set(
    room.state.all().flatMap(({ network }) => network.ipam.pools.map((pool) => pool.gateway)),
  );
  const all = (await room.host.addresses?.()) ?? [];
  return all
    .map(({ address }) => bare(address))
    .filter((address) => !isLoopback(address) && !address.startsWith('fe80:') && !bridges.has(address));
}

type Place = Pick<ExposureRow, 'address' | 'scope' | 'from'>;

function placeOf(port: PublishedPort, gateway: EndpointRecord): Place {
  if (port.hostPort === 0) {
    const own = port.hostIp.includes(':') ? gateway.ipv6 : gateway.ipv4;
    const from = `machines with a route to ${own}`;
    return { address: hostAndPort(own, port.containerPort), scope: 'network', from };
  }
  const address = hostAndPort(port.hostIp, port.hostPort);
  if (isLoopback(port.hostIp)) return { address, scope: 'host', from: 'this host' };
  if (port.hostIp === '0.0.0.0' || port.hostIp === '::')
    return { address, scope: 'everywhere', from: 'every machine that reaches this host' };
  return { address, scope: 'network', from: `machines that reach ${port.hostIp}` };
}

/** What a network lets through whatever is published. */
function openPlaces(network: NetworkRecord, endpoint: EndpointRecord): readonly Place[] {
  if (network.driver === 'macvlan' || network.driver === 'ipvlan') {
    const from = `machines on the network of ${network.parentName ?? 'its parent'}`;
    return [endpoint.ipv4, endpoint.ipv6]
      .filter((own) => own !== '')
      .map((own) => ({ address: own, scope: 'network', from }));
  }
  if (network.driver !== 'bridge') return [];
  const { gatewayModes, trustedInterfaces } = bridgeSettings(network);
  return (['ipv4', 'ipv6'] as const).flatMap((version): Place[] => {
    const own = endpoint[version];
    if (own === '' || network.internal) return [];
    const open: Place[] = [];
    if (gatewayModes[version] === 'nat-unprotected')
      open.push({ address: own, scope: 'network', from: `machines with a route to ${own}` });
    for (const name of trustedInterfaces)
      open.push({ address: own, scope: 'network', from: `machines behind ${name} with a route to ${own}` });
    return open;
  });
}

function rowsOf(room: Networks, record: ContainerRecord): readonly ExposureRow[] {
  const who = { containerId: record.id, containerName: record.name };
  const gateway = gatewayEndpoint(room.state, record.endpoints);
  const rows: ExposureRow[] = [];
  if (gateway !== undefined)
    for (const port of record.ports)
      rows.push({
        ...who,
        network: gateway.networkName,
        containerPort: `${port.containerPort}/${port.protocol}`,
        ...placeOf(port, gateway),
      });
  for (const endpoint of Object.values(record.endpoints)) {
    const network = room.state.byId(endpoint.networkId)?.network;
    if (network === undefined) continue;
    if (network.driver === 'host')
      rows.push({
        ...who,
        network: network.name,
        address: '*',
        containerPort: '*',
        scope: 'everywhere',
        from: 'as processes of this host: wherever its firewall lets them be reached',
      });
    for (const place of openPlaces(network, endpoint))
      rows.push({ ...who, network: network.name, containerPort: '*', ...place });
  }
  return rows;
}

export async function exposure(room: Networks, _ctx: Ctx): Promise<Exposure> {
  const attached = [...room.state.attached.values()].map(({ record }) => record);
  // Containers in the host's own stack are attached to nothing.
  const ids = new Set(attached.map((record) => record.id));
  const inHost = listContainers(room).filter(
    (record) => record.state.status === 'running' && !ids.has(record.id) && 'host' in record.endpoints,
  );
  const rows = [...attached, ...inHost].flatMap((record) => rowsOf(room, record));
  return { hostAddresses: await hostAddresses(room), rows, notes: room.firewall.status() };
}
