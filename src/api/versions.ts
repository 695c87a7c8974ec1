/** All that differs between versions of the API. Nothing else may look at the version of a request. */

import { invalid } from '../core/errors.ts';

/** The minor part: every version that is served is 1.x. */
export type ApiVersion = number;

export const minimumVersion = '1.24';
export const maximumVersion = '1.55';

const minimum = 24;
const maximum = 55;

/** Version of a request from its path prefix (without `v`); undefined means the newest. Fails as dockerd does outside the range. */
export function negotiate(prefix: string | undefined): ApiVersion {
  if (prefix === undefined) return maximum;
  const [major = 0, minor = 0] = prefix.split('.').map(Number);
  if (major < 1 || (major === 1 && minor < minimum)) {
    throw invalid(
      `client version ${prefix} is too old. Minimum supported API version is ${minimumVersion}, please upgrade your client to a newer version`,
    );
  }
  if (major > 1 || minor > maximum) {
    throw invalid(`client version ${prefix} is too new. Maximum supported API version is ${maximumVersion}`);
  }
  return minor;
}

const since =
  (minor: number) =>
  (version: ApiVersion): boolean =>
    version >= minor;
const before =
  (minor: number) =>
  (version: ApiVersion): boolean =>
    version < minor;

/** Attach and exec streams say whether they are multiplexed in their media type (else always raw-stream). */
export const namesMultiplexedStreams = since(42);
/** Logs carry a media type of their own. */
export const namesLogStreams = since(42);
/** `VirtualSize` of images repeats `Size`. */
export const hasVirtualSize = before(44);
/** Network inspect and container inspect: `GraphDriver` and network settings of the default bridge at the top level. */
export const hasTopLevelAddresses = before(52);
/** `Bridge`, `HairpinMode`, `LinkLocalIPv6*`, `SecondaryIP*` of `NetworkSettings`. */
export const hasBridgeSettings = before(52);
/** `Config.MacAddress` in create and inspect. */
export const hasConfigMacAddress = before(44);
/** `DNSNames` of an endpoint. */
export const hasDnsNames = since(44);
/** The short container id among an endpoint's `Aliases`. */
export const hasShortIdAlias = before(45);
/** `ImageManifestDescriptor` of a container. */
export const hasManifestDescriptor = since(48);
/** `Container`, `ContainerConfig` of an image. */
export const hasImageContainer = before(45);
/** Image config without the fields that only containers have. */
export const hasFullImageConfig = before(50);
/** Fields that 1.52 stopped repeating in image inspect (`Parent`, `DockerVersion`, empty values). */
export const hasLegacyImageFields = before(52);
/** `Descriptor` and `Manifests` of images. */
export const hasImageDescriptor = since(48);
/** `status`, `id` and `from` beside the structured fields of an event. */
export const hasFlatEventFields = before(52);
/** `prune` events carry the reclaimed space, image events exist... and image pulls without tag are `latest`. */
export const removesByWaitCondition = since(30);
/** `AnonymousVolumes` only: `volumes prune` took all unused volumes before. */
export const prunesNamedVolumes = before(42);
/** A health summary in the container list. */
export const listsHealth = since(52);
/** `NetworkSettings.Networks` of the list carry `MacAddress` and `DriverOpts`. */
export const hasGwPriority = since(48);
/** `EnableIPv4` of networks. */
export const hasEnableIPv4 = since(48);
/** `KernelMemory` in info and host config. */
export const hasKernelMemory = before(42);
/** `BuildCache`, `Containers`, ... of `system df` as flat lists, else also summaries by kind. */
export const hasFlatDiskUsage = before(52);
/** `SwapFree`-like and cluster fields that info lost. */
export const hasClusterStore = before(44);
export const hasBridgeNfWarnings = before(50);
/** Stopping takes a signal. */
export const stopTakesSignal = since(42);
/** Exec takes a console size. */
export const execTakesConsoleSize = since(42);
/** Read-only mounts were not recursive. */
export const readOnlyMountsAreFlat = before(44);
/** Default IPC mode `shareable`. */
export const ipcIsShareable = before(40);
/** Default cgroup namespace `host`. */
export const cgroupNamespaceIsHost = before(41);
