/** IP addresses as bytes and back. Pure. */

import { isIP } from 'node:net';
import { invalid } from '../../core/errors.ts';

function v4Bytes(address: string): number[] {
  return address.split('.').map(Number);
}

function groups(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (group.includes('.')) return v4Bytes(group);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** 4 or 16 bytes; throws `invalid` for anything else. A zone (`%eth0`) is refused. */
export function ipBytes(address: string): Buffer {
  const family = address.includes('%') ? 0 : isIP(address);
  if (family === 4) return Buffer.from(v4Bytes(address));
  if (family !== 6) throw invalid(`invalid IP address: ${address}`);
  const [head = '', tail] = address.split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  return Buffer.from([...left, ...Array<number>(16 - left.length - right.length).fill(0), ...right]);
}

/** The usual text of 4 or 16 bytes: IPv6 with its longest run of zero groups shortened (RFC 5952). */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  const words = Array.from({ length: 8 }, (_, at) => ((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const show = (list: number[]): string => list.map((word) => word.toString(16)).join(':');
  if (best.start === -1) return show(words);
  return `${show(words.slice(0, best.start))}::${show(words.slice(best.start + best.length))}`;
}

export interface Prefix {
  readonly address: Buffer;
  readonly length: number;
  readonly family: 4 | 6;
}

/** `10.0.0.1/8`; without a slash the whole address counts. */
export function parsePrefix(text: string): Prefix {
  const [ip = '', lengthText, rest] = text.split('/');
  const address = ipBytes(ip);
  const most = address.length * 8;
  const length = lengthText === undefined ? most : Number(lengthText);
  if (rest !== undefined || lengthText === '' || !Number.isInteger(length) || length < 0 || length > most) {
    throw invalid(`invalid CIDR address: ${text}`);
  }
  return { address, length, family: address.length === 4 ? 4 : 6 };
}

/** The last address of an IPv4 prefix; undefined where there is no broadcast (IPv6, /31, /32). */
export function broadcastOf(prefix: Prefix): Buffer | undefined {
  if (prefix.family !== 4 || prefix.length > 30) return undefined;
  const hostBits = 32 - prefix.length;
  const mask = hostBits === 32 ? 0xffffffff : 2 ** hostBits - 1;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((prefix.address.readUInt32BE(0) | mask) >>> 0);
  return bytes;
}

/** `02:42:ac:11:00:02` as six bytes. */
export function macBytes(mac: string): Buffer {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) throw invalid(`invalid MAC address: ${mac}`);
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

export function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
