/** Bound sockets in the thread's present namespace, for `dgram.bind({ fd })` and `server.listen({ fd })` on the main loop. */

import type { OpenSocketRequest } from '../../core/ports/host.ts';
import { checked, closeQuietly } from '../ffi/kernel-error.ts';
import { libc } from '../ffi/libc.ts';
import { AF_INET, AF_INET6, encodeSocketAddress, portOf } from './socket-address.ts';

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const IPPROTO_SCTP = 132;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SOL_IP = 0;
const IP_TRANSPARENT = 19;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_TRANSPARENT = 75;
const backlog = 511;

const one = Buffer.from([1, 0, 0, 0]);
const zero = Buffer.from([0, 0, 0, 0]);

function setOption(fd: number, level: number, name: number, value: Buffer): void {
  checked(libc.setsockopt(fd, level, name, value, value.length), 'setsockopt', `${level}/${name}`);
}

function boundPort(fd: number): number {
  const address = Buffer.alloc(28);
  const length = Buffer.from([address.length, 0, 0, 0]);
  checked(libc.getsockname(fd, address, length), 'getsockname');
  return portOf(address);
}

/** Close-on-exec and non-blocking; `port` is the real one where 0 was asked for. */
export function openSocketHere(request: OpenSocketRequest): { fd: number; port: number } {
  const address = encodeSocketAddress(request.address, request.port);
  const v6 = address.length === 28;
  const kind = (request.type === 'udp' ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const protocol = request.type === 'sctp' ? IPPROTO_SCTP : 0;
  const what = `${request.type} ${v6 ? `[${request.address}]` : request.address}:${request.port}`;
  const fd = checked(libc.socket(v6 ? AF_INET6 : AF_INET, kind, protocol), 'socket', what);
  try {
    if (request.reuseAddress === true) setOption(fd, SOL_SOCKET, SO_REUSEADDR, one);
    if (v6) setOption(fd, SOL_IPV6, IPV6_V6ONLY, request.v6Only === false ? zero : one);
    if (request.transparent === true) {
      setOption(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, one);
    }
    checked(libc.bind(fd, address, address.length), 'bind', what);
    if (request.listen === true) checked(libc.listen(fd, backlog), 'listen', what);
    return { fd, port: request.port === 0 ? boundPort(fd) : request.port };
  } catch (error) {
    closeQuietly(fd);
    throw error;
  }
}
