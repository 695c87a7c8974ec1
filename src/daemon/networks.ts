/** Networks with their drivers, the firewall and the client of slipway-net. */

import {
  createBridgeDriver,
  createDriverPlugins,
  createFirewall,
  createHostDriver,
  createIpvlanDriver,
  createMacvlanDriver,
  createNetHelper,
  createNoneDriver,
} from '../network/index.ts';
import { createSpareNamespace } from '../host/index.ts';
import { createNetworksService, readHostFacts, type NetworksService } from '../services/networks/index.ts';
import type { Base } from './base.ts';

export function buildNetworks(base: Base) {
  const { host, options, log, events } = base;
  const helper = createNetHelper({ host, runRoot: base.runRoot, program: base.programs.net, log });
  const bridge = createBridgeDriver({ host, instance: options.instance });
  const spare = createSpareNamespace(host);
  const service = createNetworksService({
    engineId: base.id,
    records: base.storage.records,
    events,
    drivers: [
      bridge,
      createHostDriver(),
      createIpvlanDriver({ host, instance: options.instance }),
      createMacvlanDriver({ host, instance: options.instance }),
      createNoneDriver(),
    ],
    plugins: createDriverPlugins(host),
    firewall: createFirewall({ host, instance: options.instance }),
    helper,
    host: { ...host, createNetns: () => spare.take() },
    facts: readHostFacts(),
    defaults: {
      addressPools: options.addressPools,
      bip: options.bip,
      bindAddress: options.bindAddress,
      mtu: options.mtu,
    },
    log,
  });
  const networks: NetworksService = {
    ...service,
    async attach(ctx, record, namespace) {
      try {
        return await service.attach(ctx, record, namespace);
      } finally {
        // While the container's process is being started: before, this one would have to wait for it.
        spare.refill();
      }
    },
  };
  return { networks, helper, spare };
}
