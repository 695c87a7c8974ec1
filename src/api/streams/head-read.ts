/**
 * Waiting until a client has read the head of an answer. The Python SDK (and whatever else reads the head through a buffer, and what follows from
 * the socket itself) loses all that lies in that buffer: the first lines of output, when they come in one read with the head. dockerd is
 * spared by being slow.
 */

import type { Duplex } from 'node:stream';

/** Asks for the bytes that wait for the reader of a socket, by its descriptor. */
export type UnreadOutput = (fd: number) => number;

/** Looks, a millisecond or more apart. A client that has read nothing by then is not about to read the head alone. */
const mostLooks = 200;

function descriptorOf(socket: Duplex): number {
  const { _handle: handle } = socket as { _handle?: { fd?: number } | null };
  return handle?.fd ?? -1;
}

/** Resolves when what was written so far has been read, the connection is gone, or enough looks were in vain: no event tells. */
export function headRead(socket: Duplex, unread: UnreadOutput): Promise<void> {
  let looks = 0;
  return new Promise((resolve) => {
    const look = (): void => {
      const fd = socket.destroyed ? -1 : descriptorOf(socket);
      const isThrough = socket.writableLength === 0 && (fd < 0 || unread(fd) === 0);
      if (fd < 0 || isThrough || ++looks >= mostLooks) return resolve();
      setTimeout(look, 1);
    };
    look();
  });
}
