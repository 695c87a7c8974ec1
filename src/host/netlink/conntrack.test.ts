/** Layout by linux/netfilter/nfnetlink_conntrack.h. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attribute, be32, message } from './attributes.ts';
import { encodeConntrackDelete, encodeConntrackDump, encodeTuple, parseConnection } from './conntrack.ts';
import { parseMessages } from './parse.ts';

const tuple = encodeTuple({
  protocol: 17,
  source: Buffer.from([10, 0, 0, 2]),
  destination: Buffer.from([10, 0, 0, 1]),
  sourcePort: 4000,
  destinationPort: 53,
});
const tupleHex =
  '34000180' + // CTA_TUPLE_ORIG
  '14000180' +
  '080001000a000002' +
  '080002000a000001' + // CTA_TUPLE_IP
  '1c000280' +
  '0500010011000000' +
  '060002000fa00000' +
  '0600030000350000'; // CTA_TUPLE_PROTO

test('dump and delete requests', () => {
  assert.equal(tuple.toString('hex'), tupleHex);
  assert.equal(encodeConntrackDump(2).toString('hex'), '1400000001010103000000000000000002000000');
  assert.equal(
    encodeConntrackDelete({ family: 2, identity: [tuple] }).toString('hex'),
    '4800000002010500000000000000000002000000' + tupleHex,
  );
});

test('an entry is known by its original direction, and keeps what names it', () => {
  const id = attribute(12, be32(7));
  const [answer] = parseMessages(message(0x100, 2, Buffer.from([2, 0, 0, 0]), tuple, id));
  assert.ok(answer !== undefined);
  const connection = parseConnection(answer);
  assert.deepEqual(
    { ...connection, identity: connection?.identity.map((part) => Buffer.from(part).toString('hex')) },
    {
      family: 2,
      protocol: 17,
      destination: '10.0.0.1',
      destinationPort: 53,
      identity: [tupleHex, id.toString('hex')],
    },
  );
});
