/** Runs LinkOperations on the calling thread, in its present namespace: each one message and its acknowledgement, so that the list stops at the first error. */

import { writeFileSync } from 'node:fs';
import type { LinkOperation } from '../../core/ports/host.ts';
import { errorCode, fromFault, kernelError, toFault } from '../ffi/kernel-error.ts';
import { libc, readErrno } from '../ffi/libc.ts';
import {
  encodeAddress,
  encodeCreateBridge,
  encodeCreateChild,
  encodeCreateVeth,
  encodeDeleteLink,
  encodeRoute,
  encodeSetBridgePort,
  encodeSetLink,
  type ChildKind,
} from '../netlink/rtnetlink.ts';
import { transact } from '../netlink/socket.ts';
import { encodeCreateVxlan, encodeForwarding, encodeNeighbour } from '../netlink/tunnel.ts';
import { withNamespaceFd } from './namespaces.ts';
import { resolveNamespace } from './thread.ts';

const ENODEV = 19;

function indexOf(name: string): number {
  const index = libc.ifNameToIndex(name);
  if (index === 0) throw kernelError('if_nametoindex', readErrno(), name);
  return index;
}

/** Runs an undoing call: the codes that mean "gone already" are success. */
function unlessGone(codes: readonly string[], undo: () => void): void {
  try {
    undo();
  } catch (error) {
    if (!codes.includes(errorCode(error))) throw error;
  }
}

const sysctlKey = /^[A-Za-z0-9_]+(\/[A-Za-z0-9_.:@-]+)+$/;

function writeSysctl(operation: Extract<LinkOperation, { op: 'sysctl' }>): void {
  if (!sysctlKey.test(operation.key) || operation.key.split('/').includes('..')) {
    throw kernelError('open', 22, `sysctl ${operation.key}`);
  }
  try {
    writeFileSync(`/proc/sys/${operation.key}`, operation.value);
  } catch (error) {
    if (operation.optional === true) return;
    const fault = toFault(error);
    throw fromFault({ ...fault, message: `sysctl ${operation.key}=${operation.value}: ${fault.message}` });
  }
}

function createBridge(fd: number, operation: Extract<LinkOperation, { op: 'createBridge' }>): void {
  transact(fd, encodeCreateBridge(operation), `create bridge ${operation.name}`);
  if (operation.alias === undefined) return;
  // The kernel ignores an alias while it makes a link.
  const message = encodeSetLink({ index: indexOf(operation.name), alias: operation.alias });
  transact(fd, message, `set alias of ${operation.name}`);
}

function createVeth(
  fd: number,
  operation: Extract<LinkOperation, { op: 'createVeth' }>,
  createdFd: number,
): void {
  const bridge = indexOf(operation.bridge);
  withNamespaceFd(resolveNamespace(operation.peer.namespace, createdFd), (namespaceFd) => {
    const peer = { name: operation.peer.name, mac: operation.peer.mac, namespaceFd };
    const message = encodeCreateVeth({ name: operation.name, mtu: operation.mtu, bridge, peer });
    transact(fd, message, `create veth ${operation.name}`);
  });
  if (operation.alias === undefined) return;
  const message = encodeSetLink({ index: indexOf(operation.name), alias: operation.alias });
  transact(fd, message, `set alias of ${operation.name}`);
}

type TunnelOperation = Extract<
  LinkOperation,
  { op: 'createVxlan' | 'addForwarding' | 'removeForwarding' | 'addNeighbour' | 'removeNeighbour' }
>;

function runTunnel(fd: number, operation: TunnelOperation): void {
  const { name } = operation;
  switch (operation.op) {
    case 'createVxlan': {
      const message = encodeCreateVxlan({ ...operation, bridge: indexOf(operation.bridge) });
      return void transact(fd, message, `create vxlan ${name}`);
    }
    case 'addForwarding': {
      const message = encodeForwarding('add', { ...operation, index: indexOf(name) });
      return void transact(fd, message, `forward ${operation.mac} to ${operation.address}`);
    }
    case 'addNeighbour': {
      const message = encodeNeighbour('add', { ...operation, index: indexOf(name) });
      return void transact(fd, message, `neighbour ${operation.address} is ${operation.mac}`);
    }
    case 'removeForwarding':
      return unlessGone(['ENOENT', 'ENODEV'], () => {
        const message = encodeForwarding('remove', { ...operation, index: indexOf(name) });
        transact(fd, message, `forward ${operation.mac} no more`);
      });
    case 'removeNeighbour':
      return unlessGone(['ENOENT', 'ENODEV'], () => {
        const message = encodeNeighbour('remove', { ...operation, index: indexOf(name) });
        transact(fd, message, `forget neighbour ${operation.address}`);
      });
  }
}

type ChildOperation = Extract<
  LinkOperation,
  { op: 'createMacvlan' | 'createIpvlan' | 'createVlan' | 'createDummy' }
>;

