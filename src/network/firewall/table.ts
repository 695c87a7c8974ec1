/**
 * The engine's table, as a plan: sets and maps that change, and rules that never do. A network is a few set elements,
 * a published port is one map element, so adding one costs the same with one and with ten thousand. Pure.
 */

import { derivedHex } from '../../core/ids.ts';
import { bytesOf } from '../../core/ip.ts';
import type { NftChange, NftExpression, NftType } from '../../core/ports/nft.ts';
import {
  addressIn,
  destinationTranslated,
  established,
  forgedSource,
  fromLocal,
  inSet,
  isProtocol,
  isVersion,
  loadAddress,
  markedFromBridge,
  markFromBridge,
  pairInSet,
  sourceBy,
  toAnyPortIn,
  toLocal,
  toPortIn,
  translateBy,
  verdict,
  versionInSet,
  type IpVersion,
} from './expressions.ts';

export const setNames = [
  'bridges',
  'bridge_pairs',
  'same_network',
  'internal',
  'masquerade',
  'masquerade6',
  'source',
  'source6',
  'routed',
  'routed6',
  'unprotected',
  'unprotected6',
  'isolated',
  'isolated6',
  'trusted',
  'closed',
  'ports',
  'bound_ports',
  'ports6',
  'bound_ports6',
  'direct',
  'direct6',
  'relayed',
  'bound_relayed',
  'relayed6',
  'bound_relayed6',
] as const;
export type SetName = (typeof setNames)[number];

interface SetShape {
  readonly key: readonly NftType[];
  readonly data?: readonly NftType[];
}

const setShapes: Readonly<Record<SetName, SetShape>> = {
  bridges: { key: ['ifname'] },
  /** Each bridge twice: in and out by the same one. */
  bridge_pairs: { key: ['ifname', 'ifname'] },
  /** Those pairs whose containers may talk to each other. */
  same_network: { key: ['ifname', 'ifname'] },
  internal: { key: ['ifname'] },
  masquerade: { key: ['ifname'] },
  masquerade6: { key: ['ifname'] },
  /** Bridges whose packets leave with an address of the user's choice. */
  source: { key: ['ifname'], data: ['ipv4_addr'] },
  source6: { key: ['ifname'], data: ['ipv6_addr'] },
  /** Bridges whose addresses are not translated: published ports and echo requests go straight to them. */
  routed: { key: ['ifname'] },
  routed6: { key: ['ifname'] },
  /** Bridges whose every port is open to other machines that have a route. */
  unprotected: { key: ['ifname'] },
  unprotected6: { key: ['ifname'] },
  /** Bridges without an address of the host: no route tells which sources belong there. */
  isolated: { key: ['ifname'] },
  isolated6: { key: ['ifname'] },
  /** An interface of the host, and a bridge that is open to it. */
  trusted: { key: ['ifname', 'ifname'] },
  /** IP versions that this host did not forward before the engine came. */
  closed: { key: ['inet_proto'] },
  ports: { key: ['inet_proto', 'inet_service'], data: ['ipv4_addr', 'inet_service'] },
  bound_ports: { key: ['ipv4_addr', 'inet_proto', 'inet_service'], data: ['ipv4_addr', 'inet_service'] },
  ports6: { key: ['inet_proto', 'inet_service'], data: ['ipv6_addr', 'inet_service'] },
  bound_ports6: { key: ['ipv6_addr', 'inet_proto', 'inet_service'], data: ['ipv6_addr', 'inet_service'] },
  /** Published ports of routed networks: the container's address, protocol and port. */
  direct: { key: ['ipv4_addr', 'inet_proto', 'inet_service'] },
  direct6: { key: ['ipv6_addr', 'inet_proto', 'inet_service'] },
  /** Published ports that no map carries: slipway-net relays them, so they end at this host. */
  relayed: { key: ['inet_proto', 'inet_service'] },
  bound_relayed: { key: ['ipv4_addr', 'inet_proto', 'inet_service'] },
  relayed6: { key: ['inet_proto', 'inet_service'] },
  bound_relayed6: { key: ['ipv6_addr', 'inet_proto', 'inet_service'] },
};

interface ChainPlan {
  readonly chain: string;
  readonly hook: NonNullable<Extract<NftChange, { change: 'addChain' }>['hook']>;
  readonly rules: readonly { readonly comment: string; readonly expressions: readonly NftExpression[] }[];
}

/** IPv6 has no route_localnet: packets from ::1 never leave the host, so slipway-net relays what goes there. */
const notLoopback6: readonly NftExpression[] = [
  loadAddress(6, 'daddr', 0),
  { expr: 'cmp', op: 'neq', sreg: 0, data: bytesOf('::1') },
];

