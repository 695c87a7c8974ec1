/** The body of a create, taken apart, with the defaults that older versions of the API had. Pure. */

import { invalid } from '../../core/errors.ts';
import type {
  ContainerConfig,
  EndpointSpec,
  HostConfig,
  NetworkingConfig,
} from '../../core/model/container-spec.ts';
import type { BodyOf } from '../exchange.ts';
import {
  cgroupNamespaceIsHost,
  clientRemoves,
  hasConfigMacAddress,
  ipcIsShareable,
  readOnlyMountsAreFlat,
  type ApiVersion,
} from '../versions.ts';

export interface CreateBody {
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly networkingConfig: NetworkingConfig;
}

function hostConfigOf(given: HostConfig, version: ApiVersion): HostConfig {
  let result = given;
  const set = (change: Partial<HostConfig>): void => {
    result = { ...result, ...change };
  };
  if (ipcIsShareable(version) && (given.IpcMode ?? '') === '') set({ IpcMode: 'shareable' });
  if (cgroupNamespaceIsHost(version) && (given.CgroupnsMode ?? '') === '') set({ CgroupnsMode: 'host' });
  if (clientRemoves(version) && given.AutoRemove === true) set({ AutoRemove: false });
  if (readOnlyMountsAreFlat(version) && given.Mounts != null) {
    set({
      Mounts: given.Mounts.map((mount) =>
        mount.Type === 'bind'
          ? { ...mount, BindOptions: { ...mount.BindOptions, ReadOnlyNonRecursive: true } }
          : mount,
      ),
    });
  }
  return result;
}

/** Before 1.44 the MAC address stood in the config; since then it belongs to the endpoint of the container's main network. */
function withMacAddress(
  networking: NetworkingConfig,
  mode: string,
  macAddress: string | undefined,
  version: ApiVersion,
): NetworkingConfig {
  if (macAddress === undefined || macAddress === '' || !hasConfigMacAddress(version)) return networking;
  const network = mode === '' || mode === 'default' ? 'bridge' : mode;
  const endpoints = networking.EndpointsConfig ?? {};
  const endpoint: EndpointSpec = { MacAddress: macAddress, ...endpoints[network] };
  return { ...networking, EndpointsConfig: { ...endpoints, [network]: endpoint } };
}

export function createBody(body: BodyOf<'ContainerCreate'>, version: ApiVersion): CreateBody {
  const { HostConfig: host, NetworkingConfig: networking, ...rest } = body;
  const config = rest as ContainerConfig;
  if (Object.keys(config).length === 0)
    throw invalid('Config cannot be empty in order to create a container');
  const hostConfig = hostConfigOf((host ?? {}) as HostConfig, version);
  const networkingConfig = withMacAddress(
    networking ?? {},
    hostConfig.NetworkMode ?? '',
    config.MacAddress,
    version,
  );
  return { config, hostConfig, networkingConfig };
}
