/** Network and address drivers that are programs of others, found by name when a network asks for one. Built by the daemon. */

import { forbidden, internal, notFound } from '../../core/errors.ts';
import type { IpamDriver } from '../../core/ports/ipam-driver.ts';
import { noSwarm, type DriverPlugins, type NetworkDriver } from '../../core/ports/network-driver.ts';
import { callPlugin } from './client.ts';
import { dockerFolders, findPlugin, type PluginFolders } from './discover.ts';
import { createRemoteDriver, type Call, type RemoteHost } from './remote-driver.ts';
import { createRemoteIpam } from './remote-ipam.ts';

/** Undefined where nothing of that name is announced. */
async function activate(name: string, kind: string, folders: PluginFolders): Promise<Call | undefined> {
  const address = findPlugin(name, folders);
  if (address === undefined) return undefined;
  // The address is looked up anew for each call: a plugin that was started again may announce another one.
  const call: Call = (method, body) => callPlugin(name, findPlugin(name, folders) ?? address, method, body);
  const { Implements } = await call('Plugin.Activate');
  const kinds = Array.isArray(Implements) ? (Implements as unknown[]) : [];
  if (!kinds.includes(kind))
    throw internal(`plugin ${name} implements ${JSON.stringify(kinds)}, not ${kind}`);
  return call;
}

export function createDriverPlugins(host: RemoteHost, folders: PluginFolders = dockerFolders): DriverPlugins {
  const drivers = new Map<string, NetworkDriver>();
  const addresses = new Map<string, IpamDriver>();
  return {
    async load(_ctx, name) {
      const known = drivers.get(name);
      if (known !== undefined) return known;
      const call = await activate(name, 'NetworkDriver', folders);
      if (call === undefined) return undefined;
      const { Scope } = await call('NetworkDriver.GetCapabilities');
      // Its networks are of a whole cluster, which this host is not part of.
      if (Scope === 'global') throw forbidden(noSwarm);
      if (Scope !== 'local')
        throw internal(
          `plugin ${name} has the scope ${JSON.stringify(Scope)}, which is neither local nor global`,
        );
      const driver = createRemoteDriver(name, host, call);
      drivers.set(name, driver);
      return driver;
    },
    loaded: (name) => drivers.get(name),
    async loadIpam(_ctx, name) {
      const known = addresses.get(name);
      if (known !== undefined) return known;
      const call = await activate(name, 'IpamDriver', folders);
      if (call === undefined) throw notFound(`plugin ${JSON.stringify(name)} not found`);
      const driver = await createRemoteIpam(name, call);
      addresses.set(name, driver);
      return driver;
    },
  };
}
