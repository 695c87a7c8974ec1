/** struct sockaddr_in and sockaddr_in6 as bytes. Pure. */

import { ipBytes } from '../netlink/ip.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;

/** 16 bytes for IPv4, 28 for IPv6. */
export function encodeSocketAddress(address: string, port: number): Buffer {
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError(`invalid port: ${port}`);
  const ip = ipBytes(address);
  const bytes = Buffer.alloc(ip.length === 4 ? 16 : 28);
  bytes.writeUInt16LE(ip.length === 4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ip, ip.length === 4 ? 4 : 8);
  return bytes;
}

/** The port of either structure. */
export function portOf(bytes: Uint8Array): number {
  if (bytes.length < 4) throw new RangeError('socket address is too short');
  return ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0);
}