function childOf(operation: ChildOperation): ChildKind {
  switch (operation.op) {
    case 'createMacvlan':
      return { kind: 'macvlan', mode: operation.mode };
    case 'createIpvlan':
      return { kind: 'ipvlan', mode: operation.mode, flag: operation.flag };
    case 'createVlan':
      return { kind: 'vlan', id: operation.id };
    case 'createDummy':
      return { kind: 'dummy' };
  }
}

function createChild(fd: number, operation: ChildOperation, createdFd: number): void {
  const child = childOf(operation);
  const parent = 'parent' in operation ? indexOf(operation.parent) : undefined;
  const mac = 'mac' in operation && operation.mac !== '' ? operation.mac : undefined;
  const mtu = 'mtu' in operation ? operation.mtu : undefined;
  const create = (namespaceFd?: number): void => {
    const message = encodeCreateChild({ name: operation.name, child, parent, mac, mtu, namespaceFd });
    transact(fd, message, `create ${child.kind} ${operation.name}`);
  };
  const namespace = 'namespace' in operation ? operation.namespace : undefined;
  if (namespace === undefined) create();
  else withNamespaceFd(resolveNamespace(namespace, createdFd), create);
  if (!('alias' in operation)) return;
  const message = encodeSetLink({ index: indexOf(operation.name), alias: operation.alias });
  transact(fd, message, `set alias of ${operation.name}`);
}

function deleteLink(fd: number, name: string): void {
  const index = libc.ifNameToIndex(name);
  if (index === 0) {
    const errno = readErrno();
    if (errno === ENODEV) return;
    throw kernelError('if_nametoindex', errno, name);
  }
  unlessGone(['ENODEV'], () => transact(fd, encodeDeleteLink(index), `delete link ${name}`));
}

function moveLink(
  fd: number,
  operation: Extract<LinkOperation, { op: 'moveLink' }>,
  createdFd: number,
): void {
  const index = indexOf(operation.name);
  withNamespaceFd(resolveNamespace(operation.namespace, createdFd), (namespaceFd) => {
    const message = encodeSetLink({ index, newName: operation.newName, namespaceFd });
    transact(fd, message, `move link ${operation.name}`);
  });
}

function runRoute(fd: number, operation: Extract<LinkOperation, { op: 'addRoute' | 'removeRoute' }>): void {
  const { destination, gateway, name } = operation;
  const action = operation.op === 'addRoute' ? 'add' : 'remove';
  const run = (): void => {
    const link = name === undefined ? undefined : indexOf(name);
    const metric = operation.op === 'addRoute' ? operation.metric : undefined;
    transact(
      fd,
      encodeRoute(action, { destination, gateway, link, metric }),
      `${action} route ${destination}`,
    );
  };
  if (action === 'add') run();
  else unlessGone(['ESRCH', 'ENODEV'], run);
}

/** `fd` is an rtnetlink socket of the namespace; `createdFd` the namespace that the program made, -1 for none. */
export function runOperation(fd: number, operation: LinkOperation, createdFd: number): void {
  switch (operation.op) {
    case 'createBridge':
      return createBridge(fd, operation);
    case 'createVeth':
      return createVeth(fd, operation, createdFd);
    case 'createMacvlan':
    case 'createIpvlan':
    case 'createVlan':
    case 'createDummy':
      return createChild(fd, operation, createdFd);
    case 'createVxlan':
    case 'addForwarding':
    case 'removeForwarding':
    case 'addNeighbour':
    case 'removeNeighbour':
      return runTunnel(fd, operation);
    case 'deleteLink':
      return deleteLink(fd, operation.name);
    case 'setLink': {
      const message = encodeSetLink({ ...operation, index: indexOf(operation.name) });
      return void transact(fd, message, `set link ${operation.name}`);
    }
    case 'moveLink':
      return moveLink(fd, operation, createdFd);
    case 'addAddress': {
      const message = encodeAddress('add', { ...operation, index: indexOf(operation.name) });
      return void transact(fd, message, `add address ${operation.address} to ${operation.name}`);
    }
    case 'removeAddress':
      return unlessGone(['EADDRNOTAVAIL', 'ENODEV'], () => {
        const message = encodeAddress('remove', { ...operation, index: indexOf(operation.name) });
        transact(fd, message, `remove address ${operation.address} of ${operation.name}`);
      });
    case 'addRoute':
    case 'removeRoute':
      return runRoute(fd, operation);
    case 'sysctl':
      return writeSysctl(operation);
    case 'setBridgePort': {
      const message = encodeSetBridgePort({ ...operation, index: indexOf(operation.name) });
      return void transact(fd, message, `set bridge port ${operation.name}`);
    }
  }
}

/** Runs the list; an error carries the position of the operation, counted from `offset`. */
export function runOperations(
  fd: number,
  operations: readonly LinkOperation[],
  createdFd: number,
  offset = 0,
): void {
  operations.forEach((operation, at) => {
    try {
      runOperation(fd, operation, createdFd);
    } catch (error) {
      throw fromFault({ ...toFault(error), index: offset + at });
    }
  });
}
