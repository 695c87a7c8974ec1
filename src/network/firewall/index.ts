/**
 * The engine's firewall: one nftables table for every network and every published port. Called by the networks
 * service. The kernel's table is the state; kept here are the names of the bridges, for rules in other firewalls' chains, and
 * what a deleted table cannot tell any more.
 */

import type { Ctx } from '../../core/ctx.ts';
import { isErrno, unavailable } from '../../core/errors.ts';
import type { Firewall, FirewallNetwork, FirewallPort } from '../../core/ports/firewall.ts';
import type { Host } from '../../core/ports/host.ts';
import type { NftChange, NftElement } from '../../core/ports/nft.ts';
import {
  allNetworkElements,
  elementId,
  isOfNetwork,
  networkElements,
  portElement,
  portOfElement,
  settingSets,
  type PlacedElement,
} from './elements.ts';
import { versionByte, type IpVersion } from './expressions.ts';
import { disableForwarding, enableForwarding, isForwardingOff } from './forwarding.ts';
import { cleanForeignChains, leaveZones, meetForeignChains, type ForeignChains } from './foreign-chains.ts';
import { expectedRules, planTable, setNames, type SetName } from './table.ts';

export type FirewallHost = Pick<
  Host,
  'nftApply' | 'nftElements' | 'nftChains' | 'nftRules' | 'deleteConntrack' | 'link'
>;

export interface FirewallOptions {
  readonly host: FirewallHost;
  /** Name of the table. */
  readonly instance: string;
}

const forgetDelayMs = 50;

const hasCode = (error: unknown, code: string): boolean =>
  isErrno(error, code) || (error instanceof Error && isErrno(error.cause, code));

/** How a kernel says that it has no nf_tables, or no netfilter at all over netlink. */
const absent = ['EOPNOTSUPP', 'ENOTSUP', 'EPROTONOSUPPORT'];

async function explained<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!absent.some((code) => hasCode(error, code))) throw error;
    throw unavailable(
      'this kernel has no nf_tables, which networks and published ports are made of (iptables alone is not enough): load the module (modprobe nf_tables) or use a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET',
      error,
    );
  }
}

/** `now` beside `wanted`: what to add and what to take away. */
function difference(
  now: readonly PlacedElement[],
  wanted: readonly PlacedElement[],
): { readonly add: readonly PlacedElement[]; readonly remove: readonly PlacedElement[] } {
  const present = new Set(now.map(elementId));
  const meant = new Set(wanted.map(elementId));
  return {
    add: wanted.filter((placed) => !present.has(elementId(placed))),
    remove: now.filter((placed) => !meant.has(elementId(placed))),
  };
}

class NftFirewall implements Firewall {
  readonly #host: FirewallHost;
  readonly #table: string;
  readonly #bridges = new Set<string>();
  /** IP versions that the host did not forward, for a table that someone has deleted. */
  #closed: readonly PlacedElement[] = [];
  readonly #forgetting = new Set<number>();
  #notes: readonly string[] = [];

  readonly table: string;

  readonly #foreign: ForeignChains;

  constructor(options: FirewallOptions) {
    this.#host = options.host;
    this.#table = options.instance;
    this.#foreign = { host: options.host, table: options.instance };
    this.table = options.instance;
  }

