/** Networks and published ports as set elements, and back. Pure. */

import { bytesOf, formatIp, ipFromBytes } from '../../core/ip.ts';
import type { GatewayMode } from '../../core/model/bridge-settings.ts';
import type { FirewallNetwork, FirewallPort } from '../../core/ports/firewall.ts';
import type { NftElement } from '../../core/ports/nft.ts';
import { concatenated, interfaceKey, port16 } from './expressions.ts';
import type { SetName } from './table.ts';

export interface PlacedElement {
  readonly set: SetName;
  readonly element: NftElement;
}

const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;

export function networkElements(network: FirewallNetwork): readonly PlacedElement[] {
  const name = interfaceKey(network.bridge);
  const single: NftElement = { key: name };
  const pair: NftElement = { key: concatenated(name, name) };
  const placed: PlacedElement[] = [
    { set: 'bridges', element: single },
    { set: 'bridge_pairs', element: pair },
  ];
  if (network.icc) placed.push({ set: 'same_network', element: pair });
  for (const version of [4, 6] as const)
    if (network.gatewayModes?.[`ipv${version}`] === 'isolated')
      placed.push({ set: `isolated${suffixOf(version)}`, element: single });
  if (network.internal) return [...placed, { set: 'internal', element: single }];
  for (const version of [4, 6] as const) placed.push(...outwardElements(network, version));
  for (const trusted of network.trustedInterfaces ?? [])
    placed.push({ set: 'trusted', element: { key: concatenated(interfaceKey(trusted), name) } });
  return placed;
}

const suffixOf = (version: 4 | 6): '' | '6' => (version === 4 ? '' : '6');

/** How the network's addresses of one version meet the outside. */
function outwardElements(network: FirewallNetwork, version: 4 | 6): readonly PlacedElement[] {
  const suffix = suffixOf(version);
  const element: NftElement = { key: interfaceKey(network.bridge) };
  const mode: GatewayMode = network.gatewayModes?.[`ipv${version}`] ?? 'nat';
  if (mode === 'routed') return [{ set: `routed${suffix}`, element }];
  const source = network.sourceAddresses?.[`ipv${version}`] ?? '';
  const placed: PlacedElement[] = [];
  if (mode === 'nat-unprotected') placed.push({ set: `unprotected${suffix}`, element });
  if (!network.masquerade) return placed;
  if (source === '') return [...placed, { set: `masquerade${suffix}`, element }];
  return [...placed, { set: `source${suffix}`, element: { ...element, data: bytesOf(source) } }];
}

const ofBridge: readonly SetName[] = [
  'bridges',
  'internal',
  'masquerade',
  'masquerade6',
  'routed',
  'routed6',
  'unprotected',
  'unprotected6',
  'isolated',
  'isolated6',
];
const ofBridgePair: readonly SetName[] = ['bridge_pairs', 'same_network'];

/** Every element that a network may have and that its bridge's name alone tells, whatever its settings were. */
export function allNetworkElements(bridge: string): readonly PlacedElement[] {
  const name = interfaceKey(bridge);
  const pair = concatenated(name, name);
  return [
    ...ofBridge.map((set): PlacedElement => ({ set, element: { key: name } })),
    ...ofBridgePair.map((set): PlacedElement => ({ set, element: { key: pair } })),
  ];
}

/** Sets whose elements for a bridge hold more than its name; small, because few networks are in them. */
export const settingSets: readonly SetName[] = ['source', 'source6', 'trusted'];

/** Whether an element of one of the `settingSets` is of that bridge's network. */
export function isOfNetwork({ set, element }: PlacedElement, bridge: string): boolean {
  const start = set === 'trusted' ? 16 : 0;
  return Buffer.from(interfaceKey(bridge)).equals(element.key.subarray(start, start + 16));
}

const isAny = (hostIp: string): boolean => hostIp === '0.0.0.0' || hostIp === '::';

