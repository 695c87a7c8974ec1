/** What the bridge driver asks of the kernel, as lists of operations. Pure. */

import { derivedHex } from '../../../core/ids.ts';
import { bridgeSettings } from '../../../core/model/bridge-settings.ts';
import type { NetworkRecord } from '../../../core/model/network.ts';
import type { AddressInfo, LinkInfo, LinkOperation, NetworkProgram } from '../../../core/ports/host.ts';
import type { EndpointPlan } from '../../../core/ports/network-driver.ts';
import { parseCidr } from '../../../core/ip.ts';
import { planInside } from '../plan-inside.ts';

/** Marks a bridge as ours, so that reconciling finds it and removal leaves foreign ones alone. */
export const aliasOf = (instance: string, networkId: string): string =>
  `${aliasPrefix(instance)}${networkId}`;
export const aliasPrefix = (instance: string): string => `slipway:${instance}:`;

/** Gateways of the pools with their prefix lengths: the addresses of the bridge itself. */
export function bridgeAddresses(network: NetworkRecord): readonly string[] {
  const { gatewayModes, inhibitIpv4 } = bridgeSettings(network);
  return network.ipam.pools.flatMap((pool) => {
    const subnet = parseCidr(pool.subnet);
    const family = pool.subnet.includes(':') ? 'ipv6' : 'ipv4';
    // An isolated network is not reached from the host either.
    if (gatewayModes[family] === 'isolated' || (family === 'ipv4' && inhibitIpv4)) return [];
    return subnet === undefined || pool.gateway === '' ? [] : [`${pool.gateway}/${subnet.cidr.prefix}`];
  });
}

/** Local, and fixed: without one of its own a bridge changes its address with its ports, and neighbours lose it. */
export function bridgeMac(networkId: string): string {
  return `02:42:${(derivedHex(8, 'bridge', networkId).match(/../g) ?? []).join(':')}`;
}

function bridgeSysctls(name: string, ipv6: boolean): readonly LinkOperation[] {
  return [
    // Connections from 127.0.0.1 to a published port leave by the bridge; the guard chain keeps containers from using it.
    { op: 'sysctl', key: `net/ipv4/conf/${name}/route_localnet`, value: '1' },
    // Its own addresses are all that this host has to tell there: not those of its other interfaces, nor 127.0.0.1.
    { op: 'sysctl', key: `net/ipv4/conf/${name}/arp_ignore`, value: '1' },
    { op: 'sysctl', key: `net/ipv6/conf/${name}/accept_ra`, value: '0', optional: true },
    // The bridge's addresses are ours alone; while one is being probed for duplicates nothing is forwarded to new neighbours.
    { op: 'sysctl', key: `net/ipv6/conf/${name}/accept_dad`, value: '0', optional: true },
    { op: 'sysctl', key: `net/ipv6/conf/${name}/disable_ipv6`, value: ipv6 ? '0' : '1', optional: true },
  ];
}

/** Makes or repairs the bridge; empty when it stands as it should. */
export function planBridge(
  instance: string,
  network: NetworkRecord,
  mtu: number,
  found: { readonly link: LinkInfo | undefined; readonly addresses: readonly AddressInfo[] },
): readonly LinkOperation[] {
  const name = network.bridgeName ?? '';
  const wanted = bridgeAddresses(network);
  const { link } = found;
  const alias = aliasOf(instance, network.id);
  if (link === undefined)
    return [
      { op: 'createBridge', name, mtu, mac: bridgeMac(network.id), alias },
      ...bridgeSysctls(name, network.enableIPv6),
      ...wanted.map((address): LinkOperation => ({ op: 'addAddress', name, address, noDad: true })),
      { op: 'setLink', name, up: true },
    ];
  const operations: LinkOperation[] = [];
  const present = new Set(
    found.addresses.filter((one) => one.linkIndex === link.index).map((one) => one.address),
  );
  for (const address of wanted)
    if (!present.has(address)) operations.push({ op: 'addAddress', name, address, noDad: true });
  if (link.mtu !== mtu) operations.push({ op: 'setLink', name, mtu });
  if (!link.up)
    operations.push(...bridgeSysctls(name, network.enableIPv6), { op: 'setLink', name, up: true });
  return operations;
}

/** An endpoint in one go: the pair of interfaces, one end in the bridge, the other in the namespace with its addresses and routes. */
export function planEndpoint(namespacePath: string, plan: EndpointPlan, mtu: number): NetworkProgram {
  const namespace = { path: namespacePath };
  const name = plan.interfaceName;
  const host = plan.hostInterfaceName;
  const bridge = plan.network.bridgeName ?? '';
  const { icc } = bridgeSettings(plan.network);
  const peer = { name, mac: plan.macAddress, namespace };
  // There is no router on a bridge of ours but the host: a neighbour that says that it is one lies.
  const noRouters: LinkOperation = {
    op: 'sysctl',
    key: `net/ipv6/conf/${name}/accept_ra`,
    value: '0',
    optional: true,
  };
  const inside = [...(plan.ipv6 === '' ? [] : [noRouters]), ...planInside(plan)];
  return {
    steps: [
      {
        operations: [
          { op: 'createVeth', name: host, mtu, bridge, peer },
          // Isolated ports reach the bridge itself but no other port: icc=false without filtering bridged traffic.
          ...(icc ? [] : [{ op: 'setBridgePort', name: host, isolated: true } as const]),
          // Where br_netfilter is on, a packet to the own published port turns around inside the bridge.
          ...(plan.published ? [{ op: 'setBridgePort', name: host, hairpin: true } as const] : []),
          { op: 'setLink', name: host, up: true },
        ],
      },
      { namespace, operations: inside },
    ],
  };
}
