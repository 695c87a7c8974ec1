/**
 * Other firewalls of the host. An accept in our table does not override a drop in theirs (ufw, firewalld, another
 * engine), so where a base chain at the forward hook drops by default, each bridge gets two marked accept rules at its
 * head, behind the chain that Docker leaves to the administrator. What we mean to drop stays dropped: our own forward chain sees every packet too.
 */

import type { NftChainInfo, NftChange, NftExpression, NftRuleInfo } from '../../core/ports/nft.ts';
import { verdict } from './expressions.ts';

/** Whether packets through our bridges can die in this chain although ours accepts them. */
export function dropsForwards(chain: NftChainInfo, ourTable: string): boolean {
  const ours = chain.family === 'inet' && chain.table === ourTable;
  if (ours || chain.hook !== 'forward' || chain.type !== 'filter') return false;
  if (!['ip', 'ip6', 'inet'].includes(chain.family)) return false;
  // firewalld's policy is accept; it ends with a reject rule instead.
  return chain.policy === 'drop' || isFirewalld(chain);
}

export const isFirewalld = (chain: NftChainInfo): boolean =>
  chain.table === 'firewalld' && chain.chain === 'filter_FORWARD';

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

/** The chain that Docker leaves to the administrator: what is dropped there stays dropped. */
const usersChain = 'DOCKER-USER';
const firstComment = (table: string): string => `${table}: ${usersChain} first`;

/** Where accept rules go: behind the last way into the administrator's chain, or at the head where there is none. */
interface Place {
  readonly after?: bigint;
  /** Of our rules, those that stand before that way. */
  readonly misplaced: readonly NftRuleInfo[];
  /** The chain exists, and nothing leads into it. */
  readonly lacksJump: boolean;
}

function placeOf(
  table: string,
  chain: NftChainInfo,
  rules: readonly NftRuleInfo[],
  chains: readonly NftChainInfo[],
): Place {
  const jump = rules.findLastIndex((rule) => rule.jumpsTo.includes(usersChain));
  const at = rules[jump];
  if (at !== undefined) {
    const misplaced = rules.slice(0, jump).filter((rule) => isAccept(table, rule));
    return { after: at.handle, misplaced, lacksJump: false };
  }
  const isBeside = (other: NftChainInfo): boolean =>
    other.family === chain.family && other.table === chain.table && other.chain === usersChain;
  const lacksJump = chains.some(isBeside);
  return { misplaced: lacksJump ? rules.filter((rule) => isAccept(table, rule)) : [], lacksJump };
}

const isAccept = (table: string, rule: NftRuleInfo): boolean =>
  rule.comment.startsWith(`${table}: `) && rule.comment !== firstComment(table);

/** Rules that are missing at the head of a foreign chain, or behind the jump into the administrator's chain where there is one. */
export function planForeignRules(
  table: string,
  bridges: readonly string[],
  chain: NftChainInfo,
  rules: readonly NftRuleInfo[],
  chains: readonly NftChainInfo[] = [],
): readonly NftChange[] {
  const { family, table: foreign, chain: name } = chain;
  const ref = { family, table: foreign, chain: name } as const;
  const { after, misplaced, lacksJump } = placeOf(table, chain, rules, chains);
  const present = new Set(rules.filter((rule) => !misplaced.includes(rule)).map((rule) => rule.comment));
  const where = after === undefined ? { first: true } : { after };
  const changes: NftChange[] = misplaced.map(({ handle }) => ({ ...ref, change: 'deleteRule', handle }));
  for (const bridge of bridges)
    for (const direction of ['in', 'out'] as const) {
      const comment = commentOf(table, bridge, direction);
      if (present.has(comment)) continue;
      const expressions = matches(direction === 'in' ? 'iifname' : 'oifname', bridge);
      changes.push({ ...ref, change: 'addRule', expressions, comment, ...where });
    }
  // Last, so that it stands before all of them.
  if (lacksJump && bridges.length > 0) changes.push(jumpFirst(table, ref));
  return changes;
}

function jumpFirst(table: string, ref: Pick<NftChainInfo, 'family' | 'table' | 'chain'>): NftChange {
  return {
    ...ref,
    change: 'addRule',
    expressions: [{ expr: 'counter' }, { expr: 'verdict', verdict: { verdict: 'jump', chain: usersChain } }],
    comment: firstComment(table),
    first: true,
  };
}

/** Removal of our rules in a foreign chain; those of `keep` stay. */
export function planForeignRemoval(
  table: string,
  keep: readonly string[],
  rules: readonly NftRuleInfo[],
): readonly NftChange[] {
  const kept = new Set(
    keep.flatMap((bridge) => [
      commentOf(table, bridge, 'in'),
      commentOf(table, bridge, 'out'),
      firstComment(table),
    ]),
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
