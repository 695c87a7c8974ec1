/** Tables of a fake kernel. A transaction works on a copy that takes the place of the tables when all of it was accepted. */

import type {
  NftChainInfo,
  NftChange,
  NftElement,
  NftExpression,
  NftFamily,
  NftRuleInfo,
  NftTableRef,
  NftVerdict,
} from '../../../../src/core/ports/nft.ts';
import { atIndex, kernelFailure } from './errors.ts';

interface FakeRule {
  readonly handle: bigint;
  readonly comment: string;
  readonly expressions: readonly NftExpression[];
}

interface FakeChain {
  readonly hook: Extract<NftChange, { change: 'addChain' }>['hook'];
  rules: FakeRule[];
}

interface FakeSet {
  readonly elements: Map<string, NftElement>;
}

interface FakeTable extends NftTableRef {
  readonly family: NftFamily;
  readonly chains: Map<string, FakeChain>;
  readonly sets: Map<string, FakeSet>;
}

export interface FakeTables {
  apply(changes: readonly NftChange[]): void;
  elements(set: NftTableRef & { readonly set: string }): NftElement[] | undefined;
  chains(): NftChainInfo[];
  rules(chain: NftTableRef & { readonly chain: string }): NftRuleInfo[];
  /** The expressions of a chain's rules, in order: what the firewall asked for. */
  expressions(chain: NftTableRef & { readonly chain: string }): (readonly NftExpression[])[];
}

type State = Map<string, FakeTable>;

const keyOf = ({ family, table }: NftTableRef): string => `${family} ${table}`;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const refused = (code: string, what: string): Error => kernelFailure('netlink', code, what);

function tableOf(state: State, ref: NftTableRef): FakeTable {
  const table = state.get(keyOf(ref));
  if (table === undefined) throw refused('ENOENT', `table ${keyOf(ref)}`);
  return table;
}

function chainOf(state: State, ref: NftTableRef & { readonly chain: string }): FakeChain {
  const chain = tableOf(state, ref).chains.get(ref.chain);
  if (chain === undefined) throw refused('ENOENT', `chain ${ref.chain}`);
  return chain;
}

function setOf(state: State, ref: NftTableRef & { readonly set: string }): FakeSet {
  const set = tableOf(state, ref).sets.get(ref.set);
  if (set === undefined) throw refused('ENOENT', `set ${ref.set}`);
  return set;
}

const targetOf = (verdict: NftVerdict | undefined): string | undefined =>
  verdict !== undefined && 'chain' in verdict ? verdict.chain : undefined;

/** Chains that rules and verdict maps of the table jump to. */
function jumpTargets(table: FakeTable): Set<string | undefined> {
  const verdicts = [
    ...[...table.chains.values()].flatMap(({ rules }) =>
      rules.flatMap(({ expressions }) =>
        expressions.map((item) => (item.expr === 'verdict' ? item.verdict : undefined)),
      ),
    ),
    ...[...table.sets.values()].flatMap(({ elements }) =>
      [...elements.values()].map(({ verdict }) => verdict),
    ),
  ];
  return new Set(verdicts.map(targetOf));
}

function checkExpressions(table: FakeTable, expressions: readonly NftExpression[]): void {
  for (const item of expressions) {
    if (item.expr === 'lookup' && !table.sets.has(item.set)) throw refused('ENOENT', `set ${item.set}`);
    const target = item.expr === 'verdict' ? targetOf(item.verdict) : undefined;
    if (target !== undefined && !table.chains.has(target)) throw refused('ENOENT', `chain ${target}`);
  }
}

function addElements(state: State, change: Extract<NftChange, { change: 'addElements' }>): void {
  const { elements } = setOf(state, change);
  for (const element of change.elements) {
    const known = elements.get(hex(element.key));
    const same =
      known !== undefined && hex(known.data ?? Buffer.alloc(0)) === hex(element.data ?? Buffer.alloc(0));
    if (known !== undefined && (change.exclusive === true || !same))
      throw refused('EEXIST', `element ${hex(element.key)}`);
    elements.set(hex(element.key), known ?? element);
  }
}

