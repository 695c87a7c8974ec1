import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleNetwork } from '../../../../tests/contracts/network-driver.contract.ts';
import type { OverlaySeal } from '../../../core/ports/overlay.ts';
import { isEncrypted, mtuOf, numberOf, overlayOption, peersFrom, planNetwork, planPeer } from './plan.ts';
import { planSeal, planSealTable, planUnseal } from './seal.ts';

const network = (options: Readonly<Record<string, string>> = {}) =>
  sampleNetwork('overlay', { [overlayOption.number]: '4097', ...options });

test('the number of a network, and what is none', () => {
  assert.equal(numberOf(network()), 4097);
  for (const text of ['', '0', '16777216', '1,2', 'x', '1.5', '-1', ' 7'])
    assert.throws(
      () => numberOf(network({ [overlayOption.number]: text })),
      /is no number between 1 and/,
      text,
    );
});

test('the MTU leaves room for what goes around a frame', () => {
  assert.equal(mtuOf(network(), 1500, '192.0.2.1'), 1450);
  assert.equal(mtuOf(network(), 1500, '2001:db8::1'), 1430);
  assert.equal(mtuOf(network({ encrypted: '' }), 1500, '192.0.2.1'), 1416);
  assert.equal(mtuOf(network({ [overlayOption.mtu]: '1400' }), 1500, '192.0.2.1'), 1400);
  assert.throws(() => mtuOf(network({ [overlayOption.mtu]: '100' }), 1500, '192.0.2.1'), /is no MTU/);
});

test('encrypted is a truth value, and nothing else passes for one', () => {
  assert.deepEqual(
    ['', 'true', '1', 'false', '0'].map((encrypted) => isEncrypted(network({ encrypted }))),
    [true, true, true, false, false],
  );
  assert.equal(isEncrypted(network()), false);
  assert.throws(() => isEncrypted(network({ encrypted: 'no' })), /is no truth value/);
});

test('the tunnel is a port of a bridge without address; peers are two entries', () => {
  const facts = { instance: 'slipway', localAddress: '192.0.2.1', port: 4789, mtu: 1450 };
  const operations = planNetwork(network(), facts).map(({ op }) => op);
  assert.deepEqual(operations, ['createBridge', 'sysctl', 'createVxlan', 'setLink', 'setLink']);
  const peer = { mac: '02:42:0a:4d:00:03', addresses: ['10.77.0.3', 'fd77::3'], host: '192.0.2.2' };
  assert.deepEqual(
    planPeer(network(), peer).map((one) => [one.op, 'address' in one && one.address]),
    [
      ['addForwarding', '192.0.2.2'],
      ['addNeighbour', '10.77.0.3'],
      ['addNeighbour', 'fd77::3'],
    ],
  );
  for (const bad of [
    { ...peer, mac: 'x' },
    { ...peer, host: '' },
    { ...peer, addresses: ['10.77.0.300'] },
  ])
    assert.throws(() => planPeer(network(), bad), /invalid (MAC|IP) address/);
  const entry = { linkIndex: 7, mac: peer.mac };
  assert.deepEqual(
    peersFrom([
      { ...entry, kind: 'forwarding', address: peer.host },
      ...peer.addresses.map((address) => ({ ...entry, kind: 'neighbour' as const, address })),
      { ...entry, kind: 'neighbour', mac: '02:42:0a:4d:00:09', address: '10.77.0.9' },
    ]),
    [peer],
  );
});

test('keys come before the policies that need them, and go after those that took their place', () => {
  const facts = { local: '192.0.2.1', port: 4788 };
  const key = (spi: number) => ({ spi, key: new Uint8Array(20) });
  const former: OverlaySeal = { host: '192.0.2.2', sending: key(1000), receiving: [key(2000)] };
  const next: OverlaySeal = { host: '192.0.2.2', sending: key(1001), receiving: [key(2001), key(2000)] };
  const told = (changes: ReturnType<typeof planSeal>): readonly string[] =>
    changes.map((one) => `${one.change} ${'spi' in one ? one.spi : ''}`.trim());
  assert.deepEqual(told(planSeal(facts, former, undefined)), [
    'addKey 2000',
    'addKey 1000',
    'seal',
    'seal 1000',
  ]);
  assert.deepEqual(told(planSeal(facts, next, former)), [
    'addKey 2001',
    'addKey 2000',
    'addKey 1001',
    'seal',
    'seal 1001',
    'removeKey 1000',
  ]);
  assert.deepEqual(told(planUnseal(facts, former)).slice(0, 2), ['unseal', 'unseal']);
  assert.equal(planSealTable('slipway', 4788).filter(({ change }) => change === 'addRule').length, 2);
});
