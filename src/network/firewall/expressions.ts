/** The few rule fragments that our table is made of, in the kernel's terms. Pure. */

import { bytesOf } from '../../core/ip.ts';
import type { NftExpression, NftVerdict } from '../../core/ports/nft.ts';

const nfprotoIpv4 = 2;
const nfprotoIpv6 = 10;
const routeTypeLocal = 2;
const ctStatusDnat = 0x20;
const ctEstablishedOrRelated = 0x06;

export type IpVersion = 4 | 6;

/** A 32-bit value as the kernel holds it in a register: host order (all our targets are little-endian). */
export function hostOrder(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** A port as in the packet. */
export function port16(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff);
}

/** An interface name as set keys hold it: 16 bytes, zero padded. */
export function interfaceKey(name: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(new TextEncoder().encode(name).subarray(0, 15));
  return bytes;
}

/** Parts of a concatenated key or value, each padded to four bytes. */
export function concatenated(...parts: readonly Uint8Array[]): Uint8Array {
  const padded = parts.map((part) => (part.length + 3) & ~3);
  const out = new Uint8Array(padded.reduce((sum, length) => sum + length, 0));
  let offset = 0;
  for (const [index, part] of parts.entries()) {
    out.set(part, offset);
    offset += padded[index] ?? 0;
  }
  return out;
}

export const verdict = (name: 'accept' | 'drop' | 'return'): NftExpression => ({
  expr: 'verdict',
  verdict: { verdict: name } satisfies NftVerdict,
});

export const inSet = (key: 'iifname' | 'oifname', set: string, invert = false): readonly NftExpression[] => [
  { expr: 'meta', key, dreg: 0 },
  { expr: 'lookup', set, sreg: 0, ...(invert ? { invert } : {}) },
];

/** The pair of interfaces that a packet comes in and goes out by. */
export const pairInSet = (set: string, invert = false): readonly NftExpression[] => [
  { expr: 'meta', key: 'iifname', dreg: 0 },
  { expr: 'meta', key: 'oifname', dreg: 4 },
  { expr: 'lookup', set, sreg: 0, ...(invert ? { invert } : {}) },
];

/** The byte that `meta nfproto` loads. */
export const versionByte = (version: IpVersion): Uint8Array =>
  Uint8Array.of(version === 4 ? nfprotoIpv4 : nfprotoIpv6);

export const versionInSet = (set: string): readonly NftExpression[] => [
  { expr: 'meta', key: 'nfproto', dreg: 0 },
  { expr: 'lookup', set, sreg: 0 },
];

export const isVersion = (version: IpVersion): readonly NftExpression[] => [
  { expr: 'meta', key: 'nfproto', dreg: 0 },
  { expr: 'cmp', op: 'eq', sreg: 0, data: versionByte(version) },
];

const addressField = {
  4: { saddr: [12, 4], daddr: [16, 4] },
  6: { saddr: [8, 16], daddr: [24, 16] },
} as const;

/** Loads an address of the packet; the version must have been matched before. */
export function loadAddress(version: IpVersion, which: 'saddr' | 'daddr', dreg: number): NftExpression {
  const [offset, length] = addressField[version][which];
  return { expr: 'payload', base: 'network', offset, length, dreg };
}

/** `ip saddr` or `ip daddr` inside a subnet whose prefix is a multiple of eight bits. */
export function addressIn(
  which: 'saddr' | 'daddr',
  network: string,
  prefix: 8 | 16 | 24,
): readonly NftExpression[] {
  const [offset] = addressField[4][which];
  const length = prefix / 8;
  return [
    { expr: 'payload', base: 'network', offset, length, dreg: 0 },
    { expr: 'cmp', op: 'eq', sreg: 0, data: bytesOf(network).subarray(0, length) },
  ];
}

const isLocal = (address: 'saddr' | 'daddr'): readonly NftExpression[] => [
  { expr: 'fib', result: 'addrtype', flags: [address], dreg: 0 },
  { expr: 'cmp', op: 'eq', sreg: 0, data: hostOrder(routeTypeLocal) },
];

/** The destination is an address of this host. */
export const toLocal = isLocal('daddr');
/** The source is an address of this host, its loopback included. */
export const fromLocal = isLocal('saddr');

