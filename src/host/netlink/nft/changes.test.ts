/**
 * Bytes that nft 1.0.6 sends for the same statements (strace), with two differences: ours number the 4-byte registers
 * (from 8) where nft uses the 16-byte ones (from 1), and the order of attributes within an expression.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NftChange, NftExpression } from '../../../core/ports/nft.ts';
import { batchBegin, batchEnd } from './batch.ts';
import {
  concatenated,
  encodeChange,
  encodeChanges,
  encodeChainsDump,
  encodeElementsDump,
} from './changes.ts';

const table = { family: 'ip', table: 't' } as const;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function sends(change: NftChange, ...expected: string[]): void {
  const messages = encodeChange(change, 1).map((message) => message.toString('hex'));
  assert.deepEqual(messages, [expected.join('').replaceAll(' ', '')]);
}

/** The rule's message up to its expressions: of a chain c of the table t. */
const ruleHead = (length: string, expressions: string): string =>
  `${length} 060a 010c 00000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0200 6300 0000 ${expressions} 0480`;

const rule = (...expressions: NftExpression[]): NftChange => ({
  ...table,
  change: 'addRule',
  chain: 'c',
  expressions,
});

test('the frame of a batch', () => {
  assert.equal(batchBegin().toString('hex'), '140000001000010000000000000000000000000a');
  assert.equal(batchEnd().toString('hex'), '140000001100010000000000000000000000000a');
});

test('add table, delete table', () => {
  sends(
    { ...table, change: 'addTable' },
    '1c000000 000a 0104 00000000 00000000 02 00 0000 0600 0100 7400 0000',
  );
  sends(
    { ...table, change: 'deleteTable' },
    '1c000000 020a 0100 00000000 00000000 02 00 0000 0600 0100 7400 0000',
  );
});

