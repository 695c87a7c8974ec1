/** Namespaces, links, addresses and routes of a fake kernel. */

import type {
  AddressInfo,
  LinkInfo,
  LinkOperation,
  NeighbourInfo,
  RouteInfo,
} from '../../../../src/core/ports/host.ts';
import { ipBytes, ipText, parsePrefix, type Prefix } from '../../../../src/host/netlink/ip.ts';
import { kernelFailure } from './errors.ts';
import { createFakeTables, type FakeTables } from './nft.ts';

interface FakeLink {
  info: LinkInfo;
  addresses: Prefix[];
  peer: { namespace: FakeNamespace; link: FakeLink } | undefined;
  hairpin: boolean;
  isolated: boolean;
  /** By kind and what is looked up. */
  neighbours: Map<string, Omit<NeighbourInfo, 'linkIndex'>>;
}

interface FakeRoute {
  readonly destination: string;
  readonly gateway: string;
  readonly link: FakeLink;
}

export interface FakeNamespace {
  readonly id: number;
  readonly links: Map<string, FakeLink>;
  readonly routes: FakeRoute[];
  readonly sysctls: Map<string, string>;
  readonly nft: FakeTables;
  /** `tcp 10.0.0.1 80`: bound sockets. */
  readonly sockets: Set<string>;
  nextIndex: number;
}

function addLink(namespace: FakeNamespace, info: Omit<LinkInfo, 'index'>): FakeLink {
  if (namespace.links.has(info.name)) throw kernelFailure('netlink', 'EEXIST', `create link ${info.name}`);
  const link: FakeLink = {
    info: { ...info, index: namespace.nextIndex++ },
    addresses: [],
    peer: undefined,
    hairpin: false,
    isolated: false,
    neighbours: new Map(),
  };
  namespace.links.set(info.name, link);
  return link;
}

const fresh = { up: false, master: 0, alias: '' } as const;

export function createFakeNamespace(id: number): FakeNamespace {
  const namespace: FakeNamespace = {
    id,
    links: new Map(),
    routes: [],
    sysctls: new Map(),
    nft: createFakeTables(),
    sockets: new Set(),
    nextIndex: 1,
  };
  const lo = addLink(namespace, { ...fresh, name: 'lo', kind: '', mtu: 65536, mac: '00:00:00:00:00:00' });
  lo.info = { ...lo.info, up: true };
  lo.addresses = [parsePrefix('127.0.0.1/8'), parsePrefix('::1/128')];
  return namespace;
}

function find(namespace: FakeNamespace, name: string): FakeLink {
  const link = namespace.links.get(name);
  if (link === undefined) throw kernelFailure('if_nametoindex', 'ENODEV', name);
  return link;
}

function deleteLink(namespace: FakeNamespace, name: string): void {
  const link = namespace.links.get(name);
  if (link === undefined) return;
  namespace.links.delete(name);
  for (let at = namespace.routes.length - 1; at >= 0; at--) {
    if (namespace.routes[at]?.link === link) namespace.routes.splice(at, 1);
  }
  for (const other of namespace.links.values()) {
    if (other.info.master === link.info.index) other.info = { ...other.info, master: 0 };
  }
  const { peer } = link;
  link.peer = undefined;
  if (peer === undefined) return;
  peer.link.peer = undefined;
  deleteLink(peer.namespace, peer.link.info.name);
}

/** What the kernel does when the last descriptor of a namespace is closed and nobody runs in it. */
export function destroyNamespace(namespace: FakeNamespace): void {
  for (const name of namespace.links.keys()) deleteLink(namespace, name);
}

const sameAddress = (a: Prefix, b: Prefix): boolean => a.length === b.length && a.address.equals(b.address);

function network(prefix: Prefix): string {
  const bytes = Buffer.from(prefix.address);
  for (let at = 0; at < bytes.length; at++) {
    const kept = Math.min(8, Math.max(0, prefix.length - at * 8));
    bytes[at] = (bytes[at] ?? 0) & (0xff << (8 - kept));
  }
  return `${ipText(bytes)}/${prefix.length}`;
}

const covers = (prefix: Prefix, address: Buffer): boolean =>
  prefix.address.length === address.length && network({ ...prefix, address }) === network(prefix);

