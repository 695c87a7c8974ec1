/** Networks and published ports as set elements, and back. Pure. */

import { bytesOf, formatIp, ipFromBytes } from '../../core/ip.ts';
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
  if (network.internal) placed.push({ set: 'internal', element: single });
  else if (network.masquerade) placed.push({ set: 'masquerade', element: single });
  return placed;
}

/** Every element that a network may have, whatever its settings were: for its removal. */
export function allNetworkElements(bridge: string): readonly PlacedElement[] {
  const name = interfaceKey(bridge);
  const pair = concatenated(name, name);
  return [
    { set: 'bridges', element: { key: name } },
    { set: 'bridge_pairs', element: { key: pair } },
    { set: 'same_network', element: { key: pair } },
    { set: 'internal', element: { key: name } },
    { set: 'masquerade', element: { key: name } },
  ];
}

/** Undefined where host and container address differ in version: slipway-net relays such a port. */
export function portElement(port: FirewallPort): PlacedElement | undefined {
  const version = port.containerIp.includes(':') ? 6 : 4;
  if ((port.hostIp.includes(':') ? 6 : 4) !== version || port.containerIp === '') return undefined;
  const suffix = version === 4 ? '' : '6';
  const protocol = Uint8Array.of(protocolNumbers[port.protocol]);
  const data = concatenated(bytesOf(port.containerIp), port16(port.containerPort));
  if (port.hostIp === '0.0.0.0' || port.hostIp === '::') {
    const key = concatenated(protocol, port16(port.hostPort));
    return { set: `ports${suffix}`, element: { key, data, comment: port.bridge } };
  }
  const key = concatenated(bytesOf(port.hostIp), protocol, port16(port.hostPort));
  return { set: `bound_ports${suffix}`, element: { key, data, comment: port.bridge } };
}

function protocolOf(number: number | undefined): FirewallPort['protocol'] | undefined {
  return (['tcp', 'udp', 'sctp'] as const).find((name) => protocolNumbers[name] === number);
}

/** The port that an element of one of the four maps stands for; undefined for an element that is none of ours. */
export function portOfElement(set: SetName, element: NftElement): FirewallPort | undefined {
  const length = set.endsWith('6') ? 16 : 4;
  const bound = set.startsWith('bound_');
  const { key, data } = element;
  const start = bound ? length : 0;
  const protocol = protocolOf(key[start]);
  if (data === undefined || data.length < length + 2 || protocol === undefined || key.length < start + 6)
    return undefined;
  const number = (bytes: Uint8Array, offset: number): number =>
    ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
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
