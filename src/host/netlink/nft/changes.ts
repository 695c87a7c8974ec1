/** Changes of nftables as nfnetlink messages. Pure; linux/netfilter/nf_tables.h. A change may take several messages: an attribute holds 64 KiB at most. */

import { invalid } from '../../../core/errors.ts';
import type { NftChange, NftElement, NftFamily, NftTableRef, NftType } from '../../../core/ports/nft.ts';
import { attribute, be32, be64, flag, message, nested, text } from '../attributes.ts';
import { generic, subsystem } from './batch.ts';
import { encodeExpressions, encodeValue, encodeVerdict } from './expressions.ts';

export const nftType = {
  newTable: 0,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  deleteChain: 5,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  newSet: 9,
  newElements: 12,
  getElements: 13,
  deleteElements: 14,
} as const;

export const familyNumber: Readonly<Record<NftFamily, number>> = { inet: 1, ip: 2, bridge: 7, ip6: 10 };
export const hookNumber = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;
export const chainAttribute = { table: 1, handle: 2, name: 3, hook: 4, policy: 5, type: 7 } as const;
export const hookAttribute = { number: 1, priority: 2 } as const;
export const ruleAttribute = {
  table: 1,
  chain: 2,
  handle: 3,
  expressions: 4,
  position: 6,
  userdata: 7,
} as const;
const setAttribute = {
  table: 1,
  name: 2,
  flags: 3,
  keyType: 4,
  keyLength: 5,
  dataType: 6,
  dataLength: 7,
  id: 10,
  userdata: 13,
};
export const listAttribute = { table: 1, set: 2, elements: 3 } as const;
export const elementAttribute = { key: 1, data: 2, userdata: 6 } as const;
const tableName = 1;
const listElement = 1;
const mapFlag = 8;
const verdictType = 0xffffff00;

/** nft's own numbers of data types and their lengths in bytes; the kernel only stores the number, for `nft list`. */
const dataTypes: Readonly<Record<NftType, { number: number; length: number }>> = {
  ipv4_addr: { number: 7, length: 4 },
  ipv6_addr: { number: 8, length: 16 },
  ether_addr: { number: 9, length: 6 },
  inet_proto: { number: 12, length: 1 },
  inet_service: { number: 13, length: 2 },
  mark: { number: 19, length: 4 },
  ifname: { number: 41, length: 16 },
};
const typeBits = 6;

/** Below the 64 KiB of one attribute, with room for the element that goes over it. */
const elementsBytes = 60_000;
const longestComment = 127;

export const typeOf = (what: number): number => (subsystem.nftables << 8) | what;
const update = flag.request | flag.create;

function request(what: number, flags: number, ref: NftTableRef, ...attributes: Buffer[]): Buffer {
  return message(typeOf(what), flags, generic(familyNumber[ref.family]), ...attributes);
}

/** A comment as nft writes it: type 0, length, text with its zero byte. */
function comment(type: number, value: string | undefined): Buffer[] {
  if (value === undefined || value === '') return [];
  const bytes = text(value);
  if (bytes.length > longestComment + 1) throw invalid(`nftables comment is too long: ${value}`);
  return [attribute(type, Buffer.concat([Buffer.from([0, bytes.length]), bytes]))];
}

/** Number and length of a type; parts of a concatenation are padded to four bytes each. */
export function concatenated(types: readonly NftType[]): { number: number; length: number } {
  const [only] = types;
  if (only === undefined) throw invalid('a set needs a key type');
  if (types.length === 1) return dataTypes[only];
  return types.reduce(
    (sum, type) => ({
      number: (sum.number << typeBits) | dataTypes[type].number,
      length: sum.length + Math.ceil(dataTypes[type].length / 4) * 4,
    }),
    { number: 0, length: 0 },
  );
}

function encodeChain(change: Extract<NftChange, { change: 'addChain' }>): Buffer {
  const { hook } = change;
  const base =
    hook === undefined
      ? []
      : [
          attribute(chainAttribute.type, text(hook.type)),
          attribute(chainAttribute.policy, be32(hook.policy === 'accept' ? 1 : 0)),
          nested(
            chainAttribute.hook,
            attribute(hookAttribute.number, be32(hookNumber[hook.hook])),
            attribute(hookAttribute.priority, be32(hook.priority)),
          ),
        ];
  return request(
    nftType.newChain,
    update,
    change,
    attribute(chainAttribute.table, text(change.table)),
    attribute(chainAttribute.name, text(change.chain)),
    ...base,
  );
}

/**
 * Tells the `nft` program that a key is in host order (user data 0, length 4, 1): without it the names of interfaces are
 * listed as empty. The kernel does not read it.
 */
function keyOrder(types: readonly NftType[]): Buffer[] {
  const [only] = types;
  if (types.length > 1 || (only !== 'ifname' && only !== 'mark')) return [];
  return [attribute(setAttribute.userdata, Buffer.from([0, 4, 1, 0, 0, 0]))];
}

