/** How much of what was written to a unix socket its other end has not read. */

import { libc } from '../ffi/libc.ts';

const SIOCOUTQ = 0x5411;

/**
 * Bytes of the kernel's buffers (more than were written) that wait for the reader of a connected unix socket; of a TCP socket, bytes that the other
 * machine has not acknowledged. 0 where the kernel cannot tell.
 */
export function unreadOutput(fd: number): number {
  const value = Buffer.alloc(4);
  return libc.ioctl(fd, SIOCOUTQ, value) === 0 ? value.readInt32LE(0) : 0;
}
