import assert from 'node:assert/strict';
import { test } from 'node:test';
import { broadcastOf, ipBytes, ipText, macBytes, macText, parsePrefix } from './ip.ts';

test('addresses to bytes and back', () => {
  const pairs = [
    ['10.0.0.1', '0a000001'],
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['fe80::1', `fe80${'00'.repeat(13)}01`],
    ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001'],
    ['2001:db8::', `20010db8${'00'.repeat(12)}`],
  ] as const;
  for (const [address, hex] of pairs) {
    assert.equal(ipBytes(address).toString('hex'), hex);
    assert.equal(ipText(Buffer.from(hex, 'hex')), address);
  }
  assert.equal(ipBytes('::ffff:10.0.0.1').toString('hex'), `${'00'.repeat(10)}ffff0a000001`);
  assert.equal(ipBytes('1:2:3:4:5:6:7.8.9.10').toString('hex'), '0001000200030004000500060708090a');
});

test('what is no address is refused', () => {
  for (const text of ['', '10.0.0', '10.0.0.256', 'fe80::1%eth0', 'localhost', '1::2::3']) {
    assert.throws(() => ipBytes(text), /invalid IP address/);
  }
  assert.throws(() => ipText(Buffer.alloc(5)), /4 or 16 bytes/);
});

test('prefixes', () => {
  assert.deepEqual(parsePrefix('10.1.2.3/24'), {
    address: Buffer.from([10, 1, 2, 3]),
    length: 24,
    family: 4,
  });
  assert.equal(parsePrefix('10.1.2.3').length, 32);
  assert.equal(parsePrefix('::1').length, 128);
  for (const text of ['10.0.0.1/', '10.0.0.1/33', '10.0.0.1/-1', '10.0.0.1/8/8', '::1/129', '10.0.0.1/x']) {
    assert.throws(() => parsePrefix(text), /invalid CIDR address/);
  }
});

test('broadcast addresses', () => {
  const of = (text: string) => broadcastOf(parsePrefix(text))?.join('.');
  assert.equal(of('172.17.0.2/16'), '172.17.255.255');
  assert.equal(of('192.168.1.5/30'), '192.168.1.7');
  assert.equal(of('0.0.0.0/0'), '255.255.255.255');
  assert.equal(of('10.0.0.1/31'), undefined);
  assert.equal(of('fd00::1/64'), undefined);
});

test('hardware addresses', () => {
  assert.equal(macBytes('02:42:AC:11:00:02').toString('hex'), '0242ac110002');
  assert.equal(macText(Buffer.from('0242ac110002', 'hex')), '02:42:ac:11:00:02');
  for (const text of ['', '02:42', '02-42-ac-11-00-02', '02:42:ac:11:00:0g']) {
    assert.throws(() => macBytes(text), /invalid MAC address/);
  }
});
