/** Published ports as slipway-net and the firewall must know them. */

import type { ContainerRecord, EndpointRecord, PublishedPort } from '../../core/model/container.ts';
import type { FirewallPort } from '../../core/ports/firewall.ts';
import type { PortHold } from '../../core/ports/net-helper.ts';
import type { Networks } from './deps.ts';
import { gatewayEndpoint } from './reserve.ts';

/** The address that a published port leads to: the container's own of the same kind where it has one. */
const targetOf = (gateway: EndpointRecord, port: Pick<PublishedPort, 'hostIp'>): string =>
  port.hostIp.includes(':') && gateway.ipv6 !== '' ? gateway.ipv6 : gateway.ipv4 || gateway.ipv6;

export function portHolds(room: Networks, record: ContainerRecord): readonly PortHold[] {
  const gateway = gatewayEndpoint(room.state, record.endpoints);
  if (gateway === undefined) return [];
  // Without host port there is nothing to hold: the container's own address is reached.
  return record.ports
    .filter((port) => port.hostPort !== 0)
    .map((port) => ({ ...port, containerId: record.id, containerIp: targetOf(gateway, port) }));
}

export function firewallPorts(room: Networks, record: ContainerRecord): readonly FirewallPort[] {
  const gateway = gatewayEndpoint(room.state, record.endpoints);
  const bridge = gateway && room.state.byId(gateway.networkId)?.network.bridgeName;
  if (gateway === undefined || bridge === undefined) return [];
  return record.ports.map(({ protocol, hostIp, hostPort, containerPort }) => ({
    protocol,
    hostIp,
    hostPort,
    containerIp: targetOf(gateway, { hostIp }),
    containerPort,
    bridge,
  }));
}
