/** Brings our bridges through other firewalls' chains, and takes what was put there away again. */

import type { Ctx } from '../../core/ctx.ts';
import type { Host } from '../../core/ports/host.ts';
import type { NftChainInfo } from '../../core/ports/nft.ts';
import { admitBridges, dismissBridges } from './firewalld.ts';
import { dropsForwards, isFirewalld, planForeignRemoval, planForeignRules } from './foreign.ts';

export interface ForeignChains {
  readonly host: Pick<Host, 'nftApply' | 'nftChains' | 'nftRules'>;
  /** Of ours; its name marks our rules. */
  readonly table: string;
}

/** Places what is missing, removes what is over; what is to be told of it. */
export async function meetForeignChains(
  room: ForeignChains,
  ctx: Ctx,
  bridges: readonly string[],
): Promise<readonly string[]> {
  const notes: string[] = [];
  await cleanForeignChains(room, bridges);
  const chains = await room.host.nftChains(undefined);
  for (const chain of chains.filter((one) => dropsForwards(one, room.table))) {
    const where = `${chain.family} ${chain.table} ${chain.chain}`;
    try {
      const rules = await room.host.nftRules(undefined, chain);
      const changes = planForeignRules(room.table, bridges, chain, rules, chains);
      if (changes.length > 0) await room.host.nftApply(undefined, changes);
      notes.push(
        `the chain ${where} drops forwarded packets: accept rules for the engine's bridges stand at its head`,
      );
    } catch (error) {
      notes.push(await letThrough(room, ctx, chain, bridges, error));
    }
  }
  return notes;
}

/** Where no rule can be placed. */
async function letThrough(
  { table }: ForeignChains,
  ctx: Ctx,
  chain: NftChainInfo,
  bridges: readonly string[],
  reason: unknown,
): Promise<string> {
  const where = `${chain.family} ${chain.table} ${chain.chain}`;
  let error = reason;
  if (isFirewalld(chain)) {
    try {
      const { zone, elsewhere } = await admitBridges(table, bridges);
      const note = `firewalld drops forwarded packets: the engine's bridges are in its zone ${zone}`;
      return elsewhere.length === 0
        ? note
        : `${note}, but not those of another zone: ${elsewhere.join(', ')}`;
    } catch (failure) {
      error = failure;
    }
  }
  ctx.log.warn('could not place accept rules in a chain that drops', { chain: where, error });
  return `WARNING: the chain ${where} drops forwarded packets and cannot be changed: allow the engine's bridges there`;
}

/** For bridges that go: out of firewalld's zone, where it runs. An interface that stays behind there does no harm. */
export async function leaveZones(room: ForeignChains, ctx: Ctx, bridges: readonly string[]): Promise<void> {
  const chains = await room.host.nftChains(undefined);
  if (bridges.length === 0 || !chains.some(isFirewalld)) return;
  await dismissBridges(room.table, bridges).catch((error: unknown) =>
    ctx.log.debug('bridges could not leave a zone of firewalld', { bridges, error }),
  );
}

/** Removes our rules but for those of `keep`. */
export async function cleanForeignChains(room: ForeignChains, keep: readonly string[]): Promise<void> {
  const chains = await room.host.nftChains(undefined);
  for (const chain of chains) {
    if (chain.hook !== 'forward' || (chain.family === 'inet' && chain.table === room.table)) continue;
    const rules = await room.host.nftRules(undefined, chain);
    const changes = planForeignRemoval(room.table, keep, rules);
    if (changes.length > 0) await room.host.nftApply(undefined, changes);
  }
}