const publishedRules = (version: IpVersion): ChainPlan['rules'] => {
  const suffix = version === 4 ? '' : '6';
  const start = [...isVersion(version), ...(version === 4 ? [] : notLoopback6)];
  return [
    {
      comment: `published on one address${suffix}`,
      expressions: [...start, ...translateBy(version, `bound_ports${suffix}`, true)],
    },
    {
      comment: `published on every address${suffix}`,
      expressions: [...start, ...toLocal, ...translateBy(version, `ports${suffix}`, false)],
    },
  ];
};

const icmp: Readonly<Record<IpVersion, number>> = { 4: 1, 6: 58 };

/** What of one version reaches containers without translation. */
const directRules = (version: IpVersion): ChainPlan['rules'] => {
  const suffix = version === 4 ? '' : '6';
  return [
    {
      comment: `published ports of routed networks${suffix}`,
      expressions: [
        ...isVersion(version),
        ...inSet('oifname', `routed${suffix}`),
        ...toPortIn(version, `direct${suffix}`),
        verdict('accept'),
      ],
    },
    {
      comment: `echo requests to routed networks${suffix}`,
      expressions: [
        ...isVersion(version),
        ...inSet('oifname', `routed${suffix}`),
        ...isProtocol(icmp[version]),
        verdict('accept'),
      ],
    },
    {
      comment: `unprotected networks${suffix}`,
      expressions: [
        ...isVersion(version),
        ...inSet('oifname', `unprotected${suffix}`),
        ...inSet('iifname', 'bridges', true),
        verdict('accept'),
      ],
    },
  ];
};

/** What of one version reaches this host from internal networks, where nobody else is meant to be reached. */
const internalRules = (version: IpVersion): ChainPlan['rules'] => {
  const suffix = version === 4 ? '' : '6';
  return [
    {
      // Its bridge has no address of ours, but a link-local one, and any other address of the host can be put into a frame.
      comment: `from an isolated network${suffix}`,
      expressions: [...isVersion(version), ...inSet('iifname', `isolated${suffix}`), verdict('drop')],
    },
    {
      comment: `relayed ports from an internal network${suffix}`,
      expressions: [...isVersion(version), ...toAnyPortIn(`relayed${suffix}`), verdict('drop')],
    },
    {
      comment: `relayed ports of one address from an internal network${suffix}`,
      expressions: [...isVersion(version), ...toPortIn(version, `bound_relayed${suffix}`), verdict('drop')],
    },
  ];
};

const outsideRules = (version: IpVersion): ChainPlan['rules'] => {
  const suffix = version === 4 ? '' : '6';
  const leaves = [...isVersion(version), ...pairInSet('bridge_pairs', true)];
  return [
    {
      comment: `to the outside by a chosen address${suffix}`,
      expressions: [...leaves, ...sourceBy(version, `source${suffix}`)],
    },
    {
      comment: `to the outside${suffix}`,
      expressions: [...leaves, ...inSet('iifname', `masquerade${suffix}`), { expr: 'masquerade' }],
    },
  ];
};

const linkLocal6: readonly NftExpression[] = [
  loadAddress(6, 'saddr', 0),
  {
    expr: 'bitwise',
    sreg: 0,
    dreg: 0,
    // Global and unique local addresses only: neighbour discovery speaks from fe80::/10 and from ::.
    mask: Uint8Array.of(0xff, 0xc0, ...new Uint8Array(14)),
    xor: new Uint8Array(16),
  },
  { expr: 'cmp', op: 'neq', sreg: 0, data: Uint8Array.of(0xfe, 0x80, ...new Uint8Array(14)) },
  { expr: 'cmp', op: 'neq', sreg: 0, data: new Uint8Array(16) },
];

