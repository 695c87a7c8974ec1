import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeAddKey, encodePolicy, encodeRemoveKey, encodeRemovePolicy } from './xfrm.ts';

const traffic = { direction: 'out', port: 4788, from: '192.0.2.1', to: '192.0.2.2', version: 4 } as const;
/** Lengths of the kernel's structures behind the head of a message (16 bytes). */
const size = { policy: 168, policyId: 64, key: 224, keyId: 24, template: 64, algorithm: 72 } as const;
/** From the start of the body. */
const at = { source: 16, port: 32, family: 40, prefixes: 42, protocol: 44 } as const;

test('a policy is as long as the kernel s structure, and selects one port between two hosts', () => {
  const bytes = encodePolicy('seal', traffic, 0x1000);
  assert.equal(bytes.length, 16 + size.policy + 4 + size.template);
  const body = bytes.subarray(16);
  assert.equal(body.subarray(0, 4).join('.'), '192.0.2.2');
  assert.equal(body.subarray(at.source, at.source + 4).join('.'), '192.0.2.1');
  assert.deepEqual([body.readUInt16BE(at.port), body.readUInt16BE(at.port + 2)], [4788, 0xffff]);
  assert.equal(body.readUInt16LE(at.family), 2);
  assert.deepEqual([...body.subarray(at.prefixes, at.protocol + 1)], [32, 32, 17]);
  assert.deepEqual([...body.subarray(160, 162)], [1, 0], 'out, and let through');
  const template = body.subarray(size.policy + 4);
  assert.equal(template.readUInt32BE(16), 0x1000);
  assert.equal(template[20], 50, 'ESP');
});

test('a wall holds for every host of a version', () => {
  const bytes = encodePolicy('block', { direction: 'in', port: 4788, version: 6 });
  assert.equal(bytes.length, 16 + size.policy, 'no template');
  const body = bytes.subarray(16);
  assert.equal(body.readUInt16LE(at.family), 10);
  assert.deepEqual([...body.subarray(at.prefixes, at.protocol + 1)], [0, 0, 17]);
  assert.deepEqual([...body.subarray(160, 162)], [0, 1], 'in, and blocked');
  assert.ok(body.readUInt32LE(152) > encodePolicy('seal', traffic).readUInt32LE(16 + 152), 'asked last');
});

test('keys and removals', () => {
  const key = new Uint8Array(20).fill(7);
  const bytes = encodeAddKey({ from: '192.0.2.1', to: '192.0.2.2', spi: 0x1000, key });
  assert.equal(bytes.length, 16 + size.key + 4 + size.algorithm + key.length);
  assert.equal(bytes.readUInt32BE(16 + 56 + 16), 0x1000);
  const cipher = bytes.subarray(16 + size.key + 4);
  assert.match(cipher.toString('latin1', 0, 64), /^rfc4106\(gcm\(aes\)\)\0/);
  assert.deepEqual([cipher.readUInt32LE(64), cipher.readUInt32LE(68)], [160, 128]);
  assert.equal(encodeRemoveKey('192.0.2.2', 0x1000).length, 16 + size.keyId);
  assert.equal(encodeRemovePolicy(traffic).length, 16 + size.policyId);
});