/** A port that slipway-net carries, because host and container address differ in version. */
function relayedElement({ hostIp, hostPort, protocol, bridge }: FirewallPort): PlacedElement {
  const suffix = suffixOf(hostIp.includes(':') ? 6 : 4);
  const end = concatenated(Uint8Array.of(protocolNumbers[protocol]), port16(hostPort));
  return isAny(hostIp)
    ? { set: `relayed${suffix}`, element: { key: end, comment: bridge } }
    : {
        set: `bound_relayed${suffix}`,
        element: { key: concatenated(bytesOf(hostIp), end), comment: bridge },
      };
}

/** Undefined where there is no address to lead to. */
export function portElement(port: FirewallPort): PlacedElement | undefined {
  const version = port.containerIp.includes(':') ? 6 : 4;
  if (port.containerIp === '') return undefined;
  if ((port.hostIp.includes(':') ? 6 : 4) !== version)
    return port.hostPort === 0 ? undefined : relayedElement(port);
  const suffix = suffixOf(version);
  const protocol = Uint8Array.of(protocolNumbers[port.protocol]);
  if (port.hostPort === 0) {
    const key = concatenated(bytesOf(port.containerIp), protocol, port16(port.containerPort));
    return { set: `direct${suffix}`, element: { key, comment: port.bridge } };
  }
  const data = concatenated(bytesOf(port.containerIp), port16(port.containerPort));
  if (isAny(port.hostIp)) {
    const key = concatenated(protocol, port16(port.hostPort));
    return { set: `ports${suffix}`, element: { key, data, comment: port.bridge } };
  }
  const key = concatenated(bytesOf(port.hostIp), protocol, port16(port.hostPort));
  return { set: `bound_ports${suffix}`, element: { key, data, comment: port.bridge } };
}

function protocolOf(number: number | undefined): FirewallPort['protocol'] | undefined {
  return (['tcp', 'udp', 'sctp'] as const).find((name) => protocolNumbers[name] === number);
}

const number = (bytes: Uint8Array, offset: number): number =>
  ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);

function directPort(length: 4 | 16, { key, comment }: NftElement): FirewallPort | undefined {
  const protocol = protocolOf(key[length]);
  if (protocol === undefined || key.length < length + 6) return undefined;
  return {
    protocol,
    hostIp: length === 4 ? '0.0.0.0' : '::',
    hostPort: 0,
    containerIp: formatIp(ipFromBytes(key.subarray(0, length))),
    containerPort: number(key, length + 4),
    bridge: comment ?? '',
  };
}

/** The port that an element of one of the maps stands for; undefined for an element that is none of ours. */
export function portOfElement(set: SetName, element: NftElement): FirewallPort | undefined {
  const length = set.endsWith('6') ? 16 : 4;
  if (set.startsWith('direct')) return directPort(length, element);
  const bound = set.startsWith('bound_');
  const { key, data } = element;
  const start = bound ? length : 0;
  const protocol = protocolOf(key[start]);
  if (data === undefined || data.length < length + 2 || protocol === undefined || key.length < start + 6)
    return undefined;
  return {
    protocol,
    hostIp: bound ? formatIp(ipFromBytes(key.subarray(0, length))) : length === 4 ? '0.0.0.0' : '::',
    hostPort: number(key, start + 4),
    containerIp: formatIp(ipFromBytes(data.subarray(0, length))),
    containerPort: number(data, length),
    bridge: element.comment ?? '',
  };
}

/** One string for an element, to compare plan and kernel. */
export function elementId(placed: PlacedElement): string {
  const hex = (bytes: Uint8Array | undefined): string =>
    bytes === undefined ? '' : Buffer.from(bytes).toString('hex');
  // The kernel returns values padded to whole registers; what we write has only what is meant.
  const data = hex(placed.element.data).replace(/0+$/, '');
  return `${placed.set} ${hex(placed.element.key)} ${data}`;
}
