/** Networks whose containers stand on the host's own network with hardware addresses of their own: a macvlan interface each, on a parent. */

import type { Ctx } from '../../../core/ctx.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { invalid, forbidden } from '../../../core/errors.ts';
import type { NetworkRecord } from '../../../core/model/network.ts';
import type { Host, LinkOperation, MacvlanMode, NetworkProgram } from '../../../core/ports/host.ts';
import type { EndpointPlan, NamespaceHandle, NetworkDriver } from '../../../core/ports/network-driver.ts';
import { planDefaultRoute } from '../default-route.ts';
import {
  checkParent,
  ensureParent,
  explained,
  hasCode,
  listParents,
  mtuOption,
  parentOf,
  removeParent,
} from '../parent/index.ts';
import { planInside } from '../plan-inside.ts';

export type MacvlanHost = Pick<Host, 'link' | 'links' | 'networkProgram'>;

const modeOption = 'macvlan_mode';
const modes: readonly string[] = ['bridge', 'private', 'vepa', 'passthru'];

function modeOf(network: NetworkRecord): MacvlanMode {
  const mode = network.options[modeOption] || 'bridge';
  if (!modes.includes(mode))
    throw invalid(
      `requested macvlan mode '${mode}' is not valid, 'bridge' mode is the macvlan driver default`,
    );
  return mode as MacvlanMode;
}

/**
 * How long a hardware address, or the parent as a whole, may stay in use by interfaces that the kernel is about to collect, ms: with
 * connections that were open in their namespace it takes two seconds.
 */
const patienceMs = 6000;
const pollMs = 50;

function planEndpoint(namespacePath: string, plan: EndpointPlan): NetworkProgram {
  const namespace = { path: namespacePath };
  const mtu = Number(plan.network.options[mtuOption] || 0);
  const create: LinkOperation = {
    op: 'createMacvlan',
    name: plan.interfaceName,
    parent: parentOf(plan.network),
    mode: modeOf(plan.network),
    mac: plan.macAddress,
    namespace,
    ...(mtu === 0 ? {} : { mtu }),
  };
  return { steps: [{ operations: [create] }, { namespace, operations: planInside(plan) }] };
}

export function createMacvlanDriver(options: {
  readonly host: MacvlanHost;
  readonly instance: string;
}): NetworkDriver {
  const { host, instance } = options;
  return {
    name: 'macvlan',

    validate(network) {
      checkParent(network);
      modeOf(network);
      return { ...network, parentName: parentOf(network) };
    },

    async ensure(_ctx: Ctx, network: NetworkRecord) {
      await ensureParent(host, instance, network);
    },

    async remove(_ctx: Ctx, network: NetworkRecord) {
      await removeParent(host, instance, network);
    },

    async attach(_ctx: Ctx, namespace: NamespaceHandle, plan: EndpointPlan) {
      const deadline = performance.now() + patienceMs;
      for (;;) {
        try {
          await host.networkProgram(planEndpoint(namespace.path, plan));
          return;
        } catch (error) {
          const excluded = hasCode(error, 'EBUSY') || hasCode(error, 'EINVAL');
          if (!excluded && !hasCode(error, 'EADDRINUSE')) throw explained('macvlan', error);
          if (performance.now() > deadline)
            throw excluded
              ? forbidden(
                  `parent interface ${parentOf(plan.network)} is used in a way that excludes this network's mode`,
                  error,
                )
              : error;
          await host.link({ path: namespace.path }, [{ op: 'deleteLink', name: plan.interfaceName }]);
          await delay(pollMs);
        }
      }
    },

    async detach(_ctx: Ctx, namespace: NamespaceHandle | undefined, plan: EndpointPlan) {
      // With the namespace the kernel collects the interface.
      if (namespace === undefined || plan.interfaceName === '') return;
      await host.link({ path: namespace.path }, [{ op: 'deleteLink', name: plan.interfaceName }]);
    },

    async setDefaultRoute(_ctx: Ctx, namespace: NamespaceHandle, plan: EndpointPlan, on: boolean) {
      await host.link({ path: namespace.path }, planDefaultRoute(plan, on ? 'add' : 'remove'));
    },

    list: async () => ({ networks: await listParents(host, instance), endpoints: [] }),

    async removeStray(_ctx, stray) {
      for (const name of stray.networks) await host.link(undefined, [{ op: 'deleteLink', name }]);
    },
  };
}
