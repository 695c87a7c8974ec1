/** slipway-net without a process: resolvers, names and ports in memory that several clients may share. */

import { conflict, notFound, unavailable } from '../../../src/core/errors.ts';
import { hostAndPort } from '../../../src/core/ip.ts';
import type { NetHelper, PortHold, ResolverConfig, ZoneName } from '../../../src/core/ports/net-helper.ts';

export class FakeNetd {
  pid = 1;
  readonly resolvers = new Map<string, { readonly namespacePath: string; config: ResolverConfig }>();
  readonly zones = new Map<string, { readonly networkName: string; readonly names: readonly ZoneName[] }>();
  readonly ports = new Map<string, PortHold>();
  /** Ports that strangers have, as `tcp 8080`. */
  readonly strangers = new Set<string>();
  readonly restartListeners = new Set<() => void>();
  running = false;

  lookup(namespacePath: string, name: string): readonly string[] {
    const found = [...this.resolvers.values()].find((resolver) => resolver.namespacePath === namespacePath);
    if (found === undefined) return [];
    const own = found.config.ownNames.filter((entry) => entry.name === name);
    const zoned = found.config.networkIds.flatMap((id) => {
      const zone = this.zones.get(id);
      return (zone?.names ?? []).filter(
        (entry) => name === entry.name || name === `${entry.name}.${zone?.networkName}`,
      );
    });
    return [...own, ...zoned].flatMap((entry) => entry.ipv4);
  }

  /** A crash: what is saved comes back, resolvers are bound anew by the daemon. */
  crash(): void {
    this.pid++;
    this.resolvers.clear();
    for (const listener of this.restartListeners) listener();
  }
}

const keyOf = (port: PortHold): string => `${port.protocol} ${hostAndPort(port.hostIp, port.hostPort)}`;

export function createFakeNetHelper(netd = new FakeNetd()): NetHelper {
  let closed = false;
  const usable = (): void => {
    if (closed) throw unavailable('the client of slipway-net is closed');
  };
  const bindError = (port: PortHold): Error =>
    conflict(
      `failed to bind host port for ${hostAndPort(port.hostIp, port.hostPort)}:${hostAndPort(port.containerIp, port.containerPort)}/${port.protocol}: address already in use`,
    );
  return {
    async ensureRunning() {
      usable();
      netd.running = true;
    },
    async attachResolver(_ctx, namespacePath, config) {
      usable();
      if (namespacePath.startsWith('/nonexistent')) throw notFound(`no namespace ${namespacePath}`);
      netd.resolvers.set(config.containerId, { namespacePath, config });
    },
    async updateResolver(_ctx, config) {
      usable();
      const resolver = netd.resolvers.get(config.containerId);
      if (resolver === undefined) throw notFound(`no resolver for container ${config.containerId}`);
      resolver.config = config;
    },
    async detachResolver(_ctx, containerId) {
      usable();
      netd.resolvers.delete(containerId);
    },
    async setZone(_ctx, networkId, networkName, names) {
      usable();
      if (names.length === 0) netd.zones.delete(networkId);
      else netd.zones.set(networkId, { networkName, names });
    },
    async holdPorts(_ctx, ports) {
      usable();
      const taken = ports.find((port) => netd.strangers.has(`${port.protocol} ${port.hostPort}`));
      if (taken !== undefined) throw bindError(taken);
      for (const port of ports) netd.ports.set(keyOf(port), port);
    },
    async releasePorts(_ctx, containerId) {
      usable();
      for (const [key, port] of netd.ports) if (port.containerId === containerId) netd.ports.delete(key);
    },
    async list() {
      usable();
      return {
        resolvers: [...netd.resolvers.keys()],
        zones: [...netd.zones.keys()],
        ports: [...netd.ports.values()],
      };
    },
    async lookups() {
      usable();
      const some = { queries: 1, answered: 1, forwarded: 0, cached: 0, limited: 0, failed: 0 };
      return Object.fromEntries([...netd.resolvers.keys()].map((id) => [id, some]));
    },
    onRestart(listener) {
      netd.restartListeners.add(listener);
    },
    close() {
      closed = true;
    },
    async shutdown() {
      closed = true;
      netd.running = false;
    },
    async stats() {
      usable();
      return { pid: netd.pid, rssBytes: 1, version: 'fake' };
    },
  };
}
