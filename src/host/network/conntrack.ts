/** Forgets tracked connections to a port of the host: a UDP flow would go on to the container that had the port before. */

import type { Host } from '../../core/ports/host.ts';
import { errorCode } from '../ffi/kernel-error.ts';
import { encodeConntrackDelete, encodeConntrackDump, parseConnection } from '../netlink/conntrack.ts';
import { ipBytes, ipText } from '../netlink/ip.ts';
import { dump, transact } from '../netlink/socket.ts';

export type ConntrackFilter = Parameters<Host['deleteConntrack']>[0];

const protocolNumber = { tcp: 6, udp: 17, sctp: 132 } as const;

const bothFamilies = 0;

/** A kernel without connection tracking over netlink has no entries that we could delete. */
const absent = ['EOPNOTSUPP', 'ENOTSUP', 'EINVAL'];

/**
 * `fd` is an nfnetlink socket of the namespace, `local` the namespace's own addresses: a connection to the same port of
 * another machine is none of ours. Answers how many entries were deleted.
 */
export function deleteConntrackHere(fd: number, filter: ConntrackFilter, local: ReadonlySet<string>): number {
  const protocol = protocolNumber[filter.protocol];
  const address = filter.hostIp === undefined ? undefined : ipText(ipBytes(filter.hostIp));
  const ports = new Set([filter.hostPort].flat());
  let deleted = 0;
  for (const answer of entries(fd)) {
    const connection = parseConnection(answer);
    if (connection?.protocol !== protocol || !ports.has(connection.destinationPort)) continue;
    const to = connection.destination;
    if (address === undefined ? !local.has(to) && !to.startsWith('127.') : to !== address) continue;
    if (remove(fd, encodeConntrackDelete(connection))) deleted++;
  }
  return deleted;
}

/** Of both families at once: the kernel walks its whole table for each dump, some 80 ms where it is large. */
function entries(fd: number): ReturnType<typeof dump> {
  try {
    return dump(fd, encodeConntrackDump(bothFamilies), 'list connections');
  } catch (error) {
    if (absent.includes(errorCode(error))) return [];
    throw error;
  }
}

function remove(fd: number, request: Uint8Array): boolean {
  try {
    transact(fd, request, 'delete connection');
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
