/**
 * Encrypted networks fail closed. They have a UDP port of their own, and two walls that do not know of each other: a
 * policy of IPsec that lets nothing in or out on this port but what is sealed for a host with keys, and a table of
 * nftables that drops what is not sealed, should somebody flush the policies. Pure.
 */

import type { IpsecChange, IpsecTraffic } from '../../../core/ports/host.ts';
import type { NftChange, NftExpression } from '../../../core/ports/nft.ts';
import type { OverlaySeal } from '../../../core/ports/overlay.ts';

const versions = [4, 6] as const;
const directions = ['in', 'out'] as const;

export const sealTable = (instance: string): string => `${instance}-sealed`;

const everything = (port: number): readonly IpsecTraffic[] =>
  versions.flatMap((version) => directions.map((direction) => ({ direction, port, version })));

export const planBlock = (port: number): readonly IpsecChange[] =>
  everything(port).map((traffic) => ({ change: 'block', traffic }));

export const planUnblock = (port: number): readonly IpsecChange[] =>
  everything(port).map((traffic) => ({ change: 'unblock', traffic }));

const udp = 17;

const unsealed = (port: number, sealed: NftExpression): readonly NftExpression[] => [
  { expr: 'meta', key: 'l4proto', dreg: 0 },
  { expr: 'cmp', op: 'eq', sreg: 0, data: Uint8Array.of(udp) },
  { expr: 'payload', base: 'transport', offset: 2, length: 2, dreg: 0 },
  { expr: 'cmp', op: 'eq', sreg: 0, data: Uint8Array.of(port >> 8, port & 0xff) },
  sealed,
  { expr: 'cmp', op: 'eq', sreg: 0, data: Uint8Array.of(0) },
  { expr: 'counter' },
  { expr: 'verdict', verdict: { verdict: 'drop' } },
];

/** Replaces whatever stands under the table's name, within one transaction. */
export function planSealTable(instance: string, port: number): readonly NftChange[] {
  const ref = { family: 'inet', table: sealTable(instance) } as const;
  const chain = (
    name: 'input' | 'postrouting',
    priority: number,
    sealed: NftExpression,
  ): readonly NftChange[] => [
    {
      ...ref,
      change: 'addChain',
      chain: name,
      hook: { type: 'filter', hook: name, priority, policy: 'accept' },
    },
    {
      ...ref,
      change: 'addRule',
      chain: name,
      expressions: unsealed(port, sealed),
      comment: 'not sealed by IPsec',
    },
  ];
  return [
    { ...ref, change: 'addTable' },
    { ...ref, change: 'deleteTable' },
    { ...ref, change: 'addTable' },
    ...chain('input', -150, { expr: 'meta', key: 'secpath', dreg: 0 }),
    ...chain('postrouting', 150, { expr: 'rt', key: 'ipsec', dreg: 0 }),
  ];
}

export function planSealTableRemoval(instance: string): readonly NftChange[] {
  const ref = { family: 'inet', table: sealTable(instance) } as const;
  return [
    { ...ref, change: 'addTable' },
    { ...ref, change: 'deleteTable' },
  ];
}

interface SealFacts {
  readonly local: string;
  readonly port: number;
}

function traffics({ local, port }: SealFacts, host: string): Readonly<Record<'in' | 'out', IpsecTraffic>> {
  const version = local.includes(':') ? 6 : 4;
  return {
    in: { direction: 'in', port, version, from: host, to: local },
    out: { direction: 'out', port, version, from: local, to: host },
  };
}

/** Keys before policies, and the former keys after them: there is always one that both ends have. */
export function planSeal(
  facts: SealFacts,
  seal: OverlaySeal,
  former: OverlaySeal | undefined,
): readonly IpsecChange[] {
  const { local } = facts;
  const { host, sending, receiving } = seal;
  const traffic = traffics(facts, host);
  const kept = new Set(receiving.map(({ spi }) => spi));
  return [
    ...receiving.map((key): IpsecChange => ({ change: 'addKey', from: host, to: local, ...key })),
    { change: 'addKey', from: local, to: host, ...sending },
    { change: 'seal', traffic: traffic.in },
    { change: 'seal', traffic: traffic.out, spi: sending.spi },
    ...(former === undefined || former.sending.spi === sending.spi
      ? []
      : [{ change: 'removeKey', to: host, spi: former.sending.spi } as const]),
    ...(former?.receiving ?? [])
      .filter(({ spi }) => !kept.has(spi))
      .map(({ spi }): IpsecChange => ({ change: 'removeKey', to: local, spi })),
  ];
}

/** Policies first: what is not sealed any more is blocked. */
export function planUnseal(
  facts: SealFacts,
  { host, sending, receiving }: OverlaySeal,
): readonly IpsecChange[] {
  const traffic = traffics(facts, host);
  return [
    { change: 'unseal', traffic: traffic.out },
    { change: 'unseal', traffic: traffic.in },
    { change: 'removeKey', to: host, spi: sending.spi },
    ...receiving.map(({ spi }): IpsecChange => ({ change: 'removeKey', to: facts.local, spi })),
  ];
}

/** A key between two addresses that no host has (RFC 5737), to see whether the kernel can at all. */
export function planProbe(spi: number): readonly IpsecChange[] {
  const to = '192.0.2.1';
  return [
    { change: 'addKey', from: '192.0.2.2', to, spi, key: new Uint8Array(20).fill(1) },
    { change: 'removeKey', to, spi },
  ];
}
