import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attribute, container, message, text, u32 } from './attributes.ts';
import { listAttributes, parseAttributes, parseMessages, parseReply, readText, readU32 } from './parse.ts';
import { parseAddress, parseLink, parseRoute } from './rtnetlink-parse.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

function only(data: Buffer) {
  const [first, ...rest] = parseMessages(data);
  assert.ok(first !== undefined && rest.length === 0);
  return first;
}

test('several messages of one datagram, padding between them', () => {
  const data = Buffer.concat([
    bytes('11000000 0300 0200 07000000 00000000 aa 000000'),
    bytes('10000000 0200 0000 08000000 00000000'),
  ]);
  const messages = parseMessages(data);
  assert.deepEqual(
    messages.map(({ type, flags, sequence, body }) => [type, flags, sequence, body.toString('hex')]),
    [
      [3, 2, 7, 'aa'],
      [2, 0, 8, ''],
    ],
  );
});

test('a message that claims more or less than it has is an error', () => {
  assert.throws(() => parseMessages(bytes('1100')), /shorter than its head/);
  assert.throws(() => parseMessages(bytes('11000000 0300 0200 07000000 00000000')), /claims 17 of 16/);
  assert.throws(() => parseMessages(bytes('0f000000 0300 0200 07000000 00000000')), /claims 15/);
});

test('attributes: flags of the type are taken off, the last one of a kind counts', () => {
  const body = bytes('0500 0180 aa 000000 0500 0140 bb 000000 0800 0200 01000000');
  assert.deepEqual(
    listAttributes(body).map(({ type, data }) => [type, data.toString('hex')]),
    [
      [1, 'aa'],
      [1, 'bb'],
      [2, '01000000'],
    ],
  );
  assert.equal(parseAttributes(body).get(1)?.toString('hex'), 'bb');
  assert.equal(readU32(parseAttributes(body), 2), 1);
});

test('an attribute that claims more than it has is an error', () => {
  assert.throws(() => listAttributes(bytes('0900 0100 aabbccdd')), /claims 9 of 8/);
  assert.throws(() => listAttributes(bytes('0300 0100')), /claims 3 of 4/);
});

test('a text ends at its zero byte, and one without is whole', () => {
  assert.equal(readText(parseAttributes(attribute(3, text('eth0'))), 3), 'eth0');
  assert.equal(readText(parseAttributes(attribute(3, Buffer.from('veth'))), 3), 'veth');
  assert.equal(readText(new Map(), 3), '');
});

test('an acknowledgement and a refusal with an explanation', () => {
  const acknowledged = only(
    bytes('24000000 0200 0001 05000000 00000000 00000000 20000000 1000 0506 05000000 00000000'),
  );
  assert.deepEqual(parseReply(acknowledged), { errno: 0, explanation: '', sequence: 5 });
  const told = Buffer.concat([
    bytes('efffffff 20000000 1000 0506 05000000 00000000'),
    attribute(1, text('File exists')),
  ]);
  // NLM_F_CAPPED and NLM_F_ACK_TLVS: only the head of the refused message is sent back.
  assert.deepEqual(parseReply(only(message(2, 0x300, told))), {
    errno: 17,
    explanation: 'File exists',
    sequence: 5,
  });
  // Without capping the whole refused message stands before the explanation.
  const whole = Buffer.concat([
    bytes('efffffff 14000000 1000 0506 05000000 00000000 11223344'),
    attribute(1, text('No')),
  ]);
  assert.deepEqual(parseReply(only(message(2, 0x200, whole))), { errno: 17, explanation: 'No', sequence: 5 });
  assert.throws(() => parseReply(only(message(2, 0, bytes('efffffff')))), /lacks the head/);
});

const head = (hex: string): Buffer => bytes(hex);

test('a link', () => {
  const data = message(
    16,
    2,
    head('00 00 0100 04000000 43100000 00000000'),
    attribute(3, text('veth1')),
    attribute(4, u32(1400)),
    attribute(10, u32(2)),
    attribute(1, bytes('02420a630002')),
    attribute(20, text('of container x')),
    container(18, attribute(1, text('veth'))),
  );
  assert.deepEqual(parseLink(only(data)), {
    index: 4,
    name: 'veth1',
    kind: 'veth',
    mtu: 1400,
    up: true,
    mac: '02:42:0a:63:00:02',
    master: 2,
    alias: 'of container x',
  });
  assert.equal(parseLink(only(message(20, 2, Buffer.alloc(8)))), undefined);
  assert.throws(() => parseLink(only(message(16, 2, Buffer.alloc(8)))), /shorter than its head/);
});

test('addresses: the local one counts on a point-to-point link', () => {
  const data = message(
    20,
    2,
    head('02 20 80 00 03000000'),
    attribute(1, bytes('0a000002')),
    attribute(2, bytes('0a000001')),
  );
  assert.deepEqual(parseAddress(only(data)), { linkIndex: 3, address: '10.0.0.1/32', family: 4 });
});

test('routes: default and gateway; those of other tables are left out', () => {
  const route = (table: number) =>
    message(
      24,
      2,
      head(`02 00 00 00 ${table.toString(16).padStart(2, '0')} 03 00 01 00000000`),
      attribute(15, u32(table)),
      attribute(5, bytes('0a000001')),
      attribute(4, u32(3)),
    );
  assert.deepEqual(parseRoute(only(route(254))), {
    family: 4,
    destination: '0.0.0.0/0',
    gateway: '10.0.0.1',
    linkIndex: 3,
  });
  assert.equal(parseRoute(only(route(255))), undefined);
});