test('add chain t c { type nat hook prerouting priority -100; policy accept; }', () => {
  sends(
    {
      ...table,
      change: 'addChain',
      chain: 'c',
      hook: { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' },
    },
    '48000000 030a 0104 00000000 00000000 02 00 0000',
    '0600 0100 7400 0000 0600 0300 6300 0000',
    '0800 0700 6e617400', // NFTA_CHAIN_TYPE
    '0800 0500 00000001', // NFTA_CHAIN_POLICY
    '1400 0480 0800 0100 00000000 0800 0200 ffffff9c', // NFTA_CHAIN_HOOK { number, priority }
  );
  sends(
    { ...table, change: 'addChain', chain: 'd' },
    '24000000 030a 0104 00000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0300 6400 0000',
  );
});

test('flush chain, delete chain', () => {
  sends(
    { ...table, change: 'flushChain', chain: 'c' },
    '24000000 080a 0100 00000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0200 6300 0000',
  );
  sends(
    { ...table, change: 'deleteChain', chain: 'c' },
    '24000000 050a 0100 00000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0300 6300 0000',
  );
});

test('add map { type inet_proto . inet_service : ipv4_addr . inet_service; }', () => {
  sends(
    {
      ...table,
      change: 'addSet',
      set: 'ports',
      key: ['inet_proto', 'inet_service'],
      data: ['ipv4_addr', 'inet_service'],
    },
    '58000000 090a 0104 00000000 00000000 02 00 0000',
    '0600 0100 7400 0000 0a00 0200 706f72747300 0000',
    '0800 0300 00000008', // NFT_SET_MAP
    '0800 0400 0000030d 0800 0500 00000008', // key type, length
    '0800 0600 000001cd 0800 0700 00000008', // data type, length
    '0800 0a00 00000001', // NFTA_SET_ID
  );
});

test('types of keys', () => {
  assert.deepEqual(concatenated(['inet_service']), { number: 13, length: 2 });
  assert.deepEqual(concatenated(['ifname', 'ipv6_addr', 'inet_proto']), {
    number: (41 << 12) | (8 << 6) | 12,
    length: 36,
  });
  assert.throws(() => concatenated([]), /needs a key type/);
});

test('add element { tcp . 80 comment "web" : 10.1.2.3 . 8080 }', () => {
  const key = bytes(6, 0, 0, 0, 0, 80, 0, 0);
  sends(
    {
      ...table,
      change: 'addElements',
      set: 'ports',
      elements: [{ key, data: bytes(10, 1, 2, 3, 0x1f, 0x90, 0, 0), comment: 'web' }],
    },
    '5c000000 0c0a 0104 00000000 00000000 02 00 0000',
    '0600 0100 7400 0000 0a00 0200 706f72747300 0000',
    '3400 0380 3000 0180', // NFTA_SET_ELEM_LIST_ELEMENTS { element {
    '1000 0180 0c00 0100 0600000000500000', // key
    '1000 0280 0c00 0100 0a0102031f900000', // data
    '0a00 0600 00 04 77656200 0000', // user data: comment
  );
  sends(
    { ...table, change: 'deleteElements', set: 'ports', elements: [{ key }] },
    '40000000 0e0a 0100 00000000 00000000 02 00 0000',
    '0600 0100 7400 0000 0a00 0200 706f72747300 0000',
    '1800 0380 1400 0180 1000 0180 0c00 0100 0600000000500000',
  );
});

test('an exclusive element, an element of a verdict map', () => {
  const key = bytes(10, 0, 0, 1);
  const [exclusive] = encodeChange(
    { ...table, change: 'addElements', set: 's', elements: [{ key }], exclusive: true },
    1,
  );
  assert.equal(exclusive?.readUInt16LE(6), 0x601);
  sends(
    { ...table, change: 'addElements', set: 's', elements: [{ key, verdict: { verdict: 'drop' } }] },
    '48000000 0c0a 0104 00000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0200 7300 0000',
    '2400 0380 2000 0180 0c00 0180 0800 0100 0a000001 1000 0280 0c00 0280 0800 0100 00000000',
  );
});

test('flushing a set names no elements; adding none sends nothing', () => {
  sends(
    { ...table, change: 'flushSet', set: 's' },
    '24000000 0e0a 0100 00000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0200 7300 0000',
  );
  assert.deepEqual(encodeChange({ ...table, change: 'deleteElements', set: 's', elements: [] }, 1), []);
});

test('many elements become several messages of one change', () => {
  const elements = Array.from({ length: 5000 }, (_, at) => ({ key: bytes(at >> 8, at & 0xff) }));
  const { messages, owners } = encodeChanges([
    { ...table, change: 'addTable' },
    { ...table, change: 'addElements', set: 's', elements },
    { ...table, change: 'flushChain', chain: 'c' },
  ]);
  assert.equal(messages.length, owners.length);
  assert.ok(messages.length > 3 && messages.every((message) => message.length < 65536));
  assert.deepEqual([...new Set(owners)], [0, 1, 2]);
});

test('fib daddr type local dnat to ip protocol . th dport map @ports, with a comment', () => {
  const expressions: NftExpression[] = [
    { expr: 'fib', result: 'addrtype', flags: ['daddr'], dreg: 0 },
    { expr: 'cmp', op: 'eq', sreg: 0, data: bytes(2, 0, 0, 0) },
    { expr: 'payload', base: 'network', offset: 9, length: 1, dreg: 0 },
    { expr: 'payload', base: 'transport', offset: 2, length: 2, dreg: 1 },
    { expr: 'lookup', set: 'ports', sreg: 0, dreg: 0 },
    { expr: 'nat', type: 'dnat', family: 'ip', addressRegister: 0, portRegister: 1 },
  ];
  sends(
    { ...table, change: 'addRule', chain: 'c', expressions, comment: 'p' },
    ruleHead('54010000', '2801'),
    '2800 0180 0800 0100 66696200 1c00 0280 0800 0100 00000008 0800 0200 00000003 0800 0300 00000002',
    '2c00 0180 0800 0100 636d7000 2000 0280 0800 0100 00000008 0800 0200 00000000 0c00 0380 0800 0100 02000000',
    '3400 0180 0c00 0100 7061796c6f616400 2400 0280',
    '0800 0100 00000008 0800 0200 00000001 0800 0300 00000009 0800 0400 00000001',
    '3400 0180 0c00 0100 7061796c6f616400 2400 0280',
    '0800 0100 00000009 0800 0200 00000002 0800 0300 00000002 0800 0400 00000002',
    '3000 0180 0b00 0100 6c6f6f6b757000 00 2000 0280 0a00 0100 706f72747300 0000',
    '0800 0200 00000008 0800 0300 00000008',
    '3800 0180 0800 0100 6e617400 2c00 0280 0800 0100 00000001 0800 0200 00000002',
    '0800 0300 00000008 0800 0500 00000009 0800 0700 00000002',
    '0800 0700 00 02 7000',
  );
});

test('iifname != "br0" ct state established,related counter masquerade', () => {
  sends(
    rule(
      { expr: 'meta', key: 'iifname', dreg: 0 },
      { expr: 'cmp', op: 'neq', sreg: 0, data: Buffer.concat([Buffer.from('br0'), Buffer.alloc(13)]) },
      { expr: 'ct', key: 'state', dreg: 0 },
      { expr: 'bitwise', sreg: 0, dreg: 0, mask: bytes(6, 0, 0, 0), xor: bytes(0, 0, 0, 0) },
      { expr: 'cmp', op: 'neq', sreg: 0, data: bytes(0, 0, 0, 0) },
      { expr: 'counter' },
      { expr: 'masquerade' },
    ),
    ruleHead('3c010000', '1801'),
    '2400 0180 0900 0100 6d65746100 000000 1400 0280 0800 0100 00000008 0800 0200 00000006',
    '3800 0180 0800 0100 636d7000 2c00 0280 0800 0100 00000008 0800 0200 00000001',
    '1800 0380 1400 0100 62723000000000000000000000000000',
    '2000 0180 0700 0100 637400 00 1400 0280 0800 0100 00000008 0800 0200 00000000',
    '4400 0180 0c00 0100 6269747769736500 3400 0280 0800 0100 00000008 0800 0200 00000008',
    '0800 0300 00000004 0c00 0480 0800 0100 06000000 0c00 0580 0800 0100 00000000',
    '2c00 0180 0800 0100 636d7000 2000 0280 0800 0100 00000008 0800 0200 00000001 0c00 0380 0800 0100 00000000',
    '1400 0180 0c00 0100 636f756e74657200 0400 0280',
    '1400 0180 0900 0100 6d61737100 000000 0400 0280',
  );
});

test('meta mark set 1 redirect to :5353', () => {
  sends(
    rule(
      { expr: 'immediate', dreg: 0, data: bytes(1, 0, 0, 0) },
      { expr: 'metaSet', key: 'mark', sreg: 0 },
      { expr: 'immediate', dreg: 0, data: bytes(0x14, 0xe9) },
      { expr: 'redirect', portRegister: 0 },
    ),
    ruleHead('c8000000', 'a400'),
    '2c00 0180 0e00 0100 696d6d65646961746500 0000 1800 0280 0800 0100 00000008 0c00 0280 0800 0100 01000000',
    '2400 0180 0900 0100 6d65746100 000000 1400 0280 0800 0200 00000003 0800 0300 00000008',
    '2c00 0180 0e00 0100 696d6d65646961746500 0000 1800 0280 0800 0100 00000008 0c00 0280 0600 0100 14e9 0000',
    '2400 0180 0a00 0100 726564697200 0000 1400 0280 0800 0100 00000008 0800 0300 00000002',
  );
});

test('ip saddr 10.0.0.0/8 jump d', () => {
  sends(
    rule(
      { expr: 'payload', base: 'network', offset: 12, length: 1, dreg: 0 },
      { expr: 'cmp', op: 'eq', sreg: 0, data: bytes(10) },
      { expr: 'verdict', verdict: { verdict: 'jump', chain: 'd' } },
    ),
    ruleHead('c0000000', '9c00'),
    '3400 0180 0c00 0100 7061796c6f616400 2400 0280',
    '0800 0100 00000008 0800 0200 00000001 0800 0300 0000000c 0800 0400 00000001',
    '2c00 0180 0800 0100 636d7000 2000 0280 0800 0100 00000008 0800 0200 00000000 0c00 0380 0500 0100 0a 000000',
    '3800 0180 0e00 0100 696d6d65646961746500 0000 2400 0280 0800 0100 00000000',
    '1800 0280 1400 0280 0800 0100 fffffffd 0600 0200 6400 0000',
  );
});

test('a rule at the head of its chain, and one deleted by handle', () => {
  const [first] = encodeChange({ ...table, change: 'addRule', chain: 'c', expressions: [], first: true }, 1);
  assert.equal(first?.readUInt16LE(6), 0x401);
  const [behind] = encodeChange(
    { ...table, change: 'addRule', chain: 'c', expressions: [], after: 0x102n },
    1,
  );
  assert.equal(behind?.readUInt16LE(6), 0xc01);
  assert.match(behind?.toString('hex') ?? '', /0c0006000000000000000102/);
  sends(
    { ...table, change: 'deleteRule', chain: 'c', handle: 0x102n },
    '30000000 080a 0100 00000000 00000000 02 00 0000 0600 0100 7400 0000 0600 0200 6300 0000',
    '0c00 0300 0000000000000102',
  );
});

test('dump requests', () => {
  assert.equal(encodeChainsDump().toString('hex'), '14000000040a0103000000000000000000000000');
  assert.equal(
    encodeElementsDump({ ...table, set: 's' }).toString('hex'),
    '240000000d0a010300000000000000000200000006000100740000000600020073000000',
  );
});

test('registers and comments that do not fit are refused', () => {
  assert.throws(() => encodeChange(rule({ expr: 'metaSet', key: 'mark', sreg: 16 }), 1), /invalid register/);
  assert.throws(
    () =>
      encodeChange({ ...table, change: 'addRule', chain: 'c', expressions: [], comment: 'x'.repeat(128) }, 1),
    /comment is too long/,
  );
});
