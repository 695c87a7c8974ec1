/** Bytes that iproute2 6.1 sends for the same changes (strace), where it sends the same attributes; else by the kernel's headers. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as rt from './rtnetlink.ts';

function bytesAre(actual: Uint8Array, ...expected: string[]): void {
  assert.equal(Buffer.from(actual).toString('hex'), expected.join('').replaceAll(' ', ''));
}

test('ip link add br0 address 02:42:00:00:00:01 mtu 1400 type bridge', () => {
  bytesAre(
    rt.encodeCreateBridge({ name: 'br0', mtu: 1400, mac: '02:42:00:00:00:01' }),
    '4c000000 1000 0506 00000000 00000000', // length, RTM_NEWLINK, request ack excl create
    '00 00 0000 00000000 00000000 00000000', // struct ifinfomsg
    '0800 0300 62723000', // IFLA_IFNAME
    '0800 0400 78050000', // IFLA_MTU
    '0a00 0100 024200000001 0000', // IFLA_ADDRESS
    '1000 1200 0a00 0100 627269646765 0000', // IFLA_LINKINFO { IFLA_INFO_KIND }
  );
});

test('ip link add v0 master 2 type veth peer name eth0 netns 7, one queue each way', () => {
  bytesAre(
    rt.encodeCreateVeth({
      name: 'v0',
      mtu: 1400,
      bridge: 2,
      peer: { name: 'eth0', mac: '02:42:0a:63:00:02', namespaceFd: 7 },
    }),
    'a4000000 1000 0506 00000000 00000000',
    '00 00 0000 00000000 00000000 00000000',
    '0700 0300 763000 00',
    '0800 0400 78050000',
    '0800 0a00 02000000', // IFLA_MASTER
    '0800 1f00 01000000 0800 2000 01000000', // IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES
    '5c00 1200 0800 0100 76657468', // IFLA_LINKINFO { IFLA_INFO_KIND veth,
    '5000 0200 4c00 0100', // IFLA_INFO_DATA { VETH_INFO_PEER {
    '00 00 0000 00000000 00000000 00000000', // struct ifinfomsg of the peer
    '0900 0300 6574683000 000000',
    '0800 0400 78050000',
    '0a00 0100 02420a630002 0000',
    '0800 1c00 07000000', // IFLA_NET_NS_FD
    '0800 1f00 01000000 0800 2000 01000000',
  );
});

test('raising, renaming and resizing a link is one message', () => {
  bytesAre(
    rt.encodeSetLink({ index: 3, up: true, mtu: 1500, newName: 'eth1' }),
    '34000000 1000 0500 00000000 00000000',
    '00 00 0000 03000000 01000000 01000000', // flags and change: IFF_UP
    '0900 0300 6574683100 000000',
    '0800 0400 dc050000',
  );
  bytesAre(
    rt.encodeSetLink({ index: 3, up: false }),
    '20000000 1000 0500 00000000 00000000 00 00 0000 03000000 00000000 01000000',
  );
});

test('ip link del', () => {
  bytesAre(
    rt.encodeDeleteLink(4),
    '20000000 1100 0500 00000000 00000000 00 00 0000 04000000 00000000 00000000',
  );
});

test('bridge link set hairpin on', () => {
  bytesAre(
    rt.encodeSetBridgePort({ index: 4, hairpin: true }),
    '2c000000 1300 0500 00000000 00000000',
    '07 00 0000 04000000 00000000 00000000', // AF_BRIDGE
    '0c00 0c80 0500 0400 01 000000', // IFLA_PROTINFO { IFLA_BRPORT_MODE }
  );
});

test('ip addr add 10.1.2.3/24 broadcast 10.1.2.255, replacing', () => {
  bytesAre(
    rt.encodeAddress('add', { index: 3, address: '10.1.2.3/24' }),
    '30000000 1400 0505 00000000 00000000',
    '02 18 00 00 03000000', // struct ifaddrmsg
    '0800 0200 0a010203', // IFA_LOCAL
    '0800 0100 0a010203', // IFA_ADDRESS
    '0800 0400 0a0102ff', // IFA_BROADCAST
  );
});

test('an IPv6 address without duplicate address detection', () => {
  bytesAre(
    rt.encodeAddress('add', { index: 2, address: 'fd00::2/64', noDad: true }),
    '48000000 1400 0505 00000000 00000000',
    '0a 40 00 00 02000000',
    '1400 0200 fd000000000000000000000000000002',
    '1400 0100 fd000000000000000000000000000002',
    '0800 0800 02000000', // IFA_FLAGS: IFA_F_NODAD
  );
});

test('ip route add default via 10.1.2.1', () => {
  bytesAre(
    rt.encodeRoute('add', { destination: '0.0.0.0/0', gateway: '10.1.2.1', link: 3 }),
    '2c000000 1800 0506 00000000 00000000',
    '02 00 00 00 fe 03 00 01 00000000', // struct rtmsg: main, boot, universe, unicast
    '0800 0500 0a010201', // RTA_GATEWAY
    '0800 0400 03000000', // RTA_OIF
  );
});

test('ip route del 10.9.0.0/16 dev 5, of link scope', () => {
  bytesAre(
    rt.encodeRoute('remove', { destination: '10.9.0.0/16', link: 5 }),
    '2c000000 1900 0500 00000000 00000000',
    '02 10 00 00 fe 00 fd 00 00000000',
    '0800 0100 0a090000', // RTA_DST
    '0800 0400 05000000',
  );
});

test('dumps and lookups', () => {
  const withoutCounters = '0800 1d00 08000000';
  bytesAre(rt.encodeLinkDump(), '28000000 1200 0103 00000000 00000000', '00'.repeat(16), withoutCounters);
  bytesAre(
    rt.encodeLinkLookup('lo'),
    '30000000 1200 0100 00000000 00000000',
    '00'.repeat(16),
    '0700 0300 6c6f0000', // IFLA_IFNAME
    withoutCounters,
  );
  bytesAre(rt.encodeAddressDump(), '18000000 1600 0103 00000000 00000000', '00'.repeat(8));
  bytesAre(rt.encodeRouteDump(6), '1c000000 1a00 0103 00000000 00000000', '0a', '00'.repeat(11));
  bytesAre(
    rt.encodeRouteLookup('198.51.100.1'),
    '24000000 1a00 0100 00000000 00000000',
    '02 20 00 00 00 00 00 00 00000000 0800 0100 c6336401',
  );
});

test('names, addresses and families that the kernel would misread are refused', () => {
  const bridge = (name: string) => () => rt.encodeCreateBridge({ name, mtu: 1500 });
  for (const name of ['', 'sixteen-letters-', 'a b', 'a/b', 'a:b'])
    assert.throws(bridge(name), /invalid interface name/);
  assert.throws(() => rt.encodeAddress('add', { index: 1, address: '10.0.0.1/33' }), /invalid CIDR/);
  assert.throws(
    () => rt.encodeRoute('add', { destination: '10.0.0.0/8', gateway: 'fd00::1' }),
    /different families/,
  );
});
