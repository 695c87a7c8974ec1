/**
 * Notices what others change in the host's network. Netlink sockets cannot be watched by Node's loop, so the kernel is
 * asked for SIGIO when something arrives, and the handler reads without waiting. Filters in the kernel keep back what
 * every start and stop of a container brings about (interfaces made, elements of sets), so that nothing is woken for it.
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
/** Neither elements of sets (12, 14) nor the number of each transaction (15). */
const onlyRules = [loadByte(typeByte), jumpIf(12, 3, 0), jumpIf(14, 2, 0), jumpIf(15, 1, 0), take, drop];

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
