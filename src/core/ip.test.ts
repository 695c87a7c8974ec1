import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cidrContains,
  cidrsOverlap,
  formatCidr,
  formatIp,
  ipBytes,
  ipFromBytes,
  lastAddress,
  macOfIpv4,
  parseCidr,
  parseIp,
  type Cidr,
} from './ip.ts';

const cidr = (text: string): Cidr => {
  const parsed = parseCidr(text);
  assert.ok(parsed, text);
  return parsed.cidr;
};

test('addresses survive parsing and formatting', () => {
  for (const text of [
    '0.0.0.0',
    '172.17.0.2',
    '255.255.255.255',
    '::',
    '::1',
    'fd00::2',
    '2001:db8:0:1::',
    'fe80::1:2:3:4',
  ])
    assert.equal(formatIp(parseIp(text)!), text);
  assert.equal(formatIp(parseIp('::ffff:10.0.0.1')!), '::ffff:a00:1');
  assert.equal(formatIp(parseIp('2001:0DB8:0000:0000:0001:0000:0000:0001')!), '2001:db8::1:0:0:1');
  for (const text of ['', '1.2.3', '1.2.3.04', '1.2.3.256', 'fe80::1%eth0', '[::1]', '1::2::3'])
    assert.equal(parseIp(text), undefined, text);
});

test('bytes go both ways', () => {
  assert.deepEqual([...ipBytes(parseIp('172.17.0.2')!)], [172, 17, 0, 2]);
  assert.equal(formatIp(ipFromBytes(ipBytes(parseIp('fd00::1:2')!))), 'fd00::1:2');
});

test('subnets clear their host bits and know what they hold', () => {
  assert.equal(formatCidr(cidr('182.18.0.1/24')), '182.18.0.0/24');
  assert.equal(formatIp({ family: 4, value: lastAddress(cidr('10.0.0.0/30')) }), '10.0.0.3');
  assert.ok(cidrContains(cidr('10.0.0.0/8'), parseIp('10.255.0.1')!));
  assert.ok(!cidrContains(cidr('10.0.0.0/8'), parseIp('11.0.0.0')!));
  assert.ok(cidrsOverlap(cidr('172.16.0.0/12'), cidr('172.17.0.0/16')));
  assert.ok(!cidrsOverlap(cidr('172.18.0.0/16'), cidr('172.17.0.0/16')));
  assert.ok(cidrContains(cidr('0.0.0.0/0'), parseIp('1.1.1.1')!));
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', 'fd00::/129', 'x/8'])
    assert.equal(parseCidr(text), undefined, text);
});

test('the hardware address follows the address', () => {
  assert.equal(macOfIpv4('172.17.0.2'), '02:42:ac:11:00:02');
});
