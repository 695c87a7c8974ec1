/** Addresses and subnets as numbers: parsing, formatting, ranges. IPv4 and IPv6 alike; the value is a bigint. */

import { isIP } from 'node:net';

export type IpFamily = 4 | 6;

export interface IpAddress {
  readonly family: IpFamily;
  readonly value: bigint;
}

/** A subnet: `value` has no bits below the prefix. */
export interface Cidr extends IpAddress {
  readonly prefix: number;
}

export const addressBits = (family: IpFamily): number => (family === 4 ? 32 : 128);

function parseIpv4(text: string): bigint {
  let value = 0n;
  for (const part of text.split('.')) value = (value << 8n) | BigInt(part);
  return value;
}

function parseIpv6(text: string): bigint {
  let body = text;
  const dotted = body.lastIndexOf(':') + 1;
  if (body.includes('.')) {
    const tail = parseIpv4(body.slice(dotted));
    body = `${body.slice(0, dotted)}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`;
  }
  const [head = '', rest] = body.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = rest === undefined ? [] : groups(rest);
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  let value = 0n;
  for (const group of all) value = (value << 16n) | BigInt(`0x${group}`);
  return value;
}

/** Undefined for anything that is no plain address (zones, brackets and leading zeros included). */
export function parseIp(text: string): IpAddress | undefined {
  const family = isIP(text);
  if (family === 4) return { family: 4, value: parseIpv4(text) };
  if (family === 6 && !text.includes('%')) return { family: 6, value: parseIpv6(text) };
  return undefined;
}

function formatIpv6(value: bigint): string {
  const groups: string[] = [];
  for (let index = 7; index >= 0; index--)
    groups.push(((value >> BigInt(index * 16)) & 0xffffn).toString(16));
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  if (best.length < 2) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}

export function formatIp(address: IpAddress): string {
  if (address.family === 6) return formatIpv6(address.value);
  return [24n, 16n, 8n, 0n].map((shift) => (address.value >> shift) & 0xffn).join('.');
}

/** Network byte order, 4 or 16 bytes. */
export function ipBytes(address: IpAddress): Uint8Array {
  const length = addressBits(address.family) / 8;
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++)
    bytes[index] = Number((address.value >> BigInt((length - 1 - index) * 8)) & 0xffn);
  return bytes;
}

/** The bytes of an address that is known to be one; throws a RangeError otherwise. */
export function bytesOf(text: string): Uint8Array {
  const address = parseIp(text);
  if (address === undefined) throw new RangeError(`not an IP address: ${text}`);
  return ipBytes(address);
}

/** From network byte order. */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

export const hostMask = (cidr: { readonly family: IpFamily; readonly prefix: number }): bigint =>
  (1n << BigInt(addressBits(cidr.family) - cidr.prefix)) - 1n;

/** `172.17.0.1/16` as the address and its subnet; undefined when it is not in that form. */
export function parseCidr(text: string): { readonly address: IpAddress; readonly cidr: Cidr } | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const address = match?.[1] === undefined ? undefined : parseIp(match[1]);
  const prefix = Number(match?.[2]);
  if (address === undefined || prefix > addressBits(address.family)) return undefined;
  const shape = { family: address.family, prefix };
  return { address, cidr: { ...shape, value: address.value & ~hostMask(shape) } };
}

export const formatCidr = (cidr: Cidr): string => `${formatIp(cidr)}/${cidr.prefix}`;

export const lastAddress = (cidr: Cidr): bigint => cidr.value | hostMask(cidr);

export function cidrContains(cidr: Cidr, address: IpAddress): boolean {
  return cidr.family === address.family && address.value >= cidr.value && address.value <= lastAddress(cidr);
}

export function cidrsOverlap(one: Cidr, other: Cidr): boolean {
  return one.family === other.family && one.value <= lastAddress(other) && other.value <= lastAddress(one);
}

/** `02:42:` and the four bytes of an IPv4 address, as Docker derives it: the same address keeps its neighbours' ARP entries true. */
export function macOfIpv4(address: string): string {
  return ['02', '42', ...[...bytesOf(address)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/** An address and a port as people write them; IPv6 in brackets. */
export function hostAndPort(address: string, port: number | string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
