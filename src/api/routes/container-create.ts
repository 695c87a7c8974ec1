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
  ipcIsShareable,
  macAddressIsContainers,
  readOnlyMountsAreFlat,
  takesConfigMacAddress,
  takesVolumeSubpath,
  type ApiVersion,
} from '../versions.ts';

export interface CreateBody {
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly networkingConfig: NetworkingConfig;
  readonly warnings: readonly string[];
}

function refuseLaterFields(given: HostConfig, version: ApiVersion): void {
  const subpaths = (given.Mounts ?? []).filter((mount) => (mount.VolumeOptions?.Subpath ?? '') !== '');
  if (subpaths.length > 0 && !takesVolumeSubpath(version))
    throw invalid('VolumeOptions.Subpath needs API v1.45 or newer');
}

function hostConfigOf(given: HostConfig, version: ApiVersion): HostConfig {
  refuseLaterFields(given, version);
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

const macWarning =
  'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.';

interface Networking {
  readonly networking: NetworkingConfig;
  readonly warnings: readonly string[];
}

/**
 * Before 1.44 the MAC address stood in the config alone; then it moved to the endpoint of the container's main network, where the
 * old place filled an empty one until 1.52.
 */
function withMacAddress(
  given: NetworkingConfig,
  mode: string,
  macAddress: string | undefined,
  version: ApiVersion,
): Networking {
  const containers = macAddressIsContainers(version);
  const networking = containers ? withoutMacAddresses(given) : given;
  if (macAddress === undefined || macAddress === '' || !takesConfigMacAddress(version))
    return { networking, warnings: [] };
  if (mode === 'host' || mode === 'none' || mode.startsWith('container:')) {
    if (containers) throw invalid('conflicting options: mac-address and the network mode');
    return { networking, warnings: [macWarning] };
  }
  const network = mode === '' || mode === 'default' ? 'bridge' : mode;
  const endpoints = networking.EndpointsConfig ?? {};
  const own = endpoints[network];
  if ((own?.MacAddress ?? '') !== '' && own?.MacAddress !== macAddress) {
    throw invalid(
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    );
  }
  const endpoint: EndpointSpec = { ...own, MacAddress: macAddress };
  return {
    networking: { ...networking, EndpointsConfig: { ...endpoints, [network]: endpoint } },
    warnings: containers ? [] : [macWarning],
  };
}

/** Versions that did not know the field ignored it. */
function withoutMacAddresses(networking: NetworkingConfig): NetworkingConfig {
  if (networking.EndpointsConfig == null) return networking;
  const endpoints = Object.entries(networking.EndpointsConfig).map(([name, endpoint]) => [
    name,
    endpoint == null ? endpoint : { ...endpoint, MacAddress: '' },
  ]);
  return {
    ...networking,
    EndpointsConfig: Object.fromEntries(endpoints) as Record<string, EndpointSpec | null>,
  };
}

export function createBody(body: BodyOf<'ContainerCreate'>, version: ApiVersion): CreateBody {
  const { HostConfig: host, NetworkingConfig: networking, ...rest } = body;
  const config = rest as ContainerConfig;
  if (Object.keys(config).length === 0)
    throw invalid('config cannot be empty in order to create a container');
  const hostConfig = hostConfigOf((host ?? {}) as HostConfig, version);
  const mode = hostConfig.NetworkMode ?? '';
  const planned = withMacAddress(networking ?? {}, mode, config.MacAddress, version);
  return { config, hostConfig, networkingConfig: planned.networking, warnings: planned.warnings };
}
