/**
 * Other firewalls of the host. An accept in our table does not override a drop in theirs (ufw, firewalld, another
 * engine), so where a base chain at the forward hook drops by default, each bridge gets two marked accept rules at its
 * head. What we mean to drop stays dropped: our own forward chain sees every packet too.
 */

import type { NftChainInfo, NftChange, NftExpression, NftRuleInfo } from '../../core/ports/nft.ts';
import { verdict } from './expressions.ts';

/** Whether packets through our bridges can die in this chain although ours accepts them. */
export function dropsForwards(chain: NftChainInfo, ourTable: string): boolean {
  const ours = chain.family === 'inet' && chain.table === ourTable;
  if (ours || chain.hook !== 'forward' || chain.type !== 'filter') return false;
  if (!['ip', 'ip6', 'inet'].includes(chain.family)) return false;
  // firewalld's policy is accept; it ends with a reject rule instead.
  return chain.policy === 'drop' || (chain.table === 'firewalld' && chain.chain === 'filter_FORWARD');
}

export const commentOf = (table: string, bridge: string, direction: 'in' | 'out'): string =>
  `${table}: ${direction} ${bridge}`;

/** The name ends with its zero byte, as iptables-nft writes it, so that `iptables -L` can still read the chain. */
function matches(key: 'iifname' | 'oifname', bridge: string): readonly NftExpression[] {
  return [
    { expr: 'meta', key, dreg: 0 },
    { expr: 'cmp', op: 'eq', sreg: 0, data: new TextEncoder().encode(`${bridge}\0`) },
    { expr: 'counter' },
    verdict('accept'),
  ];
}

/** Rules that are missing at the head of a foreign chain. */
export function planForeignRules(
  table: string,
  bridges: readonly string[],
  chain: NftChainInfo,
  rules: readonly NftRuleInfo[],
): readonly NftChange[] {
  const present = new Set(rules.map((rule) => rule.comment));
  return bridges.flatMap((bridge) =>
    (['in', 'out'] as const).flatMap((direction): NftChange[] => {
      const comment = commentOf(table, bridge, direction);
      if (present.has(comment)) return [];
      const expressions = matches(direction === 'in' ? 'iifname' : 'oifname', bridge);
      const { family, table: foreign, chain: name } = chain;
      return [{ family, table: foreign, change: 'addRule', chain: name, expressions, comment, first: true }];
    }),
  );
}

/** Removal of our rules in a foreign chain; those of `keep` stay. */
export function planForeignRemoval(
  table: string,
  keep: readonly string[],
  rules: readonly NftRuleInfo[],
): readonly NftChange[] {
  const kept = new Set(
    keep.flatMap((bridge) => [commentOf(table, bridge, 'in'), commentOf(table, bridge, 'out')]),
  );
  return rules
    .filter((rule) => rule.comment.startsWith(`${table}: `) && !kept.has(rule.comment))
    .map(({ family, table: foreign, chain, handle }) => ({
      family,
      table: foreign,
      change: 'deleteRule',
      chain,
      handle,
    }));
}
