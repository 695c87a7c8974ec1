/** Encoders of rtnetlink: links, addresses, routes. Pure; layouts are those of linux/rtnetlink.h and linux/if_link.h. */

import { invalid } from '../../core/errors.ts';
import { attribute, container, flag, message, nested, text, u16, u32, u8 } from './attributes.ts';
import { broadcastOf, ipBytes, macBytes, parsePrefix } from './ip.ts';

export const rtType = {
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
} as const;

export const ifla = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  protocolInfo: 12,
  linkInfo: 18,
  alias: 20,
  namespaceFd: 28,
  extMask: 29,
  sendQueues: 31,
  receiveQueues: 32,
} as const;
export const infoKind = 1;
const infoData = 2;
const vethPeer = 1;
const bridgePort = { hairpin: 4, isolated: 33 } as const;
export const ifa = { address: 1, local: 2, broadcast: 4, flags: 8 } as const;
export const rta = { destination: 1, outLink: 4, gateway: 5, priority: 6, metrics: 8, table: 15 } as const;

export const family = { any: 0, inet: 2, bridge: 7, inet6: 10 } as const;
export const interfaceUp = 1;
const noDuplicateDetection = 0x02;
const mainTable = 254;
const bootProtocol = 3;
const scope = { universe: 0, link: 253 } as const;
const unicast = 1;

const change = flag.request | flag.ack;
const make = change | flag.create | flag.exclusive;

/** Longest name of an interface (IFNAMSIZ less its zero byte) and longest alias. */
const longestName = 15;
const longestAlias = 255;

function nameAttribute(name: string): Buffer {
  if (name === '' || Buffer.byteLength(name) > longestName || /[\s/:]/.test(name)) {
    throw invalid(`invalid interface name: ${name}`);
  }
  return attribute(ifla.name, text(name));
}

function aliasAttribute(alias: string): Buffer {
  if (Buffer.byteLength(alias) > longestAlias) throw invalid(`interface alias is too long: ${alias}`);
  return attribute(ifla.alias, Buffer.from(alias, 'utf8'));
}

/** struct ifinfomsg. `up` raises or lowers the interface; undefined leaves it. */
function linkHead(input: { index?: number; up?: boolean | undefined; family?: number }): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(input.family ?? family.any, 0);
  bytes.writeInt32LE(input.index ?? 0, 4);
  bytes.writeUInt32LE(input.up === true ? interfaceUp : 0, 8);
  bytes.writeUInt32LE(input.up === undefined ? 0 : interfaceUp, 12);
  return bytes;
}

const optional = <T>(value: T | undefined, encode: (value: T) => Buffer): Buffer[] =>
  value === undefined ? [] : [encode(value)];

export function encodeCreateBridge(input: {
  name: string;
  mtu: number;
  mac?: string | undefined;
  alias?: string | undefined;
}): Buffer {
  return message(
    rtType.newLink,
    make,
    linkHead({}),
    nameAttribute(input.name),
    attribute(ifla.mtu, u32(input.mtu)),
    ...optional(input.mac, (mac) => attribute(ifla.address, macBytes(mac))),
    container(ifla.linkInfo, attribute(infoKind, Buffer.from('bridge'))),
  );
}

/** One queue each way: the kernel's default is one a CPU, whose sysfs entries take a third of the time; a veth has no use for more. */
const oneQueue = [attribute(ifla.sendQueues, u32(1)), attribute(ifla.receiveQueues, u32(1))];

/** The host's end is made down: raising an end before both exist fails with ENOTCONN. `bridge` and `namespaceFd` are resolved by the caller. */
export function encodeCreateVeth(input: {
  name: string;
  mtu: number;
  bridge: number;
  peer: { name: string; mac: string; namespaceFd: number };
}): Buffer {
  const peer = container(
    vethPeer,
    linkHead({}),
    nameAttribute(input.peer.name),
    attribute(ifla.mtu, u32(input.mtu)),
    attribute(ifla.address, macBytes(input.peer.mac)),
    attribute(ifla.namespaceFd, u32(input.peer.namespaceFd)),
    ...oneQueue,
  );
  return message(
    rtType.newLink,
    make,
    linkHead({}),
    nameAttribute(input.name),
    attribute(ifla.mtu, u32(input.mtu)),
    attribute(ifla.master, u32(input.bridge)),
    ...oneQueue,
    container(ifla.linkInfo, attribute(infoKind, Buffer.from('veth')), container(infoData, peer)),
  );
}

