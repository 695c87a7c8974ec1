/**
 * Notices what others change in the host's network. Netlink sockets cannot be watched by Node's loop, so the kernel is
 * asked for SIGIO when something arrives, and the handler reads without waiting. Filters in the kernel keep back what
 * every start and stop of a container brings about (interfaces made, our own elements of sets), so that nothing is woken for it.
 */

import type { NetworkChange } from '../../core/ports/host.ts';
import { checked, closeQuietly } from '../ffi/kernel-error.ts';
import { libc, readErrno } from '../ffi/libc.ts';
import { parseMessages, parseAttributes, type NetlinkMessage } from '../netlink/parse.ts';
import {
  AF_NETLINK,
  EAGAIN,
  EINTR,
  MSG_DONTWAIT,
  ownPortBase,
  SOCK_RAW_CLOEXEC,
  SOL_NETLINK,
  netlinkFamily,
} from '../netlink/socket.ts';

const NETLINK_ADD_MEMBERSHIP = 1;
const F_SETFL = 4;
const F_SETOWN = 8;
const O_ASYNC_NONBLOCK = 0o20000 | 0o4000;
const ENOBUFS = 105;

const linkGroup = 1;
const rulesGroup = 7;
const deleteLink = 17;
const bridgeFamily = 7;
const interfaceName = 3;
const interfaceHeadBytes = 16;
const netfilterHeadBytes = 4;
/** The first attribute of tables, chains, rules and sets alike. */
const tableName = 1;

/** Instructions of classic BPF: a byte of the message loaded, compared, and the message taken or dropped. */
const loadByte = (offset: number): Buffer => instruction(0x30, 0, 0, offset);
/** Four bytes, read as if the first were the highest. */
const loadWord = (offset: number): Buffer => instruction(0x20, 0, 0, offset);
const and = (mask: number): Buffer => instruction(0x54, 0, 0, mask);
const jumpIf = (value: number, then: number, otherwise: number): Buffer =>
  instruction(0x15, then, otherwise, value);
const take = instruction(0x06, 0, 0, 0xffffffff);
const drop = instruction(0x06, 0, 0, 0);

function instruction(code: number, jumpTrue: number, jumpFalse: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(jumpTrue, 2);
  bytes.writeUInt8(jumpFalse, 3);
  bytes.writeUInt32LE(value, 4);
  return bytes;
}

/** Low byte of the message's type, and the family of an interface message, within struct nlmsghdr and what follows. */
const typeByte = 4;
const portWord = 12;
const familyByte = 16;

/** Interfaces deleted; not ports that left a bridge, which are told as messages of the bridge family. */
const onlyDeletedLinks = [
  loadByte(typeByte),
  jumpIf(deleteLink, 0, 2),
  loadByte(familyByte),
  jumpIf(bridgeFamily, 0, 1),
  drop,
  take,
];
const newElements = 12;
const deletedElements = 14;
const transaction = 15;

/** The sender of a change, as `loadWord` sees it, without the lowest byte, which tells our threads apart. */
function ownPort(): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(ownPortBase);
  return bytes.readUInt32BE(0) & 0x00ffffff;
}

/** Not the number of each transaction, nor elements of sets where they are our own doing. */
const onlyRules = [
  loadByte(typeByte),
  jumpIf(transaction, 6, 0),
  jumpIf(newElements, 1, 0),
  jumpIf(deletedElements, 0, 3),
  loadWord(portWord),
  and(0x00ffffff),
  jumpIf(ownPort(), 1, 0),
  take,
  drop,
];

const receiveBuffer = Buffer.alloc(64 * 1024);

function openWatch(family: number, group: number, filter: readonly Buffer[]): number {
  const fd = checked(libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, family), 'socket', 'netlink');
  try {
    checked(libc.attachFilter(fd, filter.length, Buffer.concat(filter)), 'setsockopt', 'netlink filter');
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK);
    checked(libc.bind(fd, address, address.length), 'bind', 'netlink');
    const number = Buffer.alloc(4);
    number.writeInt32LE(group);
    checked(
      libc.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, number, number.length),
      'setsockopt',
      `netlink group ${group}`,
    );
    checked(libc.fcntl(fd, F_SETOWN, process.pid), 'fcntl', 'netlink owner');
    checked(libc.fcntl(fd, F_SETFL, O_ASYNC_NONBLOCK), 'fcntl', 'netlink');
    return fd;
  } catch (error) {
    closeQuietly(fd);
    throw error;
  }
}

function changeOf(message: NetlinkMessage): NetworkChange | undefined {
  const isRules = message.type >> 8 !== 0;
  const head = isRules ? netfilterHeadBytes : interfaceHeadBytes;
  const attributes = parseAttributes(message.body, head);
  const name = attributes
    .get(isRules ? tableName : interfaceName)
    ?.toString('utf8')
    .replace(/\0.*$/s, '');
  if (name === undefined) return undefined;
  const isElements = isRules && [newElements, deletedElements].includes(message.type & 0xff);
  if (isElements) return { kind: 'elements', table: name };
  if (isRules) return { kind: 'rules', table: name };
  return message.type === deleteLink ? { kind: 'linkDeleted', name } : undefined;
}

/** Everything that waits on a socket. */
function drain(fd: number): NetworkChange[] {
  const changes: NetworkChange[] = [];
  for (;;) {
    const length = libc.recv(fd, receiveBuffer, receiveBuffer.length, MSG_DONTWAIT);
    if (length >= 0) {
      const messages = parseMessages(Buffer.from(receiveBuffer.subarray(0, length)));
      changes.push(...messages.flatMap((message) => changeOf(message) ?? []));
      continue;
    }
    const errno = readErrno();
    if (errno === EINTR) continue;
    if (errno === ENOBUFS) {
      changes.push({ kind: 'lost' });
      continue;
    }
    if (errno !== EAGAIN) changes.push({ kind: 'lost' });
    return changes;
  }
}

/** Without nf_tables in the kernel there are no rules to watch. */
function openBoth(): number[] {
  const fds = [openWatch(netlinkFamily.route, linkGroup, onlyDeletedLinks)];
  try {
    fds.push(openWatch(netlinkFamily.netfilter, rulesGroup, onlyRules));
  } catch {
    // The engine says at its start what the kernel lacks.
  }
  return fds;
}

export interface NetworkWatch {
  listen(listener: (changes: readonly NetworkChange[]) => void): () => void;
  close(): void;
}

/** Of the namespace of the calling thread, which must be the main thread in the host's own. */
export function createNetworkWatch(): NetworkWatch {
  const listeners = new Set<(changes: readonly NetworkChange[]) => void>();
  let fds: number[] = [];
  const read = (): void => {
    const changes = fds.flatMap(drain);
    if (changes.length > 0) for (const listener of listeners) listener(changes);
  };
  const stop = (): void => {
    process.off('SIGIO', read);
    for (const fd of fds.splice(0)) closeQuietly(fd);
  };
  return {
    listen(listener) {
      if (fds.length === 0) {
        // The handler first: by default SIGIO ends a process.
        process.on('SIGIO', read);
        fds = openBoth();
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) stop();
      };
    },
    close() {
      listeners.clear();
      stop();
    },
  };
}