function deleteElements(state: State, change: Extract<NftChange, { change: 'deleteElements' }>): void {
  const { elements } = setOf(state, change);
  for (const { key } of change.elements) {
    if (!elements.delete(hex(key))) throw refused('ENOENT', `element ${hex(key)}`);
  }
}

function deleteChain(state: State, change: Extract<NftChange, { change: 'deleteChain' }>): void {
  chainOf(state, change).rules = [];
  const table = tableOf(state, change);
  if (jumpTargets(table).has(change.chain)) throw refused('EBUSY', `chain ${change.chain}`);
  table.chains.delete(change.chain);
}

function applyChange(state: State, change: NftChange, handle: () => bigint): void {
  switch (change.change) {
    case 'addTable': {
      const { family, table } = change;
      if (!state.has(keyOf(change))) {
        state.set(keyOf(change), { family, table, chains: new Map(), sets: new Map() });
      }
      return;
    }
    case 'deleteTable':
      tableOf(state, change);
      return void state.delete(keyOf(change));
    case 'addChain': {
      const { chains } = tableOf(state, change);
      if (!chains.has(change.chain)) chains.set(change.chain, { hook: change.hook, rules: [] });
      return;
    }
    case 'flushChain':
      chainOf(state, change).rules = [];
      return;
    case 'deleteChain':
      return deleteChain(state, change);
    case 'addSet': {
      const { sets } = tableOf(state, change);
      if (!sets.has(change.set)) sets.set(change.set, { elements: new Map() });
      return;
    }
    case 'addElements':
      return addElements(state, change);
    case 'deleteElements':
      return deleteElements(state, change);
    case 'flushSet':
      return setOf(state, change).elements.clear();
    case 'addRule': {
      const { rules } = chainOf(state, change);
      checkExpressions(tableOf(state, change), change.expressions);
      const rule = { handle: handle(), comment: change.comment ?? '', expressions: change.expressions };
      const at = rules.findIndex((one) => one.handle === change.after);
      if (change.after !== undefined && at < 0) throw refused('ENOENT', 'rule');
      if (change.after !== undefined) rules.splice(at + 1, 0, rule);
      else if (change.first === true) rules.unshift(rule);
      else rules.push(rule);
      return;
    }
    case 'deleteRule': {
      const chain = chainOf(state, change);
      if (!chain.rules.some((rule) => rule.handle === change.handle)) throw refused('ENOENT', 'rule');
      chain.rules = chain.rules.filter((rule) => rule.handle !== change.handle);
    }
  }
}

export function createFakeTables(): FakeTables {
  let state: State = new Map();
  let lastHandle = 0n;
  const chainIfThere = (ref: NftTableRef & { readonly chain: string }): FakeChain | undefined =>
    state.get(keyOf(ref))?.chains.get(ref.chain);
  return {
    apply(changes) {
      const next = structuredClone(state);
      changes.forEach((change, at) => {
        try {
          applyChange(next, change, () => ++lastHandle);
        } catch (error) {
          throw atIndex(error, at);
        }
      });
      state = next;
    },
    elements(ref) {
      const set = state.get(keyOf(ref))?.sets.get(ref.set);
      return set === undefined ? undefined : [...set.elements.values()];
    },
    chains: () =>
      [...state.values()].flatMap(({ family, table, chains }) =>
        [...chains].map(([chain, { hook }]) => ({
          family,
          table,
          chain,
          hook: hook?.hook ?? '',
          type: hook?.type ?? '',
          priority: hook?.priority ?? 0,
          policy: hook?.policy ?? ('' as const),
        })),
      ),
    rules: (ref) =>
      (chainIfThere(ref)?.rules ?? []).map(({ handle, comment, expressions }) => ({
        family: ref.family,
        table: ref.table,
        chain: ref.chain,
        handle,
        comment,
        jumpsTo: expressions.flatMap((one) =>
          one.expr === 'verdict' && 'chain' in one.verdict ? [one.verdict.chain] : [],
        ),
      })),
    expressions: (ref) => (chainIfThere(ref)?.rules ?? []).map(({ expressions }) => expressions),
  };
}