const macvlanMode = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
const ipvlanMode = { l2: 0, l3: 1, l3s: 2 } as const;
const ipvlanFlag = { bridge: 0, private: 1, vepa: 2 } as const;

/** What is made on top of a parent: kind and attributes of its own. */
export type ChildKind =
  | { readonly kind: 'macvlan'; readonly mode: keyof typeof macvlanMode }
  | {
      readonly kind: 'ipvlan';
      readonly mode: keyof typeof ipvlanMode;
      readonly flag: keyof typeof ipvlanFlag;
    }
  | { readonly kind: 'vlan'; readonly id: number }
  | { readonly kind: 'dummy' };

function childData(child: ChildKind): Buffer[] {
  switch (child.kind) {
    case 'macvlan':
      return [attribute(1, u32(macvlanMode[child.mode]))];
    case 'ipvlan':
      return [attribute(1, u16(ipvlanMode[child.mode])), attribute(2, u16(ipvlanFlag[child.flag]))];
    case 'vlan':
      return [attribute(1, u16(child.id))];
    case 'dummy':
      return [];
  }
}

/** `parent` is an index in the socket's namespace, also where the interface goes into another one. */
export function encodeCreateChild(input: {
  name: string;
  child: ChildKind;
  parent?: number | undefined;
  mac?: string | undefined;
  mtu?: number | undefined;
  namespaceFd?: number | undefined;
}): Buffer {
  const data = childData(input.child);
  return message(
    rtType.newLink,
    make,
    linkHead({}),
    nameAttribute(input.name),
    ...optional(input.parent, (index) => attribute(ifla.link, u32(index))),
    ...optional(input.mac, (mac) => attribute(ifla.address, macBytes(mac))),
    ...optional(input.mtu, (mtu) => attribute(ifla.mtu, u32(mtu))),
    ...optional(input.namespaceFd, (fd) => attribute(ifla.namespaceFd, u32(fd))),
    container(
      ifla.linkInfo,
      attribute(infoKind, Buffer.from(input.child.kind)),
      ...(data.length === 0 ? [] : [container(infoData, ...data)]),
    ),
  );
}

export function encodeDeleteLink(index: number): Buffer {
  return message(rtType.deleteLink, change, linkHead({ index }));
}

export function encodeSetLink(input: {
  index: number;
  up?: boolean | undefined;
  mtu?: number | undefined;
  newName?: string | undefined;
  mac?: string | undefined;
  alias?: string | undefined;
  namespaceFd?: number | undefined;
}): Buffer {
  return message(
    rtType.newLink,
    change,
    linkHead({ index: input.index, up: input.up }),
    ...optional(input.newName, nameAttribute),
    ...optional(input.mtu, (mtu) => attribute(ifla.mtu, u32(mtu))),
    ...optional(input.mac, (mac) => attribute(ifla.address, macBytes(mac))),
    ...optional(input.alias, aliasAttribute),
    ...optional(input.namespaceFd, (fd) => attribute(ifla.namespaceFd, u32(fd))),
  );
}

export function encodeSetBridgePort(input: {
  index: number;
  hairpin?: boolean | undefined;
  isolated?: boolean | undefined;
}): Buffer {
  return message(
    rtType.setLink,
    change,
    linkHead({ index: input.index, family: family.bridge }),
    nested(
      ifla.protocolInfo,
      ...optional(input.hairpin, (on) => attribute(bridgePort.hairpin, u8(on ? 1 : 0))),
      ...optional(input.isolated, (on) => attribute(bridgePort.isolated, u8(on ? 1 : 0))),
    ),
  );
}

