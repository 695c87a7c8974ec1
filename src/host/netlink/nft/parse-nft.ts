/** The kernel's answers to nftables dumps as records. Pure. */

import type {
  NftChainInfo,
  NftElement,
  NftFamily,
  NftRuleInfo,
  NftVerdict,
} from '../../../core/ports/nft.ts';
import { listAttributes, parseAttributes, readBe32, readText, type NetlinkMessage } from '../parse.ts';
import {
  chainAttribute,
  elementAttribute,
  familyNumber,
  hookAttribute,
  hookNumber,
  listAttribute,
  nftType,
  ruleAttribute,
  typeOf,
} from './changes.ts';
import { verdictCode } from './expressions.ts';

const headBytes = 4;
const dataValue = 1;
const dataVerdict = 2;
const commentType = 0;

function isFamily(name: string): name is NftFamily {
  return name in familyNumber;
}

/** Undefined for families that we never make (arp, netdev). */
function familyOf(message: NetlinkMessage): NftFamily | undefined {
  const number = message.body[0];
  return Object.keys(familyNumber)
    .filter(isFamily)
    .find((name) => familyNumber[name] === number);
}

function expects(message: NetlinkMessage, what: number): boolean {
  return message.type === typeOf(what) && message.body.length >= headBytes;
}

/** The comment in nft's user data: records of type, length, bytes. */
export function readComment(userdata: Uint8Array | undefined): string {
  const bytes = Buffer.from(userdata ?? []);
  for (let at = 0; at + 2 <= bytes.length; at += 2 + bytes.readUInt8(at + 1)) {
    if (bytes.readUInt8(at) !== commentType) continue;
    return bytes.toString('utf8', at + 2, at + 2 + bytes.readUInt8(at + 1)).replace(/\0.*$/s, '');
  }
  return '';
}

function readVerdict(data: Buffer): NftVerdict | undefined {
  const attributes = parseAttributes(data);
  const code = (readBe32(attributes, 1) ?? 0) | 0;
  const chain = readText(attributes, 2);
  if (code === verdictCode.jump) return { verdict: 'jump', chain };
  if (code === verdictCode.goto) return { verdict: 'goto', chain };
  if (code === verdictCode.accept) return { verdict: 'accept' };
  if (code === verdictCode.drop) return { verdict: 'drop' };
  return code === verdictCode.return ? { verdict: 'return' } : undefined;
}

function parseElement(data: Buffer): NftElement | undefined {
  const attributes = parseAttributes(data);
  const key = attributes.get(elementAttribute.key);
  const keyValue = key === undefined ? undefined : parseAttributes(key).get(dataValue);
  if (keyValue === undefined) return undefined;
  const held = parseAttributes(attributes.get(elementAttribute.data) ?? Buffer.alloc(0));
  const value = held.get(dataValue);
  const verdictBytes = held.get(dataVerdict);
  const verdict = verdictBytes === undefined ? undefined : readVerdict(verdictBytes);
  const comment = readComment(attributes.get(elementAttribute.userdata));
  return {
    key: new Uint8Array(keyValue),
    ...(value === undefined ? {} : { data: new Uint8Array(value) }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(comment === '' ? {} : { comment }),
  };
}

/** A dump comes in several messages, each with a list of elements. */
export function parseElements(message: NetlinkMessage): NftElement[] {
  if (!expects(message, nftType.newElements)) return [];
  const list = parseAttributes(message.body, headBytes).get(listAttribute.elements);
  return listAttributes(list ?? Buffer.alloc(0))
    .map(({ data }) => parseElement(data))
    .filter((element) => element !== undefined);
}

export function parseChain(message: NetlinkMessage): NftChainInfo | undefined {
  const family = familyOf(message);
  if (!expects(message, nftType.newChain) || family === undefined) return undefined;
  const attributes = parseAttributes(message.body, headBytes);
  const hook = parseAttributes(attributes.get(chainAttribute.hook) ?? Buffer.alloc(0));
  const number = readBe32(hook, hookAttribute.number);
  const policy = readBe32(attributes, chainAttribute.policy);
  return {
    family,
    table: readText(attributes, chainAttribute.table),
    chain: readText(attributes, chainAttribute.name),
    hook: Object.entries(hookNumber).find(([, value]) => value === number)?.[0] ?? '',
    type: readText(attributes, chainAttribute.type),
    priority: (readBe32(hook, hookAttribute.priority) ?? 0) | 0,
    policy: policy === undefined ? '' : policy === 0 ? 'drop' : 'accept',
  };
}

const expression = { name: 1, data: 2 } as const;
const immediateData = 2;

/** A verdict is the value of an `immediate` expression. */
function jumpOf(data: Buffer): readonly string[] {
  const attributes = parseAttributes(data);
  if (readText(attributes, expression.name) !== 'immediate') return [];
  const immediate = parseAttributes(attributes.get(expression.data) ?? Buffer.alloc(0));
  const held = parseAttributes(immediate.get(immediateData) ?? Buffer.alloc(0)).get(dataVerdict);
  const verdict = held === undefined ? undefined : readVerdict(held);
  return verdict !== undefined && 'chain' in verdict ? [verdict.chain] : [];
}

export function parseRule(message: NetlinkMessage): NftRuleInfo | undefined {
  const family = familyOf(message);
  if (!expects(message, nftType.newRule) || family === undefined) return undefined;
  const attributes = parseAttributes(message.body, headBytes);
  const handle = attributes.get(ruleAttribute.handle);
  if (handle?.length !== 8) return undefined;
  return {
    family,
    table: readText(attributes, ruleAttribute.table),
    chain: readText(attributes, ruleAttribute.chain),
    handle: handle.readBigUInt64BE(0),
    comment: readComment(attributes.get(ruleAttribute.userdata)),
    jumpsTo: listAttributes(attributes.get(ruleAttribute.expressions) ?? Buffer.alloc(0)).flatMap(
      ({ data }) => jumpOf(data),
    ),
  };
}
