/** Networks whose containers share the hardware address of a parent interface and differ by IP address: an ipvlan interface each. */

import type { Ctx } from '../../../core/ctx.ts';
import { invalid } from '../../../core/errors.ts';
import { derivedHex } from '../../../core/ids.ts';
import type { NetworkRecord } from '../../../core/model/network.ts';
import type { Host, IpvlanFlag, IpvlanMode, LinkOperation } from '../../../core/ports/host.ts';
import type { EndpointPlan, NamespaceHandle, NetworkDriver } from '../../../core/ports/network-driver.ts';
import { planDefaultRoute } from '../default-route.ts';
import {
  checkParent,
  ensureParent,
  explained,
  listParents,
  mtuOption,
  parentOf,
  removeParent,
} from '../parent/index.ts';
import { planInside } from '../plan-inside.ts';

export type IpvlanHost = Pick<Host, 'link' | 'links' | 'networkProgram'>;

const modeOption = 'ipvlan_mode';
const flagOption = 'ipvlan_flag';

function modeOf(network: NetworkRecord): IpvlanMode {
  const mode = network.options[modeOption] || 'l2';
  if (mode === 'l2' || mode === 'l3' || mode === 'l3s') return mode;
  throw invalid(`requested ipvlan mode '${mode}' is not valid, 'l2' mode is the ipvlan driver default`);
}

function flagOf(network: NetworkRecord): IpvlanFlag {
  const flag = network.options[flagOption] || 'bridge';
  if (flag === 'bridge' || flag === 'private' || flag === 'vepa') return flag;
  throw invalid(`requested ipvlan flag '${flag}' is not valid, 'bridge' is the ipvlan driver default`);
}

export function createIpvlanDriver(options: {
  readonly host: IpvlanHost;
  readonly instance: string;
}): NetworkDriver {
  const { host, instance } = options;

  /** An interface that is made and taken away at once: whether the kernel can is known when the network is created, not when a container starts. */
  const probe = async (network: NetworkRecord): Promise<void> => {
    const name = `slip${derivedHex(8, 'probe', network.id)}`;
    const make: LinkOperation = {
      op: 'createIpvlan',
      name,
      parent: parentOf(network),
      mode: modeOf(network),
      flag: flagOf(network),
    };
    try {
      await host.link(undefined, [make]);
    } catch (error) {
      throw explained('ipvlan', error);
    }
    await host.link(undefined, [{ op: 'deleteLink', name }]);
  };

  return {
    name: 'ipvlan',

    validate(network) {
      checkParent(network);
      modeOf(network);
      flagOf(network);
      return { ...network, parentName: parentOf(network) };
    },

    async ensure(_ctx: Ctx, network: NetworkRecord) {
      await ensureParent(host, instance, network);
      await probe(network);
    },

    async remove(_ctx: Ctx, network: NetworkRecord) {
      await removeParent(host, instance, network);
    },

    async attach(_ctx: Ctx, namespace: NamespaceHandle, plan: EndpointPlan) {
      const inside = { path: namespace.path };
      const mode = modeOf(plan.network);
      const mtu = Number(plan.network.options[mtuOption] || 0);
      const create: LinkOperation = {
        op: 'createIpvlan',
        name: plan.interfaceName,
        parent: parentOf(plan.network),
        mode,
        flag: flagOf(plan.network),
        namespace: inside,
        ...(mtu === 0 ? {} : { mtu }),
      };
      await host.networkProgram({
        steps: [
          { operations: [create] },
          // In l3 the parent routes: there is no neighbour to be a gateway.
          { namespace: inside, operations: planInside(plan, mode !== 'l2') },
        ],
      });
    },

    async detach(_ctx: Ctx, namespace: NamespaceHandle | undefined, plan: EndpointPlan) {
      if (namespace === undefined || plan.interfaceName === '') return;
      await host.link({ path: namespace.path }, [{ op: 'deleteLink', name: plan.interfaceName }]);
    },

    async setDefaultRoute(_ctx: Ctx, namespace: NamespaceHandle, plan: EndpointPlan, on: boolean) {
      await host.link(
        { path: namespace.path },
        planDefaultRoute(plan, on ? 'add' : 'remove', modeOf(plan.network) !== 'l2'),
      );
    },

    list: async () => ({ networks: await listParents(host, instance), endpoints: [] }),

    async removeStray(_ctx, stray) {
      for (const name of stray.networks) await host.link(undefined, [{ op: 'deleteLink', name }]);
    },
  };
}
