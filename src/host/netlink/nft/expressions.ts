/** Expressions of nftables rules as netlink attributes. Pure; linux/netfilter/nf_tables.h. */

import { invalid } from '../../../core/errors.ts';
import type { NftExpression, NftVerdict } from '../../../core/ports/nft.ts';
import { attribute, be32, nested, text } from '../attributes.ts';

const listElement = 1;
const expression = { name: 1, data: 2 } as const;
const dataAttribute = { value: 1, verdict: 2 } as const;
const verdictAttribute = { code: 1, chain: 2 } as const;
export const verdictCode = { drop: 0, accept: 1, jump: -3, goto: -4, return: -5 } as const;

const metaKey = {
  protocol: 1,
  mark: 3,
  iif: 4,
  iifname: 6,
  oifname: 7,
  nfproto: 15,
  l4proto: 16,
  ibrname: 17,
  secpath: 25,
} as const;
const rtKey = { ipsec: 4 } as const;
const payloadBase = { link: 0, network: 1, transport: 2 } as const;
const fibResult = { oif: 1, oifname: 2, addrtype: 3 } as const;
const fibFlag = { saddr: 1, daddr: 2, mark: 4, iif: 8, oif: 16 } as const;
const ctKey = { state: 0, status: 2, mark: 3 } as const;
const natType = { snat: 0, dnat: 1 } as const;
const natFamily = { ip: 2, ip6: 10 } as const;

const firstRegister = 8;
const verdictRegister = 0;

function register(type: number, number: number): Buffer {
  if (!Number.isInteger(number) || number < 0 || number > 15) throw invalid(`invalid register ${number}`);
  return attribute(type, be32(firstRegister + number));
}

const number = (type: number, value: number): Buffer => attribute(type, be32(value));

/** A nested NFTA_DATA_VALUE. */
export function encodeValue(type: number, value: Uint8Array): Buffer {
  return nested(type, attribute(dataAttribute.value, value));
}

export function encodeVerdict(type: number, verdict: NftVerdict): Buffer {
  const chain = 'chain' in verdict ? [attribute(verdictAttribute.chain, text(verdict.chain))] : [];
  const code = number(verdictAttribute.code, verdictCode[verdict.verdict]);
  return nested(type, nested(dataAttribute.verdict, code, ...chain));
}

/** The kernel's name of the expression and its attributes. */
function parts(item: NftExpression): { name: string; data: readonly Buffer[] } {
  switch (item.expr) {
    case 'meta':
      return { name: 'meta', data: [register(1, item.dreg), number(2, metaKey[item.key])] };
    case 'rt':
      return { name: 'rt', data: [register(1, item.dreg), number(2, rtKey[item.key])] };
    case 'metaSet':
      return { name: 'meta', data: [number(2, metaKey[item.key]), register(3, item.sreg)] };
    case 'payload':
      return {
        name: 'payload',
        data: [
          register(1, item.dreg),
          number(2, payloadBase[item.base]),
          number(3, item.offset),
          number(4, item.length),
        ],
      };
    case 'cmp':
      return {
        name: 'cmp',
        data: [register(1, item.sreg), number(2, item.op === 'eq' ? 0 : 1), encodeValue(3, item.data)],
      };
    case 'bitwise':
      return { name: 'bitwise', data: bitwise(item) };
    case 'lookup':
      return { name: 'lookup', data: lookup(item) };
    case 'immediate':
      return { name: 'immediate', data: [register(1, item.dreg), encodeValue(2, item.data)] };
    case 'verdict':
      return { name: 'immediate', data: [number(1, verdictRegister), encodeVerdict(2, item.verdict)] };
    case 'fib': {
      const flags = item.flags.reduce((bits, flag) => bits | fibFlag[flag], 0);
      return {
        name: 'fib',
        data: [register(1, item.dreg), number(2, fibResult[item.result]), number(3, flags)],
      };
    }
    case 'ct':
      return { name: 'ct', data: [register(1, item.dreg), number(2, ctKey[item.key])] };
    case 'nat':
      return { name: 'nat', data: nat(item) };
    case 'masquerade':
      return { name: 'masq', data: [] };
    case 'redirect':
      return { name: 'redir', data: [register(1, item.portRegister), number(3, portGiven)] };
    case 'counter':
      return { name: 'counter', data: [] };
    case 'notrack':
      return { name: 'notrack', data: [] };
  }
}

function bitwise(item: Extract<NftExpression, { expr: 'bitwise' }>): Buffer[] {
  if (item.mask.length !== item.xor.length) throw invalid('bitwise: mask and xor differ in length');
  return [
    register(1, item.sreg),
    register(2, item.dreg),
    number(3, item.mask.length),
    encodeValue(4, item.mask),
    encodeValue(5, item.xor),
  ];
}

function lookup(item: Extract<NftExpression, { expr: 'lookup' }>): Buffer[] {
  return [
    attribute(1, text(item.set)),
    register(2, item.sreg),
    ...(item.dreg === undefined ? [] : [register(3, item.dreg)]),
    ...(item.invert === true ? [number(5, 1)] : []),
  ];
}

const portGiven = 2;

/** As nft does: no upper end of a range, and a flag where there is a port. */
function nat(item: Extract<NftExpression, { expr: 'nat' }>): Buffer[] {
  const { addressRegister, portRegister } = item;
  return [
    number(1, natType[item.type]),
    number(2, natFamily[item.family]),
    ...(addressRegister === undefined ? [] : [register(3, addressRegister)]),
    ...(portRegister === undefined ? [] : [register(5, portRegister), number(7, portGiven)]),
  ];
}

/** The elements of NFTA_RULE_EXPRESSIONS. */
export function encodeExpressions(items: readonly NftExpression[]): Buffer[] {
  return items.map((item) => {
    const { name, data } = parts(item);
    return nested(listElement, attribute(expression.name, text(name)), nested(expression.data, ...data));
  });
}
