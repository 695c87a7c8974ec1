/** What a network thread can be asked, as plain data: the same requests run in the kernel worker and, in slipway-net, on the main thread. */

import type {
  AddressInfo,
  IpsecChange,
  LinkInfo,
  LinkOperation,
  NamespaceRef,
  NeighbourInfo,
  NetworkProgram,
  OpenSocketRequest,
  RouteInfo,
} from '../../core/ports/host.ts';

import { closeQuietly, errorCode } from '../ffi/kernel-error.ts';
import {
  encodeAddressDump,
  encodeLinkDump,
  encodeLinkLookup,
  encodeRouteDump,
  encodeRouteLookup,
  encodeSetLink,
} from '../netlink/rtnetlink.ts';
import { parseAddress, parseLink, parseRoute, parseRouteLookup } from '../netlink/rtnetlink-parse.ts';
import { encodeNeighbourDump, parseNeighbour } from '../netlink/tunnel.ts';
import { dump, openNetlink, netlinkFamily, transact } from '../netlink/socket.ts';
import { nftCalls, runChanges, type NftCalls } from './nft.ts';
import { deleteConntrackHere, type ConntrackFilter } from './conntrack.ts';
import { makeNamespace, inNamespace, openNamespace } from './namespaces.ts';
import { runIpsec } from './ipsec.ts';
import { openSocketHere } from './open-socket.ts';
import { runOperations } from './operations.ts';
import { resolveNamespace, withSocket, type NetworkThread } from './thread.ts';

export interface NetworkCalls extends NftCalls {
  createNetns(): number;
  openNetns(path: string): number;
  link(namespace: NamespaceRef | undefined, operations: readonly LinkOperation[]): void;
  links(namespace: NamespaceRef | undefined, name?: string): LinkInfo[];
  addresses(namespace: NamespaceRef | undefined): AddressInfo[];
  routes(namespace: NamespaceRef | undefined): RouteInfo[];
  neighbours(namespace: NamespaceRef | undefined): NeighbourInfo[];
  ipsec(namespace: NamespaceRef | undefined, changes: readonly IpsecChange[]): void;
  deleteConntrack(filter: ConntrackFilter): number;
  openSocket(namespace: NamespaceRef | undefined, socket: OpenSocketRequest): { fd: number; port: number };
  /** -1 where the program makes no namespace. */
  networkProgram(program: NetworkProgram): number;
  uplinkMtu(): number;
}

const loopbackIndex = 1;

function present<T>(list: readonly (T | undefined)[]): T[] {
  return list.filter((item) => item !== undefined);
}

function createNetns(thread: NetworkThread): number {
  return makeNamespace(thread, () => {
    const fd = openNetlink(netlinkFamily.route);
    try {
      transact(fd, encodeSetLink({ index: loopbackIndex, up: true }), 'raise loopback');
    } finally {
      closeQuietly(fd);
    }
  });
}

function runSteps(thread: NetworkThread, program: NetworkProgram, createdFd: number): void {
  let done = 0;
  for (const { namespace, operations = [], nft = [] } of program.steps) {
    const where = namespace === undefined ? undefined : resolveNamespace(namespace, createdFd);
    const offset = done;
    inNamespace(thread, where, () => {
      if (operations.length > 0) {
        withSocketHere(thread, 'route', where, (fd) => runOperations(fd, operations, createdFd, offset));
      }
      if (nft.length > 0)
        withSocketHere(thread, 'netfilter', where, (fd) => runChanges(fd, nft, offset + operations.length));
    });
    done += operations.length + nft.length;
  }
}

/** As `withSocket` for a thread that is in the namespace already. */
function withSocketHere(
  thread: NetworkThread,
  family: 'route' | 'netfilter',
  where: NamespaceRef | undefined,
  work: (fd: number) => void,
): void {
  if (where === undefined) return work(thread[family]());
  const fd = openNetlink(netlinkFamily[family]);
  try {
    work(fd);
  } finally {
    closeQuietly(fd);
  }
}

function networkProgram(thread: NetworkThread, program: NetworkProgram): number {
  const createdFd = program.createNamespace === true ? createNetns(thread) : -1;
  try {
    runSteps(thread, program, createdFd);
    return createdFd;
  } catch (error) {
    closeQuietly(createdFd);
    throw error;
  }
}

/** With hundreds of interfaces a list of them takes longer than all else that making one more does. */
function findLink(fd: number, name: string): LinkInfo[] {
  try {
    return present(dump(fd, encodeLinkLookup(name), `interface ${name}`).map(parseLink));
  } catch (error) {
    if (errorCode(error) === 'ENODEV') return [];
    throw error;
  }
}

/** Addresses that are never on a local network: only the route to them is looked up, nothing is sent. */
const farAway = ['198.51.100.1', '2001:db8::1'];

function uplinkMtu(fd: number): number {
  const links = present(dump(fd, encodeLinkDump(), 'list links').map(parseLink));
  for (const address of farAway) {
    try {
      const [answer] = dump(fd, encodeRouteLookup(address), `route to ${address}`);
      const index = answer === undefined ? 0 : parseRouteLookup(answer);
      const mtu = links.find((link) => link.index === index && link.name !== 'lo')?.mtu;
      if (mtu !== undefined) return mtu;
    } catch {
      // ENETUNREACH: no default route of this family.
    }
  }
  return 1500;
}

/** The calls of one thread; each leaves the thread in its own namespace or throws LostNamespaceError. */
export function networkCalls(thread: NetworkThread): NetworkCalls {
  const list = <T>(
    namespace: NamespaceRef | undefined,
    request: Uint8Array,
    parse: (message: Parameters<typeof parseLink>[0]) => T | undefined,
  ): T[] =>
    withSocket(thread, 'route', namespace, (fd) => present(dump(fd, request, 'rtnetlink dump').map(parse)));
  return {
    createNetns: () => createNetns(thread),
    openNetns: openNamespace,
    link: (namespace, operations) =>
      withSocket(thread, 'route', namespace, (fd) => runOperations(fd, operations, -1)),
    links: (namespace, name) =>
      name === undefined
        ? list(namespace, encodeLinkDump(), parseLink)
        : withSocket(thread, 'route', namespace, (fd) => findLink(fd, name)),
    addresses: (namespace) => list(namespace, encodeAddressDump(), parseAddress),
    routes: (namespace) => [
      ...list(namespace, encodeRouteDump(4), parseRoute),
      ...list(namespace, encodeRouteDump(6), parseRoute),
    ],
    neighbours: (namespace) =>
      (['bridge', 'inet', 'inet6'] as const).flatMap((of) =>
        list(namespace, encodeNeighbourDump(of), parseNeighbour),
      ),
    ipsec: (namespace, changes) => inNamespace(thread, namespace, () => runIpsec(changes)),
    ...nftCalls(thread),
    deleteConntrack: (filter) => {
      const own = list(undefined, encodeAddressDump(), parseAddress);
      const local = new Set(own.map(({ address }) => address.slice(0, address.indexOf('/'))));
      return deleteConntrackHere(thread.netfilter(), filter, local);
    },
    openSocket: (namespace, socket) => inNamespace(thread, namespace, () => openSocketHere(socket)),
    networkProgram: (program) => networkProgram(thread, program),
    uplinkMtu: () => uplinkMtu(thread.route()),
  };
}