const chains: readonly ChainPlan[] = [
  {
    chain: 'guard',
    hook: { type: 'filter', hook: 'prerouting', priority: -300, policy: 'accept' },
    rules: [
      // Every packet of the host passes here: what costs least and excludes most comes first.
      {
        // route_localnet is on for the bridges (127.0.0.1:port needs it): without this a container reaches the host's loopback.
        comment: 'no way to the host loopback',
        expressions: [
          ...isVersion(4),
          ...addressIn('daddr', '127.0.0.0', 8),
          ...inSet('iifname', 'bridges'),
          verdict('drop'),
        ],
      },
      {
        comment: 'forged source',
        expressions: [
          ...isVersion(4),
          ...inSet('iifname', 'bridges'),
          ...forgedSource,
          ...inSet('iifname', 'isolated', true),
          verdict('drop'),
        ],
      },
      {
        comment: 'forged source6',
        expressions: [
          ...isVersion(6),
          ...inSet('iifname', 'bridges'),
          ...linkLocal6,
          ...forgedSource,
          ...inSet('iifname', 'isolated6', true),
          verdict('drop'),
        ],
      },
    ],
  },
  {
    chain: 'prerouting',
    hook: { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' },
    rules: [
      // Where br_netfilter is on, the last hook no longer tells by which interface the packet came.
      { comment: 'came by a bridge', expressions: [...inSet('iifname', 'bridges'), ...markFromBridge] },
      ...publishedRules(4),
      ...publishedRules(6),
    ],
  },
  {
    chain: 'output',
    hook: { type: 'nat', hook: 'output', priority: -100, policy: 'accept' },
    rules: [...publishedRules(4), ...publishedRules(6)],
  },
  {
    chain: 'postrouting',
    hook: { type: 'nat', hook: 'postrouting', priority: 100, policy: 'accept' },
    rules: [
      {
        // The container may have another way to the address that the host dialled from (the gateway of a second network of its
        // own, or 127.0.0.1): its answer must come back by this bridge.
        comment: 'published port reached from the host itself',
        expressions: [
          ...inSet('oifname', 'bridges'),
          ...destinationTranslated,
          ...fromLocal,
          { expr: 'masquerade' },
        ],
      },
      {
        // The answer must come back through us to be turned around: a neighbour would answer directly, and a container itself not at all.
        comment: 'published port reached from a container',
        expressions: [
          ...inSet('oifname', 'bridges'),
          ...markedFromBridge,
          ...destinationTranslated,
          { expr: 'masquerade' },
        ],
      },
      ...outsideRules(4),
      ...outsideRules(6),
    ],
  },
  {
    chain: 'input',
    hook: { type: 'filter', hook: 'input', priority: 0, policy: 'accept' },
    rules: [
      {
        comment: 'not from an internal network',
        expressions: [...inSet('iifname', 'internal', true), verdict('accept')],
      },
      ...internalRules(4),
      ...internalRules(6),
    ],
  },
  {
    chain: 'forward',
    hook: { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' },
    rules: [
      { comment: 'known connections', expressions: [...established, verdict('accept')] },
      { comment: 'inside a network', expressions: [...pairInSet('same_network'), verdict('accept')] },
      {
        comment: 'out of an internal network',
        expressions: [...inSet('iifname', 'internal'), verdict('drop')],
      },
      {
        comment: 'into an internal network',
        expressions: [...inSet('oifname', 'internal'), verdict('drop')],
      },
      {
        comment: 'published ports',
        expressions: [...inSet('oifname', 'bridges'), ...destinationTranslated, verdict('accept')],
      },
      ...directRules(4),
      ...directRules(6),
      { comment: 'from trusted interfaces', expressions: [...pairInSet('trusted'), verdict('accept')] },
      { comment: 'unpublished ports', expressions: [...inSet('oifname', 'bridges'), verdict('drop')] },
      { comment: 'outbound', expressions: [...inSet('iifname', 'bridges'), verdict('accept')] },
      { comment: 'between other interfaces', expressions: [...versionInSet('closed'), verdict('drop')] },
    ],
  },
];

const show = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) =>
    part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part,
  );

/** The comment of a rule carries a digest of its meaning, so that an old or touched chain is recognised. */
function marked(rule: ChainPlan['rules'][number]): string {
  return `${rule.comment} #${derivedHex(6, show(rule.expressions))}`;
}

/** Chain -> comments of its rules in order, for comparing with the kernel. */
export function expectedRules(): ReadonlyMap<string, readonly string[]> {
  return new Map(chains.map((chain) => [chain.chain, chain.rules.map(marked)]));
}

/** Replaces whatever stands under the table's name by the table with empty sets, within one transaction. */
export function planTable(table: string): readonly NftChange[] {
  const ref = { family: 'inet', table } as const;
  const changes: NftChange[] = [
    { ...ref, change: 'addTable' },
    { ...ref, change: 'deleteTable' },
    { ...ref, change: 'addTable' },
  ];
  for (const set of setNames) changes.push({ ...ref, change: 'addSet', set, ...setShapes[set] });
  for (const { chain, hook, rules } of chains) {
    changes.push({ ...ref, change: 'addChain', chain, hook });
    for (const rule of rules)
      changes.push({
        ...ref,
        change: 'addRule',
        chain,
        expressions: rule.expressions,
        comment: marked(rule),
      });
  }
  return changes;
}
