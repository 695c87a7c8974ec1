/** What `info` and `version` tell about this engine. */

import { maximumVersion, minimumVersion } from '../api/index.ts';
import { listDevices } from '../runtime/index.ts';
import type { EngineFacts } from '../services/system/index.ts';
import type { Base } from './base.ts';
import { insecureListeners } from './listen.ts';
import { masked, proxyEnvironment } from './proxies.ts';
import { buildCommit, buildTime, productVersion } from './version.ts';

export function engineFacts(base: Base): EngineFacts {
  const { options, oci } = base;
  return {
    engineId: base.id,
    instance: options.instance,
    version: productVersion,
    gitCommit: buildCommit,
    buildTime,
    apiVersion: maximumVersion,
    minApiVersion: minimumVersion,
    dataRoot: base.dataRoot,
    debug: options.logLevel === 'debug',
    experimental: options.experimental,
    labels: options.labels,
    storage: base.storage.snapshots,
    userNamespaces: base.remap !== undefined,
    cgroupDriver: options.containerDefaults.cgroupDriver,
    cgroupVersion: oci.layout.version === 2 ? 2 : 1,
    defaultRuntime: oci.defaultRuntime,
    runtimes: () => oci.runtime.info(),
    loggingDriver: options.logDriver,
    // As dockerd lists them: `none` is no driver that one could choose for its sake.
    logDrivers: [...base.logDrivers.keys()].filter((name) => name !== 'none').sort(),
    networkDrivers: ['bridge', 'host', 'ipvlan', 'macvlan', 'null'],
    volumeDrivers: ['local'],
    initBinary: base.initPath ?? '',
    firewallBackend: 'nftables',
    defaultAddressPools: options.addressPools,
    insecureRegistries: options.insecureRegistries,
    registryMirrors: options.registryMirrors,
    httpProxy: masked(proxyEnvironment(options)['HTTP_PROXY']),
    httpsProxy: masked(proxyEnvironment(options)['HTTPS_PROXY']),
    noProxy: proxyEnvironment(options)['NO_PROXY'] ?? '',
    insecureListeners: insecureListeners(options),
    cdiSpecDirs: options.cdiSpecDirs,
    devices: () => listDevices(options.cdiSpecDirs),
  };
}