/** struct ifaddrmsg and its attributes. Adding what is there already is not an error. */
export function encodeAddress(
  action: 'add' | 'remove',
  input: { index: number; address: string; noDad?: boolean | undefined },
): Buffer {
  const prefix = parsePrefix(input.address);
  const head = Buffer.alloc(8);
  head.writeUInt8(prefix.family === 4 ? family.inet : family.inet6, 0);
  head.writeUInt8(prefix.length, 1);
  head.writeUInt32LE(input.index, 4);
  const broadcast = action === 'add' ? broadcastOf(prefix) : undefined;
  return message(
    action === 'add' ? rtType.newAddress : rtType.deleteAddress,
    action === 'add' ? change | flag.create | flag.replace : change,
    head,
    attribute(ifa.local, prefix.address),
    attribute(ifa.address, prefix.address),
    ...optional(broadcast, (bytes) => attribute(ifa.broadcast, bytes)),
    ...(input.noDad === true ? [attribute(ifa.flags, u32(noDuplicateDetection))] : []),
  );
}

/** struct rtmsg and its attributes: a unicast route of the main table. */
export function encodeRoute(
  action: 'add' | 'remove',
  input: {
    destination: string;
    gateway?: string | undefined;
    link?: number | undefined;
    metric?: number | undefined;
  },
): Buffer {
  const prefix = parsePrefix(input.destination);
  const gateway = input.gateway === undefined ? undefined : ipBytes(input.gateway);
  if (gateway !== undefined && gateway.length !== prefix.address.length) {
    throw invalid(`gateway ${input.gateway} and destination ${input.destination} are of different families`);
  }
  const head = Buffer.alloc(12);
  head.writeUInt8(prefix.family === 4 ? family.inet : family.inet6, 0);
  head.writeUInt8(prefix.length, 1);
  head.writeUInt8(mainTable, 4);
  head.writeUInt8(action === 'add' ? bootProtocol : 0, 5);
  head.writeUInt8(gateway === undefined && prefix.family === 4 ? scope.link : scope.universe, 6);
  head.writeUInt8(action === 'add' ? unicast : 0, 7);
  return message(
    action === 'add' ? rtType.newRoute : rtType.deleteRoute,
    action === 'add' ? make : change,
    head,
    ...(prefix.length === 0 ? [] : [attribute(rta.destination, prefix.address)]),
    ...optional(gateway, (bytes) => attribute(rta.gateway, bytes)),
    ...optional(input.link, (index) => attribute(rta.outLink, u32(index))),
    ...optional(input.metric, (metric) => attribute(rta.priority, u32(metric))),
  );
}

const dump = flag.request | flag.dump;

/** RTEXT_FILTER_SKIP_STATS. */
const skipStatistics = 8;
/** Counters are most of what the kernel tells of an interface, and nobody here asks for them. */
const withoutCounters = (): Buffer => attribute(ifla.extMask, u32(skipStatistics));

export function encodeLinkDump(): Buffer {
  return message(rtType.getLink, dump, linkHead({}), withoutCounters());
}

/** One interface: answered by one message, or refused with ENODEV. */
export function encodeLinkLookup(name: string): Buffer {
  return message(
    rtType.getLink,
    flag.request,
    linkHead({}),
    attribute(ifla.name, text(name)),
    withoutCounters(),
  );
}

export function encodeAddressDump(): Buffer {
  return message(rtType.getAddress, dump, Buffer.alloc(8));
}

export function encodeRouteDump(of: 4 | 6): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt8(of === 4 ? family.inet : family.inet6, 0);
  return message(rtType.getRoute, dump, head);
}

/** Which way a packet to `address` leaves: answered by one route message. */
export function encodeRouteLookup(address: string): Buffer {
  const bytes = ipBytes(address);
  const head = Buffer.alloc(12);
  head.writeUInt8(bytes.length === 4 ? family.inet : family.inet6, 0);
  head.writeUInt8(bytes.length * 8, 1);
  return message(rtType.getRoute, flag.request, head, attribute(rta.destination, bytes));
}