/** The way back to the source does not lead through the interface it came by: it is forged. */
export const forgedSource: readonly NftExpression[] = [
  { expr: 'fib', result: 'oif', flags: ['saddr', 'iif'], dreg: 0 },
  { expr: 'cmp', op: 'eq', sreg: 0, data: hostOrder(0) },
];

const ctBits = (key: 'state' | 'status', bits: number): readonly NftExpression[] => [
  { expr: 'ct', key, dreg: 0 },
  { expr: 'bitwise', sreg: 0, dreg: 0, mask: hostOrder(bits), xor: hostOrder(0) },
  { expr: 'cmp', op: 'neq', sreg: 0, data: hostOrder(0) },
];

export const established = ctBits('state', ctEstablishedOrRelated);
export const destinationTranslated = ctBits('status', ctStatusDnat);

/** A bit of the packet's mark, kept from the first hook to the last: the packet came in by a bridge of ours. */
const fromBridgeBit = 0x1000;

export const markFromBridge: readonly NftExpression[] = [
  { expr: 'meta', key: 'mark', dreg: 0 },
  {
    expr: 'bitwise',
    sreg: 0,
    dreg: 0,
    mask: hostOrder(~fromBridgeBit >>> 0),
    xor: hostOrder(fromBridgeBit),
  },
  { expr: 'metaSet', key: 'mark', sreg: 0 },
];

export const markedFromBridge: readonly NftExpression[] = [
  { expr: 'meta', key: 'mark', dreg: 0 },
  { expr: 'bitwise', sreg: 0, dreg: 0, mask: hostOrder(fromBridgeBit), xor: hostOrder(0) },
  { expr: 'cmp', op: 'neq', sreg: 0, data: hostOrder(0) },
];

export const isProtocol = (number: number): readonly NftExpression[] => [
  { expr: 'meta', key: 'l4proto', dreg: 0 },
  { expr: 'cmp', op: 'eq', sreg: 0, data: Uint8Array.of(number) },
];

/** The packet goes to an address, protocol and port of the set; its version must have been matched before. */
export function toPortIn(version: IpVersion, set: string): readonly NftExpression[] {
  const words = version === 4 ? 1 : 4;
  return [
    loadAddress(version, 'daddr', 0),
    { expr: 'meta', key: 'l4proto', dreg: words },
    { expr: 'payload', base: 'transport', offset: 2, length: 2, dreg: words + 1 },
    { expr: 'lookup', set, sreg: 0 },
  ];
}

/** The packet goes to a protocol and port of the set, whatever its address. */
export const toAnyPortIn = (set: string): readonly NftExpression[] => [
  { expr: 'meta', key: 'l4proto', dreg: 0 },
  { expr: 'payload', base: 'transport', offset: 2, length: 2, dreg: 1 },
  { expr: 'lookup', set, sreg: 0 },
];

/** Gives the packet the source address that a map has for the interface by which it came. */
export const sourceBy = (version: IpVersion, map: string): readonly NftExpression[] => [
  { expr: 'meta', key: 'iifname', dreg: 0 },
  { expr: 'lookup', set: map, sreg: 0, dreg: 8 },
  { expr: 'nat', type: 'snat', family: version === 4 ? 'ip' : 'ip6', addressRegister: 8 },
];

/**
 * Looks the packet's (address,) protocol and port up in a map and sends it to the address and port found there.
 * Registers: key from 0, value from 8.
 */
export function translateBy(version: IpVersion, map: string, withAddress: boolean): readonly NftExpression[] {
  const words = version === 4 ? 1 : 4;
  const start = withAddress ? words : 0;
  return [
    ...(withAddress ? [loadAddress(version, 'daddr', 0)] : []),
    { expr: 'meta', key: 'l4proto', dreg: start },
    { expr: 'payload', base: 'transport', offset: 2, length: 2, dreg: start + 1 },
    { expr: 'lookup', set: map, sreg: 0, dreg: 8 },
    {
      expr: 'nat',
      type: 'dnat',
      family: version === 4 ? 'ip' : 'ip6',
      addressRegister: 8,
      portRegister: 8 + words,
    },
  ];
}
