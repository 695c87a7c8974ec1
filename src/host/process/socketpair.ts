/** A connected pair of unix stream sockets, close-on-exec. */

import { checked } from '../ffi/kernel-error.ts';
import { libc } from '../ffi/libc.ts';

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;

export function socketpair(): readonly [number, number] {
  const pair = Buffer.alloc(8);
  checked(libc.socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair), 'socketpair');
  return [pair.readInt32LE(0), pair.readInt32LE(4)];
}
