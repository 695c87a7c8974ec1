/** nftables on the calling thread: transactions and dumps. */

import type { NamespaceRef } from '../../core/ports/host.ts';
import type { NftChainInfo, NftChange, NftElement, NftRuleInfo, NftTableRef } from '../../core/ports/nft.ts';
import { errorCode, fromFault, toFault } from '../ffi/kernel-error.ts';
import { batchBegin, batchEnd } from '../netlink/nft/batch.ts';
import {
  encodeChainsDump,
  encodeChanges,
  encodeElementsDump,
  encodeRulesDump,
} from '../netlink/nft/changes.ts';
import { parseChain, parseElements, parseRule } from '../netlink/nft/parse-nft.ts';
import { dump, sendBatch } from '../netlink/socket.ts';
import { withSocket, type NetworkThread } from './thread.ts';

export interface NftCalls {
  nftApply(namespace: NamespaceRef | undefined, changes: readonly NftChange[]): void;
  nftElements(
    namespace: NamespaceRef | undefined,
    set: NftTableRef & { readonly set: string },
  ): NftElement[] | undefined;
  nftChains(namespace: NamespaceRef | undefined): NftChainInfo[];
  nftRules(
    namespace: NamespaceRef | undefined,
    chain: NftTableRef & { readonly chain: string },
  ): NftRuleInfo[];
}

function runBatch(fd: number, messages: readonly Uint8Array[]): void {
  if (messages.length === 0) return;
  sendBatch(fd, [batchBegin(), ...messages, batchEnd()], 1, 'nftables');
}

function describe(change: NftChange | undefined): string {
  if (change === undefined) return '';
  const name = 'chain' in change ? change.chain : 'set' in change ? change.set : '';
  return ` (${change.change} ${change.family} ${change.table}${name === '' ? '' : ` ${name}`})`;
}

/** One transaction; an error carries the position of the refused change, counted from `offset`. */
export function runChanges(fd: number, changes: readonly NftChange[], offset = 0): void {
  const { messages, owners } = encodeChanges(changes);
  try {
    runBatch(fd, messages);
  } catch (error) {
    const fault = toFault(error);
    const owner = owners[fault.index];
    if (owner === undefined) throw error;
    const message = fault.message + describe(changes[owner]);
    throw fromFault({ ...fault, message, index: offset + owner });
  }
}

/** Undefined where the table, chain or set is not there. */
function orAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function nftCalls(thread: NetworkThread): NftCalls {
  const read = (
    namespace: NamespaceRef | undefined,
    request: Uint8Array,
    what: string,
  ): ReturnType<typeof dump> => withSocket(thread, 'netfilter', namespace, (fd) => dump(fd, request, what));
  return {
    nftApply: (namespace, changes) =>
      withSocket(thread, 'netfilter', namespace, (fd) => runChanges(fd, changes)),
    nftElements: (namespace, set) =>
      orAbsent(() =>
        read(namespace, encodeElementsDump(set), `elements of ${set.set}`).flatMap(parseElements),
      ),
    nftChains: (namespace) =>
      read(namespace, encodeChainsDump(), 'chains')
        .map(parseChain)
        .filter((chain) => chain !== undefined),
    nftRules: (namespace, chain) =>
      (orAbsent(() => read(namespace, encodeRulesDump(chain), `rules of ${chain.chain}`)) ?? [])
        .map(parseRule)
        .filter((rule) => rule !== undefined),
  };
}