function linkTowards(namespace: FakeNamespace, gateway: string): FakeLink {
  const address = ipBytes(gateway);
  for (const link of namespace.links.values()) {
    if (link.info.up && link.addresses.some((prefix) => covers(prefix, address))) return link;
  }
  throw kernelFailure('netlink', 'ENETUNREACH', `add route via ${gateway}`);
}

function addRoute(namespace: FakeNamespace, operation: Extract<LinkOperation, { op: 'addRoute' }>): void {
  const { destination, gateway = '', name } = operation;
  const link =
    name !== undefined ? find(namespace, name) : gateway === '' ? undefined : linkTowards(namespace, gateway);
  if (link === undefined) throw kernelFailure('netlink', 'ENODEV', `add route ${destination}`);
  if (!link.info.up) throw kernelFailure('netlink', 'ENETDOWN', `add route ${destination}`);
  const canonical = network(parsePrefix(destination));
  if (namespace.routes.some((route) => route.destination === canonical)) {
    throw kernelFailure('netlink', 'EEXIST', `add route ${destination}`);
  }
  namespace.routes.push({ destination: canonical, gateway, link });
}

function rename(namespace: FakeNamespace, link: FakeLink, name: string): void {
  if (namespace.links.has(name)) throw kernelFailure('netlink', 'EEXIST', `rename to ${name}`);
  namespace.links.delete(link.info.name);
  link.info = { ...link.info, name };
  namespace.links.set(name, link);
}

function createVeth(
  namespace: FakeNamespace,
  operation: Extract<LinkOperation, { op: 'createVeth' }>,
  peerNamespace: FakeNamespace,
): void {
  const bridge = find(namespace, operation.bridge);
  if (peerNamespace.links.has(operation.peer.name)) {
    throw kernelFailure('netlink', 'EEXIST', `create veth ${operation.peer.name}`);
  }
  const { name, mtu, alias = '', peer } = operation;
  const near = addLink(namespace, { ...fresh, name, kind: 'veth', mtu, mac: '02:00:00:00:00:01', alias });
  near.info = { ...near.info, master: bridge.info.index };
  const far = addLink(peerNamespace, { ...fresh, name: peer.name, kind: 'veth', mtu, mac: peer.mac });
  near.peer = { namespace: peerNamespace, link: far };
  far.peer = { namespace, link: near };
}

function moveLink(from: FakeNamespace, to: FakeNamespace, name: string, newName: string): void {
  const link = find(from, name);
  if (to.links.has(newName)) throw kernelFailure('netlink', 'EEXIST', `move link ${name}`);
  from.links.delete(name);
  link.info = { ...link.info, name: newName, index: to.nextIndex++, master: 0, up: false };
  link.addresses = [];
  to.links.set(newName, link);
  if (link.peer?.link.peer !== undefined) link.peer.link.peer = { namespace: to, link };
}

