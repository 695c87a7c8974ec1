/**
 * Networks of one host: a Linux bridge each, and a veth pair for each endpoint. Called by the networks service.
 * The kernel is the state; the MTU of each bridge is remembered only to save a look at it on every start.
 */

import type { Ctx } from '../../../core/ctx.ts';
import { invalid } from '../../../core/errors.ts';
import { shortId } from '../../../core/ids.ts';
import { bridgeOption, bridgeSettings } from '../../../core/model/bridge-settings.ts';
import type { NetworkRecord } from '../../../core/model/network.ts';
import type { Host, LinkInfo } from '../../../core/ports/host.ts';
import type { EndpointPlan, NamespaceHandle, NetworkDriver } from '../../../core/ports/network-driver.ts';
import { planDefaultRoute } from '../default-route.ts';
import { aliasOf, aliasPrefix, bridgeMac, planBridge, planEndpoint } from './plan.ts';

export type BridgeHost = Pick<Host, 'link' | 'links' | 'addresses' | 'networkProgram' | 'facts'>;

export interface BridgeOptions {
  readonly host: BridgeHost;
  /** Names the default bridge (`<instance>0`) and marks every bridge as this engine's. */
  readonly instance: string;
}

/** What the kernel takes as an interface name (dev_valid_name), without the characters that hurt in sysctl paths. */
const interfaceName = /^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,14}$/;

function bridgeName(instance: string, network: NetworkRecord): string {
  const asked = network.options[bridgeOption.name];
  if (asked !== undefined && asked !== '') {
    if (!interfaceName.test(asked)) throw invalid(`invalid bridge name ${JSON.stringify(asked)}`);
    return asked;
  }
  return network.predefined ? `${instance}0` : `br-${shortId(network.id)}`;
}

export function createBridgeDriver({ host, instance }: BridgeOptions): NetworkDriver {
  const mtus = new Map<string, number>();

  const isOurs = (link: LinkInfo): boolean =>
    link.kind === 'bridge' && link.alias.startsWith(aliasPrefix(instance));

  /** A bridge gets its alias by a second message: a daemon that was killed in between left this network's without one. */
  const isHalfMade = (link: LinkInfo, network: NetworkRecord): boolean =>
    link.kind === 'bridge' && link.alias === '' && link.mac === bridgeMac(network.id);

  const find = async (network: NetworkRecord): Promise<LinkInfo | undefined> => {
    const name = network.bridgeName ?? '';
    return (await host.links(undefined, name)).find((one) => one.name === name);
  };

  const wantedMtu = async (network: NetworkRecord): Promise<number> =>
    bridgeSettings(network).mtu ?? (await host.facts()).uplinkMtu;

  const mtuOf = async (network: NetworkRecord): Promise<number> => {
    const known = mtus.get(network.id);
    if (known !== undefined) return known;
    const mtu = await wantedMtu(network);
    mtus.set(network.id, mtu);
    return mtu;
  };

  return {
    name: 'bridge',

    validate(network) {
      bridgeSettings(network);
      return { ...network, bridgeName: bridgeName(instance, network) };
    },

    async ensure(_ctx: Ctx, network: NetworkRecord) {
      const mtu = await wantedMtu(network);
      mtus.set(network.id, mtu);
      let link = await find(network);
      if (link !== undefined && link.kind !== 'bridge')
        throw invalid(
          `interface ${link.name} exists already and is no bridge: choose another name for the network's bridge`,
        );
      // Ours, but of a network whose record is gone: its addresses and ports mean nothing to this one.
      const isForgotten = link !== undefined && isOurs(link) && link.alias !== aliasOf(instance, network.id);
      if (link !== undefined && (isForgotten || isHalfMade(link, network))) {
        await host.link(undefined, [{ op: 'deleteLink', name: link.name }]);
        link = undefined;
      }
      const addresses = link === undefined ? [] : await host.addresses();
      const operations = planBridge(instance, network, mtu, { link, addresses });
      if (operations.length > 0) await host.link(undefined, operations);
    },

    async remove(_ctx: Ctx, network: NetworkRecord) {
      mtus.delete(network.id);
      const link = await find(network);
      // A bridge that stood there before the network is its owner's.
      if (link === undefined) return;
      if (link.alias !== aliasOf(instance, network.id) && !isHalfMade(link, network)) return;
      await host.link(undefined, [{ op: 'deleteLink', name: link.name }]);
    },

    async attach(_ctx: Ctx, namespace: NamespaceHandle, plan: EndpointPlan) {
      await host.networkProgram(planEndpoint(namespace.path, plan, await mtuOf(plan.network)));
    },

    async detach(_ctx: Ctx, _namespace: NamespaceHandle | undefined, plan: EndpointPlan) {
      if (plan.hostInterfaceName === '') return;
      await host.link(undefined, [{ op: 'deleteLink', name: plan.hostInterfaceName }]);
    },

    async setDefaultRoute(_ctx: Ctx, namespace: NamespaceHandle, plan: EndpointPlan, on: boolean) {
      await host.link({ path: namespace.path }, planDefaultRoute(plan, on ? 'add' : 'remove'));
    },

    async allowHairpin(_ctx: Ctx, plan: EndpointPlan) {
      await host.link(undefined, [{ op: 'setBridgePort', name: plan.hostInterfaceName, hairpin: true }]);
    },

    async list(_ctx: Ctx) {
      const links = await host.links();
      const bridges = links.filter(isOurs);
      const indexes = new Set(bridges.map((bridge) => bridge.index));
      return {
        networks: bridges.map((bridge) => bridge.name),
        endpoints: links.filter((link) => indexes.has(link.master)).map((link) => link.name),
      };
    },

    async removeStray(_ctx: Ctx, stray) {
      for (const name of [...stray.endpoints, ...stray.networks])
        await host.link(undefined, [{ op: 'deleteLink', name }]);
    },
  };
}
