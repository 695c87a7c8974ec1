/** The Host's network calls on fake namespaces. */

import type { Host, LinkOperation, NamespaceRef, NetworkProgram } from '../../../../src/core/ports/host.ts';
import type { NftChange } from '../../../../src/core/ports/nft.ts';
import type { DescriptorTable } from './descriptors.ts';
import { atIndex, indexOf, kernelFailure } from './errors.ts';
import type { NamespaceTable } from './namespaces.ts';
import {
  fakeAddresses,
  fakeLinks,
  fakeNeighbours,
  fakeRoutes,
  runFakeOperation,
  type FakeNamespace,
} from './network.ts';

type NetworkCalls = Pick<
  Host,
  | 'createNetns'
  | 'openNetns'
  | 'link'
  | 'links'
  | 'addresses'
  | 'routes'
  | 'neighbours'
  | 'ipsec'
  | 'nftApply'
  | 'nftElements'
  | 'nftChains'
  | 'nftRules'
  | 'deleteConntrack'
  | 'openSocket'
  | 'networkProgram'
>;

function runOperations(
  namespace: FakeNamespace,
  operations: readonly LinkOperation[],
  find: ReturnType<NamespaceTable['findIn']>,
  offset: number,
): void {
  operations.forEach((operation, at) => {
    try {
      runFakeOperation(namespace, operation, find);
    } catch (error) {
      throw atIndex(error, offset + at);
    }
  });
}

function applyChanges(namespace: FakeNamespace, changes: readonly NftChange[], offset: number): void {
  try {
    namespace.nft.apply(changes);
  } catch (error) {
    throw atIndex(error, offset + indexOf(error));
  }
}

function runProgram(
  namespaces: NamespaceTable,
  program: NetworkProgram,
): { fd: number; path: string } | undefined {
  const made = program.createNamespace === true ? namespaces.create() : undefined;
  const find = namespaces.findIn(made?.fd ?? -1);
  let done = 0;
  try {
    for (const { namespace: where, operations = [], nft = [] } of program.steps) {
      const namespace = where === undefined ? namespaces.home : find(where);
      runOperations(namespace, operations, find, done);
      applyChanges(namespace, nft, done + operations.length);
      done += operations.length + nft.length;
    }
    return made;
  } catch (error) {
    if (made !== undefined) namespaces.close(made.fd);
    throw error;
  }
}

const firstFreePort = 32768;

function socketOpener(namespaces: NamespaceTable, descriptors: DescriptorTable): Host['openSocket'] {
  let lastPort = firstFreePort;
  return async (ref, request) => {
    const { sockets } = namespaces.find(ref);
    const port = request.port === 0 ? ++lastPort : request.port;
    const name = (address: string): string => `${request.type} ${address} ${port}`;
    const wildcard = request.address.includes(':') ? '::' : '0.0.0.0';
    const clashes =
      request.address === wildcard
        ? [...sockets].some((bound) => bound.startsWith(`${request.type} `) && bound.endsWith(` ${port}`))
        : sockets.has(name(request.address)) || sockets.has(name(wildcard));
    if (clashes) throw kernelFailure('bind', 'EADDRINUSE', name(request.address));
    sockets.add(name(request.address));
    const release = (): void => void sockets.delete(name(request.address));
    return { fd: descriptors.open({ kind: 'socket', release }), port };
  };
}

export function fakeNetworkCalls(namespaces: NamespaceTable, descriptors: DescriptorTable): NetworkCalls {
  const find = (ref: NamespaceRef | undefined): FakeNamespace => namespaces.find(ref);
  return {
    createNetns: async () => namespaces.create(),
    openNetns: async (path) => namespaces.open(find({ path })),
    link: async (ref, operations) => runOperations(find(ref), operations, namespaces.findIn(-1), 0),
    links: async (ref) => fakeLinks(find(ref)),
    addresses: async (ref) => fakeAddresses(find(ref)),
    routes: async (ref) => fakeRoutes(find(ref)),
    neighbours: async (ref) => fakeNeighbours(find(ref)),
    // Nothing of it shows in what the fake is asked.
    ipsec: async () => {},
    nftApply: async (ref, changes) => find(ref).nft.apply(changes),
    nftElements: async (ref, set) => find(ref).nft.elements(set),
    nftChains: async (ref) => find(ref).nft.chains(),
    nftRules: async (ref, chain) => find(ref).nft.rules(chain),
    deleteConntrack: async () => 0,
    openSocket: socketOpener(namespaces, descriptors),
    networkProgram: async (program) => runProgram(namespaces, program),
  };
}
