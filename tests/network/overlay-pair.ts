/** Two hosts as namespaces with a wire between them, and a network over both. */

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { NetworkRecord } from '#src/core/model/network.ts';
import type { OverlayPeer } from '#src/core/ports/overlay.ts';
import { sampleNetwork } from '#tests/contracts/network-driver.contract.ts';
import { eventually } from '../scenarios/engine.ts';
import type { OverlayCommand, OverlayHostConfig } from './overlay-host.ts';

export const overlayProgram = join(import.meta.dirname, 'overlay-host.ts');
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

export const endpoints = [
  { host: '192.0.2.1', mac: '02:42:0a:4d:00:02', ipv4: '10.77.0.2/24', ipv6: 'fd77::2/64' },
  { host: '192.0.2.2', mac: '02:42:0a:4d:00:03', ipv4: '10.77.0.3/24', ipv6: 'fd77::3/64' },
] as const;
export type Which = 0 | 1;
export const both: readonly Which[] = [0, 1];

export const peerOf = (at: Which): OverlayPeer => {
  const { host, mac, ipv4, ipv6 } = endpoints[at];
  return { host, mac, addresses: [ipv4, ipv6].map((address) => address.split('/')[0] ?? '') };
};

export class OverlayHost {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** Of the container's namespace; the error where joining it failed. */
  path = '';
  error = '';

  constructor(where: string, config: OverlayHostConfig) {
    const command = [`--net=${where}`, process.execPath, overlayProgram, JSON.stringify(config)];
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

export const networkOf = (number: string, options: Readonly<Record<string, string>> = {}): NetworkRecord => ({
  ...sampleNetwork('overlay', { 'com.docker.network.driver.overlay.vxlanid_list': number, ...options }),
  enableIPv6: true,
});

/** Counts on the wire, where nothing of either host can hide a packet. */
const counters = [
  'udp dport 4789 counter comment "vxlan"',
  'udp dport 4788 counter comment "sealed port"',
  'ip protocol esp counter comment "esp"',
  'ip frag-off & 0x3fff != 0 counter comment "fragments"',
];

export class OverlayPair {
  readonly #machines: { child: ChildProcess; path: string }[] = [];
  readonly hosts: OverlayHost[] = [];

  async start(): Promise<void> {
    this.#machines.push(await machine(), await machine());
    const [one, two] = this.#machines.map(({ child }) => child.pid);
    run(
      `ip link add wire0 mtu 1400 type veth peer name wire1 mtu 1400; ip link set wire0 netns ${one}; ip link set wire1 netns ${two}`,
    );
    for (const at of both) {
      const own = endpoints[at].host;
      const hook = `type filter hook ingress device wire${at} priority 0;`;
      const rules = counters.map((rule) => `add rule netdev wire in ${rule}`).join('; ');
      this.on(
        at,
        `ip addr add ${own}/24 dev wire${at}; ip link set wire${at} up; ip route add default dev wire${at}`,
      );
      this.on(at, `nft 'add table netdev wire; add chain netdev wire in { ${hook} }; ${rules}'`);
    }
  }

  /** Runs a command in a machine. */
  on(at: Which, command: string): string {
    return run(`nsenter --net=${this.path(at)} sh -c ${JSON.stringify(command).replaceAll('$', '\\$')}`);
  }

  path(at: Which): string {
    return this.#machines[at]?.path ?? '';
  }

  /** Packets that the wire carried into a machine, by what they were. */
  counted(at: Which, what: 'vxlan' | 'sealed port' | 'esp' | 'fragments'): number {
    const rules = this.on(at, 'nft list chain netdev wire in').split('\n');
    const rule = rules.find((line) => line.includes(`comment "${what}"`));
    return Number(/packets (\d+)/.exec(rule ?? '')?.[1]);
  }

  async join(network: NetworkRecord): Promise<readonly [OverlayHost, OverlayHost]> {
    const made = await Promise.all(
      both.map((at) => {
        const { host: localAddress, mac, ipv4, ipv6 } = endpoints[at];
        const config = { instance: `slipov${at}`, localAddress, network, mac, ipv4, ipv6 };
        return new OverlayHost(this.path(at), config).start();
      }),
    );
    this.hosts.push(...made);
    const [one, two] = made;
    assert.ok(one !== undefined && two !== undefined);
    return [one, two];
  }

  async leave(): Promise<void> {
    for (const host of this.hosts.splice(0)) await host.end();
  }

  async end(): Promise<void> {
    await this.leave();
    for (const { child } of this.#machines) child.kill('SIGKILL');
  }
}