  async restore(
    ctx: Ctx,
    networks: readonly FirewallNetwork[],
    ports: readonly FirewallPort[],
  ): Promise<void> {
    const wanted = [
      ...networks.flatMap(networkElements),
      ...ports.flatMap((port) => portElement(port) ?? []),
    ];
    const kept = await explained(this.#closedVersions());
    const now = (await this.#rulesIntact()) ? await this.#elements() : undefined;
    if (now === undefined) {
      // One transaction: no packet ever meets a host without the table or with half of it.
      await explained(
        this.#host.nftApply(undefined, [
          ...planTable(this.#table),
          ...this.#changes('addElements', [...wanted, ...kept]),
        ]),
      );
    } else {
      const { add, remove } = difference(now, [...wanted, ...kept]);
      const changes = [...this.#changes('deleteElements', remove), ...this.#changes('addElements', add)];
      if (changes.length > 0) await this.#host.nftApply(undefined, changes);
    }
    this.#bridges.clear();
    for (const network of networks) this.#bridges.add(network.bridge);
    await this.#forward(networks);
    await this.#meetForeignChains(ctx);
  }

  async ensureNetwork(ctx: Ctx, network: FirewallNetwork): Promise<void> {
    const wanted = networkElements(network);
    const { add, remove } = difference(await this.#settingsOf(network.bridge), wanted);
    const present = new Set(wanted.map((placed) => placed.set));
    const stale = allNetworkElements(network.bridge).filter((placed) => !present.has(placed.set));
    // Adding first makes the deletion of what may be absent succeed.
    await this.#host.nftApply(undefined, [
      ...this.#changes('deleteElements', remove),
      ...this.#changes('addElements', [...add, ...stale]),
      ...this.#changes('deleteElements', stale),
    ]);
    this.#bridges.add(network.bridge);
    await this.#forward([network]);
    await this.#meetForeignChains(ctx);
  }

  async removeNetwork(ctx: Ctx, network: FirewallNetwork): Promise<void> {
    this.#bridges.delete(network.bridge);
    try {
      const all = allNetworkElements(network.bridge);
      const settings = await this.#settingsOf(network.bridge);
      await this.#host.nftApply(undefined, [
        ...this.#changes('addElements', all),
        ...this.#changes('deleteElements', [...all, ...settings]),
      ]);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
    await leaveZones(this.#foreign, ctx, [network.bridge]);
    await this.#meetForeignChains(ctx);
  }

  async publish(ctx: Ctx, ports: readonly FirewallPort[]): Promise<void> {
    const placed = ports.flatMap((port) => portElement(port) ?? []);
    if (placed.length === 0) return;
    try {
      await this.#host.nftApply(undefined, this.#changes('addElements', placed));
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      // Another value stands under one of the keys, left by a container that is gone: the claims say that the port is ours.
      for (const one of placed) await this.#replace(one);
    }
    this.#forgetConnections(ctx, ports);
  }

  async unpublish(ctx: Ctx, ports: readonly FirewallPort[]): Promise<void> {
    const placed = ports.flatMap((port) => portElement(port) ?? []);
    if (placed.length === 0) return;
    try {
      await this.#host.nftApply(undefined, this.#changes('deleteElements', placed));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      for (const one of placed) await this.#removeOne(one);
    }
    this.#forgetConnections(ctx, ports);
  }

  async listPorts(_ctx: Ctx): Promise<readonly FirewallPort[]> {
    const elements = (await this.#elements()) ?? [];
    return elements.flatMap(({ set, element }) => portOfElement(set, element) ?? []);
  }

  async clear(ctx: Ctx): Promise<void> {
    const known = (await this.#elements(['bridges'])) ?? [];
    const named = known.map(({ element }) => Buffer.from(element.key).toString().replace(/\0+$/, ''));
    await leaveZones(this.#foreign, ctx, [...new Set([...this.#bridges, ...named])]);
    this.#bridges.clear();
    await cleanForeignChains(this.#foreign, []);
    const closed = await this.#closedVersions();
    for (const { element } of closed) await disableForwarding(this.#host, element.key[0] === 10 ? 6 : 4);
    const ref = { family: 'inet', table: this.#table } as const;
    await this.#host.nftApply(undefined, [
      { ...ref, change: 'addTable' },
      { ...ref, change: 'deleteTable' },
    ]);
    this.#notes = [];
    this.#closed = [];
  }

  status(): readonly string[] {
    return this.#notes;
  }

  /** Whether every chain of the table stands as planned. */
  async #rulesIntact(): Promise<boolean> {
    for (const [chain, comments] of expectedRules()) {
      const rules = await this.#host.nftRules(undefined, { family: 'inet', table: this.#table, chain });
      if (rules.length !== comments.length || rules.some((rule, at) => rule.comment !== comments[at]))
        return false;
    }
    return true;
  }

  /** What the table has for one network in the sets where its name does not tell the element. */
  async #settingsOf(bridge: string): Promise<readonly PlacedElement[]> {
    const elements = (await this.#elements(settingSets)) ?? [];
    return elements.filter((placed) => isOfNetwork(placed, bridge));
  }

  /** Undefined when the table or one of its sets is missing. */
  async #elements(sets: readonly SetName[] = setNames): Promise<readonly PlacedElement[] | undefined> {
    const all: PlacedElement[] = [];
    for (const set of sets) {
      const elements = await this.#host.nftElements(undefined, { family: 'inet', table: this.#table, set });
      if (elements === undefined) return undefined;
      all.push(...elements.map((element) => ({ set, element })));
    }
    return all;
  }

  #changes(change: 'addElements' | 'deleteElements', placed: readonly PlacedElement[]): readonly NftChange[] {
    const bySet = Map.groupBy(placed, (one) => one.set);
    return [...bySet].map(([set, group]) => {
      const elements: readonly NftElement[] = group.map((one) => one.element);
      return { family: 'inet', table: this.#table, change, set, elements };
    });
  }

  async #replace(placed: PlacedElement): Promise<void> {
    await this.#removeOne(placed);
    await this.#host.nftApply(undefined, this.#changes('addElements', [placed]));
  }

  async #removeOne(placed: PlacedElement): Promise<void> {
    try {
      await this.#host.nftApply(undefined, this.#changes('deleteElements', [placed]));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }

  /**
   * A UDP flow that the kernel knows keeps its old target for as long as it goes on: a moved port would stay dead for it.
   * In the background and collected, because finding such flows is slow.
   */
  #forgetConnections(ctx: Ctx, ports: readonly FirewallPort[]): void {
    const udp = ports.filter((port) => port.protocol === 'udp').map((port) => port.hostPort);
    if (udp.length === 0) return;
    const waiting = this.#forgetting.size > 0;
    for (const port of udp) this.#forgetting.add(port);
    if (waiting) return;
    setTimeout(() => {
      const hostPort = [...this.#forgetting];
      this.#forgetting.clear();
      this.#host
        .deleteConntrack({ protocol: 'udp', hostPort })
        .catch((error: unknown) => ctx.log.warn('stale UDP flows could not be forgotten', { error }));
    }, forgetDelayMs).unref();
  }

  /** The element comes before the switch: the host is never a router between its other interfaces. */
  async #forward(networks: readonly FirewallNetwork[]): Promise<void> {
    const needed: readonly IpVersion[] = networks.some((network) => network.ipv6Subnets.length > 0)
      ? [4, 6]
      : [4];
    for (const version of needed) {
      if (!isForwardingOff(version)) continue;
      const closed: PlacedElement = { set: 'closed', element: { key: versionByte(version) } };
      await this.#host.nftApply(undefined, this.#changes('addElements', [closed]));
      this.#closed = [...this.#closed, closed];
      await enableForwarding(this.#host, version);
    }
  }

  async #closedVersions(): Promise<readonly PlacedElement[]> {
    const set = { family: 'inet', table: this.#table, set: 'closed' } as const;
    const elements = await this.#host.nftElements(undefined, set);
    if (elements !== undefined) this.#closed = elements.map((element) => ({ set: 'closed', element }));
    return this.#closed;
  }

  async #meetForeignChains(ctx: Ctx): Promise<void> {
    this.#notes = await meetForeignChains(this.#foreign, ctx, [...this.#bridges]);
  }
}

export function createFirewall(options: FirewallOptions): Firewall {
  return new NftFirewall(options);
}