/** `resolve` finds the namespace that an operation names. */
export function runFakeOperation(
  namespace: FakeNamespace,
  operation: LinkOperation,
  resolve: (ref: Extract<LinkOperation, { op: 'moveLink' }>['namespace']) => FakeNamespace,
): void {
  switch (operation.op) {
    case 'createBridge': {
      const { name, mtu, mac = '02:00:00:00:00:00', alias = '' } = operation;
      return void addLink(namespace, { ...fresh, name, kind: 'bridge', mtu, mac, alias });
    }
    case 'createVeth':
      return createVeth(namespace, operation, resolve(operation.peer.namespace));
    case 'createMacvlan':
    case 'createIpvlan': {
      const parent = find(namespace, operation.parent);
      const { name, mtu = parent.info.mtu } = operation;
      const mac = 'mac' in operation && operation.mac !== '' ? operation.mac : parent.info.mac;
      const kind = operation.op === 'createMacvlan' ? 'macvlan' : 'ipvlan';
      const into = operation.namespace === undefined ? namespace : resolve(operation.namespace);
      return void addLink(into, { ...fresh, name, kind, mtu, mac });
    }
    case 'createVlan':
    case 'createDummy': {
      const kind = operation.op === 'createVlan' ? 'vlan' : 'dummy';
      if ('parent' in operation) find(namespace, operation.parent);
      const { name, alias } = operation;
      return void addLink(namespace, { ...fresh, name, kind, mtu: 1500, mac: '02:00:00:00:00:02', alias });
    }
    case 'createVxlan': {
      const bridge = find(namespace, operation.bridge);
      const { name, mtu } = operation;
      const made = addLink(namespace, { ...fresh, name, kind: 'vxlan', mtu, mac: '02:00:00:00:00:03' });
      made.info = { ...made.info, master: bridge.info.index };
      return;
    }
    case 'addForwarding':
    case 'addNeighbour': {
      const kind = operation.op === 'addForwarding' ? 'forwarding' : 'neighbour';
      const { mac, address } = operation;
      const key = kind === 'forwarding' ? mac : address;
      find(namespace, operation.name).neighbours.set(`${kind} ${key}`, { kind, mac, address });
      return;
    }
    case 'removeForwarding':
      return void namespace.links.get(operation.name)?.neighbours.delete(`forwarding ${operation.mac}`);
    case 'removeNeighbour':
      return void namespace.links.get(operation.name)?.neighbours.delete(`neighbour ${operation.address}`);
    case 'deleteLink':
      return deleteLink(namespace, operation.name);
    case 'setLink': {
      const link = find(namespace, operation.name);
      const { up = link.info.up, mtu = link.info.mtu, mac = link.info.mac, newName } = operation;
      link.info = { ...link.info, up, mtu, mac };
      if (newName !== undefined && newName !== link.info.name) rename(namespace, link, newName);
      return;
    }
    case 'moveLink': {
      const { name, newName = name } = operation;
      return moveLink(namespace, resolve(operation.namespace), name, newName);
    }
    case 'addAddress': {
      const link = find(namespace, operation.name);
      const prefix = parsePrefix(operation.address);
      if (!link.addresses.some((known) => sameAddress(known, prefix))) link.addresses.push(prefix);
      return;
    }
    case 'removeAddress': {
      const link = namespace.links.get(operation.name);
      const prefix = parsePrefix(operation.address);
      if (link !== undefined) link.addresses = link.addresses.filter((known) => !sameAddress(known, prefix));
      return;
    }
    case 'addRoute':
      return addRoute(namespace, operation);
    case 'removeRoute': {
      const destination = network(parsePrefix(operation.destination));
      const at = namespace.routes.findIndex((route) => route.destination === destination);
      if (at !== -1) namespace.routes.splice(at, 1);
      return;
    }
    case 'sysctl':
      return void namespace.sysctls.set(operation.key, operation.value);
    case 'setBridgePort': {
      const link = find(namespace, operation.name);
      if (link.info.master === 0)
        throw kernelFailure('netlink', 'EINVAL', `set bridge port ${operation.name}`);
      link.hairpin = operation.hairpin ?? link.hairpin;
      link.isolated = operation.isolated ?? link.isolated;
    }
  }
}

export function fakeLinks(namespace: FakeNamespace): LinkInfo[] {
  return [...namespace.links.values()].map(({ info }) => info).sort((a, b) => a.index - b.index);
}

export function fakeNeighbours(namespace: FakeNamespace): NeighbourInfo[] {
  return [...namespace.links.values()].flatMap(({ info, neighbours }) =>
    [...neighbours.values()].map((one) => ({ ...one, linkIndex: info.index })),
  );
}

const textOf = (prefix: Prefix): string => `${ipText(prefix.address)}/${prefix.length}`;

export function fakeAddresses(namespace: FakeNamespace): AddressInfo[] {
  return [...namespace.links.values()].flatMap(({ info, addresses }) =>
    addresses.map((prefix) => ({ linkIndex: info.index, address: textOf(prefix), family: prefix.family })),
  );
}

/** Those that were added, and one to the network of each address of a raised link. */
export function fakeRoutes(namespace: FakeNamespace): RouteInfo[] {
  const added = namespace.routes.map(({ destination, gateway, link }) => ({
    family: parsePrefix(destination).family,
    destination,
    gateway,
    linkIndex: link.info.index,
  }));
  const connected = [...namespace.links.values()]
    .filter(({ info }) => info.up && info.name !== 'lo')
    .flatMap(({ info, addresses }) =>
      addresses.map((prefix) => ({
        family: prefix.family,
        destination: network(prefix),
        gateway: '',
        linkIndex: info.index,
      })),
    );
  return [...added, ...connected];
}
