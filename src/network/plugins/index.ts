/** Network drivers that are programs of others, found by name when a network asks for one. Built by the daemon. */

import { internal, invalid } from '../../core/errors.ts';
import type { DriverPlugins, NetworkDriver } from '../../core/ports/network-driver.ts';
import { callPlugin } from './client.ts';
import { dockerFolders, findPlugin, type PluginFolders } from './discover.ts';
import { createRemoteDriver, type RemoteHost } from './remote-driver.ts';

export function createDriverPlugins(host: RemoteHost, folders: PluginFolders = dockerFolders): DriverPlugins {
  const drivers = new Map<string, NetworkDriver>();
  const activate = async (name: string): Promise<NetworkDriver | undefined> => {
    const address = findPlugin(name, folders);
    if (address === undefined) return undefined;
    const call = (method: string, body: object) => callPlugin(name, address, method, body);
    const { Implements } = await call('Plugin.Activate', {});
    const kinds = Array.isArray(Implements) ? (Implements as unknown[]) : [];
    if (!kinds.includes('NetworkDriver'))
      throw internal(`plugin ${name} implements ${JSON.stringify(kinds)}, not NetworkDriver`);
    const { Scope } = await call('NetworkDriver.GetCapabilities', {});
    if (Scope !== 'local')
      throw invalid(
        `plugin ${name} has the scope ${JSON.stringify(Scope)}: it needs a cluster, this engine takes local ones`,
      );
    return createRemoteDriver(name, host, call);
  };
  return {
    async load(_ctx, name) {
      const known = drivers.get(name);
      if (known !== undefined) return known;
      const driver = await activate(name);
      if (driver !== undefined) drivers.set(name, driver);
      return driver;
    },
    loaded: (name) => drivers.get(name),
  };
}
