/** What the overlay driver asks of the kernel for networks and peers. Pure. */

import { invalid } from '../../../core/errors.ts';
import { derivedHex, shortId } from '../../../core/ids.ts';
import { parseIp } from '../../../core/ip.ts';
import type { NetworkRecord } from '../../../core/model/network.ts';
import type { LinkOperation, NeighbourInfo } from '../../../core/ports/host.ts';
import type { OverlayPeer } from '../../../core/ports/overlay.ts';

/** Docker's names for what the cluster and the user say of a network. */
export const overlayOption = {
  /** The network's number, which all hosts share: 1 to 16777215. */
  number: 'com.docker.network.driver.overlay.vxlanid_list',
  encrypted: 'encrypted',
  mtu: 'com.docker.network.driver.mtu',
} as const;

const highestNumber = 0xffffff;
/** Outer headers, bytes: Ethernet of the inner frame, IP, UDP, vxlan. */
const overhead = { 4: 50, 6: 70 } as const;
/** ESP with AES-GCM: numbers, initialisation vector, padding's length and kind, check value; padded to four bytes. */
const sealOverhead = 34;
const smallestMtu = 576;

export const numberOf = (network: NetworkRecord): number => {
  const text = network.options[overlayOption.number] ?? '';
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > highestNumber)
    throw invalid(
      `invalid value for option ${overlayOption.number}: ${JSON.stringify(text)} is no number between 1 and ${highestNumber}`,
    );
  return number;
};

export const isEncrypted = (network: NetworkRecord): boolean => {
  const text = network.options[overlayOption.encrypted];
  if (text === undefined || text === 'false' || text === '0') return false;
  if (['', 'true', '1'].includes(text)) return true;
  throw invalid(
    `invalid value for option ${overlayOption.encrypted}: ${JSON.stringify(text)} is no truth value`,
  );
};

export function mtuOf(network: NetworkRecord, underlayMtu: number, localAddress: string): number {
  const asked = network.options[overlayOption.mtu];
  if (asked !== undefined && asked !== '') {
    const mtu = Number(asked);
    if (Number.isInteger(mtu) && mtu >= smallestMtu && mtu <= 65_535) return mtu;
    throw invalid(
      `invalid value for option ${overlayOption.mtu}: ${JSON.stringify(asked)} is no MTU between ${smallestMtu} and 65535`,
    );
  }
  const open = underlayMtu - overhead[localAddress.includes(':') ? 6 : 4];
  return isEncrypted(network) ? (open - sealOverhead) & ~3 : open;
}

export const bridgeOf = (network: NetworkRecord): string => `ov-${shortId(network.id)}`;
export const tunnelOf = (network: NetworkRecord): string => `vx-${shortId(network.id)}`;

/** Marks a bridge as this engine's; not as the bridge driver's, which must leave it alone. */
export const overlayPrefix = (instance: string): string => `slipway-overlay:${instance}:`;
const sealedMark = ':sealed';
export const aliasOf = (instance: string, network: NetworkRecord): string =>
  `${overlayPrefix(instance)}${network.id}${isEncrypted(network) ? sealedMark : ''}`;
export const isSealedAlias = (alias: string): boolean => alias.endsWith(sealedMark);

export interface TunnelFacts {
  readonly instance: string;
  readonly localAddress: string;
  readonly port: number;
  readonly mtu: number;
}

/** The bridge has no address: the host is not on the network. */
export function planNetwork(network: NetworkRecord, facts: TunnelFacts): readonly LinkOperation[] {
  const [bridge, tunnel] = [bridgeOf(network), tunnelOf(network)];
  const { mtu, port, localAddress: local } = facts;
  const mac = `02:42:${(derivedHex(8, 'overlay', network.id).match(/../g) ?? []).join(':')}`;
  const quiet = (name: string): LinkOperation => ({
    op: 'sysctl',
    key: `net/ipv6/conf/${name}/disable_ipv6`,
    value: '1',
    optional: true,
  });
  return [
    { op: 'createBridge', name: bridge, mtu, mac, alias: aliasOf(facts.instance, network) },
    quiet(bridge),
    ...planTunnel(network, { mtu, port, local, tunnel, bridge }),
    { op: 'setLink', name: bridge, up: true },
  ];
}

function planTunnel(
  network: NetworkRecord,
  wanted: { mtu: number; port: number; local: string; tunnel: string; bridge: string },
): readonly LinkOperation[] {
  const { mtu, port, local, tunnel: name, bridge } = wanted;
  return [
    { op: 'createVxlan', name, id: numberOf(network), local, port, mtu, bridge },
    { op: 'setLink', name, up: true },
  ];
}

function checkPeer({ mac, addresses, host }: OverlayPeer): void {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw invalid(`invalid MAC address ${mac}`);
  for (const address of [host, ...addresses])
    if (parseIp(address) === undefined) throw invalid(`invalid IP address: ${address}`);
}

export function planPeer(network: NetworkRecord, peer: OverlayPeer): readonly LinkOperation[] {
  checkPeer(peer);
  const name = tunnelOf(network);
  const { mac, addresses, host } = peer;
  return [
    { op: 'addForwarding', name, mac, address: host },
    ...addresses.map((address): LinkOperation => ({ op: 'addNeighbour', name, mac, address })),
  ];
}

export function planPeerRemoval(network: NetworkRecord, peer: OverlayPeer): readonly LinkOperation[] {
  checkPeer(peer);
  const name = tunnelOf(network);
  const { mac, addresses, host } = peer;
  return [
    ...addresses.map((address): LinkOperation => ({ op: 'removeNeighbour', name, address })),
    { op: 'removeForwarding', name, mac, address: host },
  ];
}

/** Peers from what is set on the tunnel. */
export function peersFrom(entries: readonly NeighbourInfo[]): readonly OverlayPeer[] {
  return entries
    .filter(({ kind }) => kind === 'forwarding')
    .map(({ mac, address: host }) => ({
      mac,
      host,
      addresses: entries
        .filter((one) => one.kind === 'neighbour' && one.mac === mac)
        .map(({ address }) => address),
    }));
}
