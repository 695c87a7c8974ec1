/** A firewall that remembers what it was told. */

import { internal } from '../../../src/core/errors.ts';
import type { Firewall, FirewallNetwork, FirewallPort } from '../../../src/core/ports/firewall.ts';

/** The pretended kernel's table; undefined when there is none. */
export interface FakeTable {
  current: { networks: Map<string, FirewallNetwork>; ports: Map<string, FirewallPort> } | undefined;
}

const keyOf = (port: FirewallPort): string => `${port.protocol} ${port.hostIp} ${port.hostPort}`;
const isTranslated = (port: FirewallPort): boolean =>
  port.hostIp.includes(':') === port.containerIp.includes(':');

export function createFakeFirewall(table: FakeTable = { current: undefined }): Firewall {
  const present = (): NonNullable<FakeTable['current']> => {
    if (table.current === undefined) throw internal('no such table');
    return table.current;
  };
  return {
    table: 'fake',
    async restore(_ctx, networks, ports) {
      table.current = {
        networks: new Map(networks.map((network) => [network.bridge, network])),
        ports: new Map(ports.filter(isTranslated).map((port) => [keyOf(port), port])),
      };
    },
    async ensureNetwork(_ctx, network) {
      present().networks.set(network.bridge, network);
    },
    async removeNetwork(_ctx, network) {
      table.current?.networks.delete(network.bridge);
    },
    async publish(_ctx, ports) {
      for (const port of ports.filter(isTranslated)) present().ports.set(keyOf(port), port);
    },
    async unpublish(_ctx, ports) {
      for (const port of ports) table.current?.ports.delete(keyOf(port));
    },
    listPorts: () => Promise.resolve([...(table.current?.ports.values() ?? [])]),
    async clear() {
      table.current = undefined;
    },
    status: () => [],
  };
}
