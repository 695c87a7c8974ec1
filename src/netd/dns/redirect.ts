/** The rules inside a container's namespace that bring queries to 127.0.0.11:53 to the sockets of slipway-net. Pure. */

import { bytesOf } from '../../core/ip.ts';
import type { NftChange, NftExpression } from '../../core/ports/nft.ts';

export const resolverAddress = '127.0.0.11';
const table = 'slipway_dns';
const protocols = { tcp: 6, udp: 17 } as const;

const port16 = (port: number): Uint8Array => Uint8Array.of(port >> 8, port & 0xff);

function toResolver(protocol: keyof typeof protocols, port: number): readonly NftExpression[] {
  return [
    { expr: 'payload', base: 'network', offset: 16, length: 4, dreg: 0 },
    { expr: 'cmp', op: 'eq', sreg: 0, data: bytesOf(resolverAddress) },
    { expr: 'meta', key: 'l4proto', dreg: 0 },
    { expr: 'cmp', op: 'eq', sreg: 0, data: Uint8Array.of(protocols[protocol]) },
    { expr: 'payload', base: 'transport', offset: 2, length: 2, dreg: 0 },
    { expr: 'cmp', op: 'eq', sreg: 0, data: port16(53) },
    { expr: 'immediate', dreg: 0, data: bytesOf(resolverAddress) },
    { expr: 'immediate', dreg: 1, data: port16(port) },
    { expr: 'nat', type: 'dnat', family: 'ip', addressRegister: 0, portRegister: 1 },
  ];
}

/**
 * The container itself may serve port 53: only the resolver's address is redirected, and connection tracking turns the
 * replies' source back. New rules come before those of an earlier resolver of this namespace, which then never match:
 * replacing the table instead would cost 15 ms, because the kernel waits for readers when a table goes.
 */
export function planRedirect(ports: { readonly udp: number; readonly tcp: number }): readonly NftChange[] {
  const ref = { family: 'ip', table } as const;
  const hook = { type: 'nat', hook: 'output', priority: -100, policy: 'accept' } as const;
  const rule = (protocol: keyof typeof protocols, port: number): NftChange => ({
    ...ref,
    change: 'addRule',
    chain: 'output',
    expressions: toResolver(protocol, port),
    first: true,
  });
  return [
    { ...ref, change: 'addTable' },
    { ...ref, change: 'addChain', chain: 'output', hook },
    rule('udp', ports.udp),
    rule('tcp', ports.tcp),
  ];
}