function encodeSet(change: Extract<NftChange, { change: 'addSet' }>, id: number): Buffer {
  const key = concatenated(change.key);
  const { data } = change;
  const value = data === undefined || data === 'verdict' ? undefined : concatenated(data);
  return request(
    nftType.newSet,
    update,
    change,
    attribute(setAttribute.table, text(change.table)),
    attribute(setAttribute.name, text(change.set)),
    attribute(setAttribute.flags, be32(data === undefined ? 0 : mapFlag)),
    attribute(setAttribute.keyType, be32(key.number)),
    attribute(setAttribute.keyLength, be32(key.length)),
    ...(data === 'verdict' ? [attribute(setAttribute.dataType, be32(verdictType))] : []),
    ...(value === undefined
      ? []
      : [
          attribute(setAttribute.dataType, be32(value.number)),
          attribute(setAttribute.dataLength, be32(value.length)),
        ]),
    attribute(setAttribute.id, be32(id)),
    ...keyOrder(change.key),
  );
}

function encodeElement(element: NftElement): Buffer {
  return nested(
    listElement,
    encodeValue(elementAttribute.key, element.key),
    ...(element.data === undefined ? [] : [encodeValue(elementAttribute.data, element.data)]),
    ...(element.verdict === undefined ? [] : [encodeVerdict(elementAttribute.data, element.verdict)]),
    ...comment(elementAttribute.userdata, element.comment),
  );
}

/** As many messages as the elements need; none for none (a message without elements would empty the set). */
function encodeElements(
  what: number,
  flags: number,
  change: NftTableRef & { readonly set: string; readonly elements: readonly NftElement[] },
): Buffer[] {
  const messages: Buffer[] = [];
  let chunk: Buffer[] = [];
  let size = 0;
  const flush = (): void => {
    if (chunk.length === 0) return;
    const elements = nested(listAttribute.elements, ...chunk);
    messages.push(request(what, flags, change, ...setOf(change), elements));
    chunk = [];
    size = 0;
  };
  for (const element of change.elements) {
    const bytes = encodeElement(element);
    if (size + bytes.length > elementsBytes) flush();
    chunk.push(bytes);
    size += bytes.length;
  }
  flush();
  return messages;
}

function setOf(change: NftTableRef & { readonly set: string }): Buffer[] {
  return [attribute(listAttribute.table, text(change.table)), attribute(listAttribute.set, text(change.set))];
}

function chainOf(change: NftTableRef & { readonly chain: string }): Buffer[] {
  return [
    attribute(ruleAttribute.table, text(change.table)),
    attribute(ruleAttribute.chain, text(change.chain)),
  ];
}

function encodeRule(change: Extract<NftChange, { change: 'addRule' }>): Buffer {
  return request(
    nftType.newRule,
    change.first === true ? update : update | flag.append,
    change,
    ...chainOf(change),
    nested(ruleAttribute.expressions, ...encodeExpressions(change.expressions)),
    ...(change.after === undefined ? [] : [attribute(ruleAttribute.position, be64(change.after))]),
    ...comment(ruleAttribute.userdata, change.comment),
  );
}

/** The messages of one change, in order. `id` must be its own within the batch (new sets need one). */
export function encodeChange(change: NftChange, id: number): Buffer[] {
  switch (change.change) {
    case 'addTable':
      return [request(nftType.newTable, update, change, attribute(tableName, text(change.table)))];
    case 'deleteTable':
      return [request(nftType.deleteTable, flag.request, change, attribute(tableName, text(change.table)))];
    case 'addChain':
      return [encodeChain(change)];
    case 'flushChain':
      return [request(nftType.deleteRule, flag.request, change, ...chainOf(change))];
    case 'deleteChain':
      return [
        request(
          nftType.deleteChain,
          flag.request,
          change,
          attribute(chainAttribute.table, text(change.table)),
          attribute(chainAttribute.name, text(change.chain)),
        ),
      ];
    case 'addSet':
      return [encodeSet(change, id)];
    case 'addElements':
      return encodeElements(
        nftType.newElements,
        change.exclusive === true ? update | flag.exclusive : update,
        change,
      );
    case 'deleteElements':
      return encodeElements(nftType.deleteElements, flag.request, change);
    case 'flushSet':
      return [request(nftType.deleteElements, flag.request, change, ...setOf(change))];
    case 'addRule':
      return [encodeRule(change)];
    case 'deleteRule':
      return [
        request(
          nftType.deleteRule,
          flag.request,
          change,
          ...chainOf(change),
          attribute(ruleAttribute.handle, be64(change.handle)),
        ),
      ];
  }
}

/** All messages of a transaction and, for each, which change it belongs to. */
export function encodeChanges(changes: readonly NftChange[]): { messages: Buffer[]; owners: number[] } {
  const messages: Buffer[] = [];
  const owners: number[] = [];
  changes.forEach((change, at) => {
    for (const bytes of encodeChange(change, at + 1)) {
      messages.push(bytes);
      owners.push(at);
    }
  });
  return { messages, owners };
}

const dump = flag.request | flag.dump;

export function encodeElementsDump(set: NftTableRef & { readonly set: string }): Buffer {
  return request(nftType.getElements, dump, set, ...setOf(set));
}

/** All chains of all families. */
export function encodeChainsDump(): Buffer {
  return message(typeOf(nftType.getChain), dump, generic(0));
}

export function encodeRulesDump(chain: NftTableRef & { readonly chain: string }): Buffer {
  return request(nftType.getRule, dump, chain, ...chainOf(chain));
}
