/** Encrypted networks over two hosts: sealed both ways, or nothing at all. Needs IPsec in the kernel; where that is missing, the refusal is looked at. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { isolated } from './isolated.ts';
import type { OverlaySealText } from './overlay-host.ts';
import { both, endpoints, networkOf, OverlayPair, peerOf, type Which } from './overlay-pair.ts';

const key = (digit: string): string => digit.repeat(40);

/** Between the two hosts: what 0 sends with one, 1 receives with it. */
function sealFor(at: Which, round = 0): OverlaySealText {
  const [there, back] = [
    { spi: 0x1000 + round, key: key('a') },
    { spi: 0x2000 + round, key: key('b') },
  ];
  const [sending, receiving] = at === 0 ? [there, back] : [back, there];
  return { host: endpoints[at === 0 ? 1 : 0].host, sending, receiving: [receiving] };
}

/** Whether the kernel has ESP and its cipher, in a namespace of the test's own. */
function knowsSeal(): boolean {
  const state = `ip xfrm state add src 192.0.2.9 dst 192.0.2.8 proto esp spi 0x999 mode transport aead 'rfc4106(gcm(aes))' 0x${key('1')} 128`;
  return spawnSync('unshare', ['--net', 'sh', '-c', state], { stdio: 'ignore' }).status === 0;
}

isolated(import.meta.filename, () => {
  const pair = new OverlayPair();
  before(() => pair.start());
  after(() => pair.end());

  test('encrypted: sealed both ways, or not at all; where the kernel cannot, the network is refused', async () => {
    const network = networkOf('7001', { encrypted: '' });
    const [one, two] = await pair.join(network);
    if (!knowsSeal()) {
      for (const host of [one, two])
        assert.match(host.error, /this kernel cannot encrypt networks: it lacks IPsec/);
      for (const at of both) assert.doesNotMatch(pair.on(at, 'ip link; nft list tables'), /ov-|vx-|sealed/);
      return;
    }
    assert.deepEqual([one.error, two.error], ['', '']);
    await one.do({ do: 'addPeer', peer: peerOf(1) });
    await two.do({ do: 'addPeer', peer: peerOf(0) });
    const silent = (): void => {
      assert.equal(one.reaches('10.77.0.3'), false);
      assert.equal(two.reaches('10.77.0.2'), false);
      for (const at of both) assert.equal(pair.counted(at, 'sealed port'), 0, 'nothing open on the wire');
    };
    silent();
    // One wall is enough: without IPsec's policies, and without the rules.
    for (const at of both) pair.on(at, 'ip xfrm policy flush');
    silent();
    for (const host of [one, two]) await host.do({ do: 'ensure' });
    for (const at of both) pair.on(at, `nft delete table inet slipov${at}-sealed`);
    silent();
    for (const host of [one, two]) await host.do({ do: 'ensure' });
    await one.do({ do: 'seal', seal: sealFor(0) });
    assert.equal(one.reaches('10.77.0.3'), false, 'the other one has no key');
    await two.do({ do: 'seal', seal: sealFor(1) });
    await one.reached('10.77.0.3');
    await two.reached('fd77::2');
    assert.ok(pair.counted(1, 'esp') > 0);
    assert.equal(pair.counted(1, 'sealed port'), 0);
    assert.match(one.inside('ip link show eth0'), /mtu 1316/);
    await one.reached('10.77.0.3', 1288);
    assert.equal(pair.counted(1, 'fragments'), 0, 'the largest packets fit');
    // New keys: the old ones are taken for as long as the other host may still use them.
    const rolling = (at: Which): OverlaySealText => ({
      ...sealFor(at, 1),
      receiving: [...sealFor(at, 1).receiving, ...sealFor(at).receiving],
    });
    const between = { ...rolling(0), sending: sealFor(0).sending };
    await one.do({ do: 'seal', seal: between, former: sealFor(0) });
    await two.do({ do: 'seal', seal: rolling(1), former: sealFor(1) });
    await one.reached('10.77.0.3');
    await one.do({ do: 'seal', seal: sealFor(0, 1), former: between });
    await two.do({ do: 'seal', seal: sealFor(1, 1), former: rolling(1) });
    await one.reached('10.77.0.3');
    assert.doesNotMatch(pair.on(0, 'ip xfrm state'), /spi 0x00001000|spi 0x00002000/);
    // Without the keys of one it is silent again.
    await two.do({ do: 'unseal', seal: sealFor(1, 1) });
    await two.do({ do: 'unseal', seal: sealFor(1, 1) });
    silent();
    for (const host of [one, two]) await host.do({ do: 'leave' });
    for (const at of both) {
      assert.doesNotMatch(pair.on(at, 'nft list tables'), /sealed/);
      assert.doesNotMatch(pair.on(at, 'ip xfrm policy'), /action block/);
    }
    await pair.leave();
  });
});
