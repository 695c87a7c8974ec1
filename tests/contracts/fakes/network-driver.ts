/** A bridge driver over interfaces in memory. */

import type { NetworkDriver } from '../../../src/core/ports/network-driver.ts';

/** Interfaces of the pretended kernel; drivers of several daemons may share one. */
export interface FakeLinks {
  readonly bridges: Set<string>;
  /** Host interface -> where its other end is, under which name and address. */
  readonly endpoints: Map<
    string,
    { readonly namespace: string; readonly name: string; readonly address: string }
  >;
}

export function createFakeLinks(): FakeLinks {
  return { bridges: new Set(), endpoints: new Map() };
}

export function createFakeNetworkDriver(
  links: FakeLinks = createFakeLinks(),
  name = 'bridge',
): NetworkDriver {
  return {
    name,
    validate: (network) => ({
      ...network,
      bridgeName: network.bridgeName ?? `br-${network.id.slice(0, 12)}`,
    }),
    async ensure(_ctx, network) {
      links.bridges.add(network.bridgeName ?? '');
    },
    async remove(_ctx, network) {
      links.bridges.delete(network.bridgeName ?? '');
    },
    async attach(_ctx, namespace, plan) {
      if (!links.bridges.has(plan.network.bridgeName ?? ''))
        throw new Error(`no bridge ${plan.network.bridgeName}`);
      if (links.endpoints.has(plan.hostInterfaceName)) throw new Error(`${plan.hostInterfaceName} exists`);
      links.endpoints.set(plan.hostInterfaceName, {
        namespace: namespace.path,
        name: plan.interfaceName,
        address: plan.ipv4,
      });
    },
    async detach(_ctx, _namespace, plan) {
      links.endpoints.delete(plan.hostInterfaceName);
    },
    list: () => Promise.resolve({ networks: [...links.bridges], endpoints: [...links.endpoints.keys()] }),
    async removeStray(_ctx, stray) {
      for (const bridge of stray.networks) links.bridges.delete(bridge);
      for (const endpoint of stray.endpoints) links.endpoints.delete(endpoint);
    },
  };
}
