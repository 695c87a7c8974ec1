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

// Answers.

/** Attach and exec streams say whether they are multiplexed in their media type (else always raw-stream). */
export const namesMultiplexedStreams = since(42);
/** Logs carry a media type of their own. */
export const namesLogStreams = since(42);
/** `VirtualSize` of images repeats `Size`. */
export const hasVirtualSize = before(44);
/** The addresses on the default bridge stand at the top level of `NetworkSettings` too. */
export const hasTopLevelAddresses = before(52);
/** `Bridge`, `HairpinMode`, `LinkLocalIPv6*`, `Secondary*` of `NetworkSettings`, long without meaning. */
export const hasBridgeSettings = before(52);
/** `MacAddress` in a container's config, as answered. */
export const hasConfigMacAddress = before(44);
/** `OnBuild` of a container's config even when there is none. */
export const hasEmptyOnBuild = before(52);
/** `DNSNames` of an endpoint. */
export const hasDnsNames = since(44);
/** The short container id among an endpoint's `Aliases`. */
export const hasShortIdAlias = before(45);
/** `GwPriority` of an endpoint. */
export const hasGwPriority = since(48);
/** `Containers` in the list of networks, though always empty. */
export const listsNetworkContainers = before(52);
/** The list of networks with the containers on each, as inspect has them. */
export const listsNetworkMembers = before(28);
/** `shared-size` of the list of images. */
export const hasSharedSize = since(42);
/** `filter` of the list of images: a name, as the filter `reference` has it. */
export const hasNameFilter = before(41);
/** `RepoDigests` of an image without any in the list: null, later empty. */
export const hasNullRepoDigests = before(42);
/** `EnableIPv4` of a network. */
export const hasEnableIPv4 = since(48);
/** `Status` of a network, with the counts of its addresses. */
export const hasNetworkStatus = since(52);
/** `ImageManifestDescriptor` of a container. */
export const hasManifestDescriptor = since(48);
/** `Descriptor` of an image. */
export const hasImageDescriptor = since(48);
/** `Manifests` of the image list. */
export const hasImageManifests = since(47);
/** Platforms of images: to inspect, save, load and remove one by one. */
export const hasImagePlatforms = since(48);
/** `platform` of a push. */
export const hasPushPlatform = since(46);
/** `Container` and `ContainerConfig` of an image. */
export const hasImageContainer = before(45);
/** An image's config with the fields that only containers have. */
export const hasFullImageConfig = before(50);
/** Fields of an image that are empty: `Parent`, `Comment`, `DockerVersion`, `Author`, and those of its config. */
export const hasEmptyImageFields = before(52);
/** `status`, `id` and `from` beside the structured fields of an event. */
export const hasFlatEventFields = before(52);
/** A health summary in the container list. */
export const listsHealth = since(52);
/** `KernelMemory` and `KernelMemoryTCP` of info and host config, whether set or not. */
export const hasKernelMemory = before(42);
/** `system df` as flat lists; 1.52 has them beside the totals by kind. */
export const hasFlatDiskUsage = before(53);
/** `system df` as totals by kind. */
export const hasDiskUsageTotals = since(52);
/** `BuilderSize` of `system df`. */
export const hasBuilderSize = before(42);
/** `os_type` of stats. */
export const hasStatsOsType = since(52);
/** `AllowNondistributableArtifacts*` of info, null for a while. */
export const hasNondistributable = before(49);
/** `Expected` beside the `ID` of a commit in info. */
export const hasExpectedCommits = before(49);
/** `FirewallBackend` of info. */
export const hasFirewallBackend = since(49);
/** `CDISpecDirs` of info. */
export const hasCdiDirectories = since(44);
/** Annotations in the container list. */
export const listsAnnotations = since(46);
/** Numbers of containers in the image list; before that always -1. */
export const listsImageContainers = since(51);
/** `BridgeNfIptables` and `BridgeNfIp6tables` of info. */
export const hasBridgeNfWarnings = before(50);

// Requests.

/** `system df` of some kinds of objects only; the option meant nothing before. */
export const choosesDiskUsage = since(42);
/** `Subpath` of a volume's mount. */
export const takesVolumeSubpath = since(45);
/** `MacAddress` of a container's config means the endpoint of its main network, whatever stands there. */
export const macAddressIsContainers = before(44);
/** It still fills an empty one of that endpoint, with a warning. */
export const takesConfigMacAddress = before(52);
/** The client removes a container that was run with `--rm`, not the engine. */
export const clientRemoves = before(25);
/** Pruning takes named volumes too, not only anonymous ones. */
export const prunesNamedVolumes = before(42);
/** Stop and restart take a signal. */
export const stopTakesSignal = since(42);
/** Exec takes a console size. */
export const execTakesConsoleSize = since(42);
/** Read-only mounts are not recursive. */
export const readOnlyMountsAreFlat = before(44);
/** The IPC mode is `shareable` unless said otherwise. */
export const ipcIsShareable = before(40);
/** The cgroup namespace is the host's unless said otherwise. */
export const cgroupNamespaceIsHost = before(41);
