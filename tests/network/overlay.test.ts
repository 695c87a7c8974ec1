/** Networks over two hosts: who is reached, by what packets, and what never passes. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { isolated } from './isolated.ts';
import {
  both,
  endpoints,
  networkOf,
  OverlayHost,
  OverlayPair,
  overlayProgram,
  peerOf,
} from './overlay-pair.ts';

isolated(import.meta.filename, () => {
  const pair = new OverlayPair();
  before(() => pair.start());
  after(() => pair.end());

  test('endpoints reach each other in both versions, by vxlan on the wire, once and only while they are told', async () => {
    const [one, two] = await pair.join(networkOf('4097'));
    assert.deepEqual([one.error, two.error], ['', '']);
    assert.equal(one.reaches('10.77.0.3'), false, 'nobody has told where it is');
    assert.equal(pair.counted(1, 'vxlan'), 0, 'and nothing is flooded');
    await one.do({ do: 'addPeer', peer: peerOf(1) });
    await two.do({ do: 'addPeer', peer: peerOf(0) });
    await one.reached('10.77.0.3');
    await two.reached('10.77.0.2');
    await one.reached('fd77::3');
    assert.ok(pair.counted(1, 'vxlan') >= 3);
    assert.deepEqual(await one.do({ do: 'listPeers' }), [peerOf(1)]);
    assert.match(one.inside('ip link show eth0'), /mtu 1350/, 'the wire s, less 50');
    await one.reached('10.77.0.3', 1322);
    assert.equal(pair.counted(1, 'fragments'), 0, 'the largest packets fit');
    assert.match(one.inside('ip neigh'), /10\.77\.0\.3 .* 02:42:0a:4d:00:03/, 'answered for it');
    assert.match(
      pair.on(0, 'ip -d link show type vxlan'),
      /vxlan id 4097 .*local 192\.0\.2\.1 .*nolearning.* proxy/,
    );
    await one.do({ do: 'removePeer', peer: peerOf(1) });
    await one.do({ do: 'removePeer', peer: peerOf(1) });
    one.inside('ip neigh flush all');
    assert.equal(one.reaches('10.77.0.3'), false);
    await one.do({ do: 'addPeer', peer: peerOf(1) });
    await one.reached('10.77.0.3');
  });

  test('a tunnel that someone deletes, or peers that someone changes, come back when the network is put right', async () => {
    const [one] = pair.hosts;
    assert.ok(one !== undefined);
    pair.on(0, 'ip link delete $(ip -o link show type vxlan | cut -d: -f2)');
    assert.equal(one.reaches('10.77.0.3'), false);
    await one.do({ do: 'ensure' });
    // The container's interface was a port of the bridge that went: it is joined again by who joined it.
    assert.deepEqual(await one.do({ do: 'listPeers' }), [peerOf(1)]);
    const tunnel = pair.on(0, 'ip -o link show type vxlan').split(':')[1]?.trim() ?? '';
    pair.on(0, `bridge fdb add 02:42:0a:4d:00:99 dev ${tunnel} dst 192.0.2.9`);
    assert.equal(((await one.do({ do: 'listPeers' })) as readonly unknown[]).length, 2);
    await one.do({ do: 'ensure' });
    assert.deepEqual(await one.do({ do: 'listPeers' }), [peerOf(1)]);
    for (const host of pair.hosts) {
      await host.do({ do: 'leave' });
      await host.do({ do: 'leave' });
      assert.deepEqual(await host.do({ do: 'list' }), { networks: [], endpoints: [] });
    }
    await pair.leave();
    for (const at of both) assert.doesNotMatch(pair.on(at, 'ip link'), /ov-|vx-|veth/, 'nothing is left');
  });

  test('networks do not meet, and neither do the hosts: other numbers, other worlds; the host has no address there', async () => {
    const [one] = await pair.join(networkOf('5001'));
    const other = networkOf('5002');
    const { mac, host: localAddress } = endpoints[1];
    const config = { instance: 'slipov2', localAddress, network: other, mac, ipv4: '10.77.0.3/24', ipv6: '' };
    pair.hosts.push(await new OverlayHost(pair.path(1), config).start());
    await one.do({
      do: 'addPeer',
      peer: { ...peerOf(1), mac: '02:42:0a:4d:00:07', addresses: ['10.77.0.7'] },
    });
    assert.equal(one.reaches('10.77.0.7'), false);
    one.inside('ip route add default dev eth0');
    assert.equal(one.reaches('192.0.2.1'), false, 'not even its own host');
    const clash = await new OverlayHost(pair.path(1), {
      ...config,
      instance: 'slipov3',
      network: networkOf('5002'),
    }).start();
    pair.hosts.push(clash);
    assert.match(clash.error, /the vxlan number 5002 is used by another interface of this host/);
    await pair.leave();
    for (const at of both)
      pair.on(
        at,
        'for l in $(ip -o link | grep -oE "(ov|vx)-[0-9a-f]+" | sort -u); do ip link delete $l; done',
      );
  });

  test('what no network can be is refused', async () => {
    for (const [options, message] of [
      [{ 'com.docker.network.driver.overlay.vxlanid_list': '0' }, /is no number between 1 and 16777215/],
      [{ 'com.docker.network.driver.overlay.vxlanid_list': '1,2' }, /is no number between/],
      [{ 'com.docker.network.driver.mtu': '12' }, /is no MTU between 576 and 65535/],
      [{ encrypted: 'perhaps' }, /is no truth value/],
    ] as const) {
      const config = {
        instance: 'slipov4',
        localAddress: '192.0.2.1',
        network: networkOf('6001', options),
        mac: endpoints[0].mac,
        ipv4: '10.77.0.2/24',
        ipv6: '',
      };
      const { status, stderr } = spawnSync(process.execPath, [overlayProgram, JSON.stringify(config)], {
        encoding: 'utf8',
        input: '',
      });
      assert.notEqual(status, 0);
      assert.match(stderr, message);
    }
  });
});
