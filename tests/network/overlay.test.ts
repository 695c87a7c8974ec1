/** Two hosts as namespaces with a wire between them, and a network over both: who is reached, by what packets, and what never passes. */

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { NetworkRecord } from '#src/core/model/network.ts';
import type { OverlayPeer } from '#src/core/ports/overlay.ts';
import { sampleNetwork } from '#tests/contracts/network-driver.contract.ts';
import { eventually } from '../scenarios/engine.ts';
import { isolated } from './isolated.ts';
import type { OverlayCommand, OverlayHostConfig, OverlaySealText } from './overlay-host.ts';

const program = join(import.meta.dirname, 'overlay-host.ts');
const run = (command: string): string =>
  execFileSync('sh', ['-c', command], {
    encoding: 'utf8',
    timeout: 15_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** A namespace that a sleeping process holds. */
async function machine(): Promise<{ child: ChildProcess; path: string }> {
  const child = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up; echo up; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return { child, path: `/proc/${child.pid}/ns/net` };
}

const endpoints = [
  { host: '192.0.2.1', mac: '02:42:0a:4d:00:02', ipv4: '10.77.0.2/24', ipv6: 'fd77::2/64' },
  { host: '192.0.2.2', mac: '02:42:0a:4d:00:03', ipv4: '10.77.0.3/24', ipv6: 'fd77::3/64' },
] as const;
type Which = 0 | 1;
const both: readonly Which[] = [0, 1];

const peerOf = (at: Which): OverlayPeer => {
  const { host, mac, ipv4, ipv6 } = endpoints[at];
  return { host, mac, addresses: [ipv4, ipv6].map((address) => address.split('/')[0] ?? '') };
};

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

class OverlayHost {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** Of the container's namespace; the error where joining it failed. */
  path = '';
  error = '';

  constructor(where: string, config: OverlayHostConfig) {
    const command = [`--net=${where}`, process.execPath, program, JSON.stringify(config)];
    this.#child = spawn('nsenter', command, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#child;
    assert.ok(stdout !== null);
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  async start(): Promise<this> {
    const { result, error } = await this.#answer();
    this.path = typeof result === 'string' ? result : '';
    this.error = error ?? '';
    return this;
  }

  async do(command: OverlayCommand): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    const { result, error } = await this.#answer();
    if (error !== undefined) throw new Error(error);
    return result;
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  inside(command: string): string {
    return run(`nsenter --net=${this.path} ${command}`);
  }

  /** Whether a packet and its answer came through. */
  reaches(address: string, bytes = 56): boolean {
    const ping = ['busybox', 'ping', '-c', '1', '-W', '1', '-s', String(bytes), address];
    const { status, stderr } = spawnSync('nsenter', [`--net=${this.path}`, ...ping], { encoding: 'utf8' });
    assert.ok(status === 0 || status === 1, `ping itself failed: ${stderr}`);
    return status === 0;
  }

  async reached(address: string, bytes?: number): Promise<void> {
    await eventually(`${address} is reached`, async () => this.reaches(address, bytes) || undefined);
  }

  async #answer(): Promise<{ result?: unknown; error?: string }> {
    const next = await this.#lines.next();
    if (next.done === true) throw new Error('the host ended');
    return JSON.parse(next.value) as { result?: unknown; error?: string };
  }
}

isolated(import.meta.filename, () => {
  const machines: { child: ChildProcess; path: string }[] = [];
  const hosts: OverlayHost[] = [];
  const on = (at: Which, command: string): string =>
    run(`nsenter --net=${machines[at]?.path} sh -c ${JSON.stringify(command).replaceAll('$', '\\$')}`);
  /** Packets that the wire carried into a machine, by what they were. */
  const counted = (at: Which, what: 'vxlan' | 'sealed port' | 'esp' | 'fragments'): number => {
    const rules = on(at, 'nft list chain netdev wire in').split('\n');
    const rule = rules.find((line) => line.includes(`comment "${what}"`));
    return Number(/packets (\d+)/.exec(rule ?? '')?.[1]);
  };
  const join2 = async (network: NetworkRecord): Promise<readonly [OverlayHost, OverlayHost]> => {
    const made = await Promise.all(
      both.map((at) => {
        const { host: localAddress, mac, ipv4, ipv6 } = endpoints[at];
        const config = { instance: `slipov${at}`, localAddress, network, mac, ipv4, ipv6 };
        return new OverlayHost(machines[at]?.path ?? '', config).start();
      }),
    );
    hosts.push(...made);
    const [one, two] = made;
    assert.ok(one !== undefined && two !== undefined);
    return [one, two];
  };
  const networkOf = (number: string, options: Readonly<Record<string, string>> = {}): NetworkRecord => ({
    ...sampleNetwork('overlay', {
      'com.docker.network.driver.overlay.vxlanid_list': number,
      ...options,
    }),
    enableIPv6: true,
  });
  const endAll = async (): Promise<void> => {
    for (const host of hosts.splice(0)) await host.end();
  };

  before(async () => {
    machines.push(await machine(), await machine());
    run(
      `ip link add wire0 mtu 1400 type veth peer name wire1 mtu 1400; ip link set wire0 netns ${machines[0]?.child.pid}; ip link set wire1 netns ${machines[1]?.child.pid}`,
    );
    for (const at of both) {
      const own = endpoints[at].host;
      on(
        at,
        `ip addr add ${own}/24 dev wire${at}; ip link set wire${at} up; ip route add default dev wire${at}`,
      );
      on(
        at,
        `nft 'add table netdev wire; add chain netdev wire in { type filter hook ingress device wire${at} priority 0; }; add rule netdev wire in udp dport 4789 counter comment "vxlan"; add rule netdev wire in udp dport 4788 counter comment "sealed port"; add rule netdev wire in ip protocol esp counter comment "esp"; add rule netdev wire in ip frag-off & 0x3fff != 0 counter comment "fragments"'`,
      );
    }
  });
  after(async () => {
    await endAll();
    for (const { child } of machines) child.kill('SIGKILL');
  });

  test('endpoints reach each other in both versions, by vxlan on the wire, once and only while they are told', async () => {
    const [one, two] = await join2(networkOf('4097'));
    assert.deepEqual([one.error, two.error], ['', '']);
    assert.equal(one.reaches('10.77.0.3'), false, 'nobody has told where it is');
    assert.equal(counted(1, 'vxlan'), 0, 'and nothing is flooded');
    await one.do({ do: 'addPeer', peer: peerOf(1) });
    await two.do({ do: 'addPeer', peer: peerOf(0) });
    await one.reached('10.77.0.3');
    await two.reached('10.77.0.2');
    await one.reached('fd77::3');
    assert.ok(counted(1, 'vxlan') >= 3);
    assert.deepEqual(await one.do({ do: 'listPeers' }), [peerOf(1)]);
    assert.match(one.inside('ip link show eth0'), /mtu 1350/, 'the wire s, less 50');
    await one.reached('10.77.0.3', 1322);
    assert.equal(counted(1, 'fragments'), 0, 'the largest packets fit');
    assert.match(one.inside('ip neigh'), /10\.77\.0\.3 .* 02:42:0a:4d:00:03/, 'answered for it');
    assert.match(
      on(0, 'ip -d link show type vxlan'),
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
    const [one] = hosts;
    assert.ok(one !== undefined);
    on(0, 'ip link delete $(ip -o link show type vxlan | cut -d: -f2)');
    assert.equal(one.reaches('10.77.0.3'), false);
    await one.do({ do: 'ensure' });
    // The container's interface was a port of the bridge that went: it is joined again by who joined it.
    assert.deepEqual(await one.do({ do: 'listPeers' }), [peerOf(1)]);
    const tunnel = on(0, 'ip -o link show type vxlan').split(':')[1]?.trim() ?? '';
    on(0, `bridge fdb add 02:42:0a:4d:00:99 dev ${tunnel} dst 192.0.2.9`);
    assert.equal(((await one.do({ do: 'listPeers' })) as readonly unknown[]).length, 2);
    await one.do({ do: 'ensure' });
    assert.deepEqual(await one.do({ do: 'listPeers' }), [peerOf(1)]);
    for (const host of hosts) {
      await host.do({ do: 'leave' });
      await host.do({ do: 'leave' });
      assert.deepEqual(await host.do({ do: 'list' }), { networks: [], endpoints: [] });
    }
    await endAll();
    for (const at of both) assert.doesNotMatch(on(at, 'ip link'), /ov-|vx-|veth/, 'nothing is left');
  });

  test('networks do not meet, and neither do the hosts: other numbers, other worlds; the host has no address there', async () => {
    const [one] = await join2(networkOf('5001'));
    const other = networkOf('5002');
    const { mac, host: localAddress } = endpoints[1];
    const config = { instance: 'slipov2', localAddress, network: other, mac, ipv4: '10.77.0.3/24', ipv6: '' };
    hosts.push(await new OverlayHost(machines[1]?.path ?? '', config).start());
    await one.do({
      do: 'addPeer',
      peer: { ...peerOf(1), mac: '02:42:0a:4d:00:07', addresses: ['10.77.0.7'] },
    });
    assert.equal(one.reaches('10.77.0.7'), false);
    one.inside('ip route add default dev eth0');
    assert.equal(one.reaches('192.0.2.1'), false, 'not even its own host');
    const clash = await new OverlayHost(machines[1]?.path ?? '', {
      ...config,
      instance: 'slipov3',
      network: networkOf('5002'),
    }).start();
    hosts.push(clash);
    assert.match(clash.error, /the vxlan number 5002 is used by another interface of this host/);
    await endAll();
    for (const at of both)
      on(at, 'for l in $(ip -o link | grep -oE "(ov|vx)-[0-9a-f]+" | sort -u); do ip link delete $l; done');
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
      const { status, stderr } = spawnSync(process.execPath, [program, JSON.stringify(config)], {
        encoding: 'utf8',
        input: '',
      });
      assert.notEqual(status, 0);
      assert.match(stderr, message);
    }
  });

  test('encrypted: sealed both ways, or not at all; where the kernel cannot, the network is refused', async () => {
    const network = networkOf('7001', { encrypted: '' });
    const [one, two] = await join2(network);
    if (!knowsSeal()) {
      for (const host of [one, two])
        assert.match(host.error, /this kernel cannot encrypt networks: it lacks IPsec/);
      for (const at of both) assert.doesNotMatch(on(at, 'ip link; nft list tables'), /ov-|vx-|sealed/);
      return;
    }
    assert.deepEqual([one.error, two.error], ['', '']);
    await one.do({ do: 'addPeer', peer: peerOf(1) });
    await two.do({ do: 'addPeer', peer: peerOf(0) });
    const silent = (): void => {
      assert.equal(one.reaches('10.77.0.3'), false);
      assert.equal(two.reaches('10.77.0.2'), false);
      for (const at of both) assert.equal(counted(at, 'sealed port'), 0, 'nothing open on the wire');
    };
    silent();
    // One wall is enough: without IPsec's policies, and without the rules.
    for (const at of both) on(at, 'ip xfrm policy flush');
    silent();
    for (const host of [one, two]) await host.do({ do: 'ensure' });
    for (const at of both) on(at, `nft delete table inet slipov${at}-sealed`);
    silent();
    for (const host of [one, two]) await host.do({ do: 'ensure' });
    await one.do({ do: 'seal', seal: sealFor(0) });
    assert.equal(one.reaches('10.77.0.3'), false, 'the other one has no key');
    await two.do({ do: 'seal', seal: sealFor(1) });
    await one.reached('10.77.0.3');
    await two.reached('fd77::2');
    assert.ok(counted(1, 'esp') > 0);
    assert.equal(counted(1, 'sealed port'), 0);
    assert.match(one.inside('ip link show eth0'), /mtu 1316/);
    await one.reached('10.77.0.3', 1288);
    assert.equal(counted(1, 'fragments'), 0, 'the largest packets fit');
    // New keys: the old ones are taken for as long as the other host may still use them.
    const rolling = (at: Which): OverlaySealText => ({
      ...sealFor(at, 1),
      receiving: [...sealFor(at, 1).receiving, ...sealFor(at).receiving],
    });
    await one.do({ do: 'seal', seal: { ...rolling(0), sending: sealFor(0).sending }, former: sealFor(0) });
    await two.do({ do: 'seal', seal: rolling(1), former: sealFor(1) });
    await one.reached('10.77.0.3');
    await one.do({ do: 'seal', seal: sealFor(0, 1), former: rolling(0) });
    await two.do({ do: 'seal', seal: sealFor(1, 1), former: rolling(1) });
    await one.reached('10.77.0.3');
    assert.doesNotMatch(on(0, 'ip xfrm state'), /spi 0x00001000|spi 0x00002000/);
    // A host in the middle cannot put an open packet in.
    await two.do({ do: 'unseal', seal: sealFor(1, 1) });
    await two.do({ do: 'unseal', seal: sealFor(1, 1) });
    silent();
    for (const host of [one, two]) await host.do({ do: 'leave' });
    for (const at of both) {
      assert.doesNotMatch(on(at, 'nft list tables'), /sealed/);
      assert.doesNotMatch(on(at, 'ip xfrm policy'), /action block/);
    }
    await endAll();
  });
});
