/** The kernel's answers to rtnetlink dumps as records. Pure. */

import type { AddressInfo, LinkInfo, RouteInfo } from '../../core/ports/host.ts';
import { parseAttributes, readText, readU32, type NetlinkMessage } from './parse.ts';
import { ipText, macText } from './ip.ts';
import { family, ifa, ifla, infoKind, interfaceUp, rta, rtType } from './rtnetlink.ts';

const mainTable = 254;
const unicast = 1;

function needs(message: NetlinkMessage, type: number, head: number): boolean {
  if (message.type !== type) return false;
  if (message.body.length < head) throw new RangeError(`rtnetlink message ${type} is shorter than its head`);
  return true;
}

export function parseLink(message: NetlinkMessage): LinkInfo | undefined {
  if (!needs(message, rtType.newLink, 16)) return undefined;
  const attributes = parseAttributes(message.body, 16);
  const info = attributes.get(ifla.linkInfo);
  return {
    index: message.body.readInt32LE(4),
    name: readText(attributes, ifla.name),
    kind: info === undefined ? '' : readText(parseAttributes(info), infoKind),
    mtu: readU32(attributes, ifla.mtu) ?? 0,
    up: (message.body.readUInt32LE(8) & interfaceUp) !== 0,
    mac: macText(attributes.get(ifla.address) ?? Buffer.alloc(0)),
    master: readU32(attributes, ifla.master) ?? 0,
    alias: readText(attributes, ifla.alias),
  };
}

/** Families other than IPv4 and IPv6 are passed over. */
export function parseAddress(message: NetlinkMessage): AddressInfo | undefined {
  if (!needs(message, rtType.newAddress, 8)) return undefined;
  const of = familyOf(message.body.readUInt8(0));
  const attributes = parseAttributes(message.body, 8);
  // On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL, where there is one, is ours.
  const bytes = attributes.get(ifa.local) ?? attributes.get(ifa.address);
  if (of === undefined || bytes === undefined) return undefined;
  return {
    linkIndex: message.body.readUInt32LE(4),
    address: `${ipText(bytes)}/${message.body.readUInt8(1)}`,
    family: of,
  };
}

/** Unicast routes of the main table; the others (local, broadcast) are the kernel's own. */
export function parseRoute(message: NetlinkMessage): RouteInfo | undefined {
  if (!needs(message, rtType.newRoute, 12)) return undefined;
  const of = familyOf(message.body.readUInt8(0));
  const attributes = parseAttributes(message.body, 12);
  const table = readU32(attributes, rta.table) ?? message.body.readUInt8(4);
  if (of === undefined || table !== mainTable || message.body.readUInt8(7) !== unicast) return undefined;
  const destination = attributes.get(rta.destination);
  const gateway = attributes.get(rta.gateway);
  return {
    family: of,
    destination: `${destination === undefined ? (of === 4 ? '0.0.0.0' : '::') : ipText(destination)}/${message.body.readUInt8(1)}`,
    gateway: gateway === undefined ? '' : ipText(gateway),
    linkIndex: readU32(attributes, rta.outLink) ?? 0,
  };
}

/** The interface that a route lookup's answer names; 0 when it names none. */
export function parseRouteLookup(message: NetlinkMessage): number {
  if (!needs(message, rtType.newRoute, 12)) return 0;
  return readU32(parseAttributes(message.body, 12), rta.outLink) ?? 0;
}

function familyOf(value: number): 4 | 6 | undefined {
  if (value === family.inet) return 4;
  return value === family.inet6 ? 6 : undefined;
}
