import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capabilityForContainer, capabilityForHost } from './file-capability.ts';

/** cap_net_raw=ep, effective. */
const second = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const third = Buffer.from('0100000300200000000000000000000000000000a0860100', 'hex');

test('capabilities of a file hold for the container’s root, and are its own again in archives', () => {
  assert.deepEqual(capabilityForHost(second, 100_000), third);
  assert.deepEqual(capabilityForContainer(third, 100_000), second);
  assert.deepEqual(capabilityForHost(second, 0), second);
  assert.deepEqual(capabilityForContainer(second, 0), second);
});

test('what holds for others, or is nothing known, is not touched', () => {
  assert.deepEqual(capabilityForContainer(third, 200_000), third);
  assert.deepEqual(capabilityForHost(third, 200_000), third);
  for (const odd of [Buffer.from('01000001', 'hex'), Buffer.alloc(24), Buffer.alloc(20)]) {
    assert.deepEqual(capabilityForHost(odd, 100_000), odd);
    assert.deepEqual(capabilityForContainer(odd, 100_000), odd);
  }
});
