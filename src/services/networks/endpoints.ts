/** A container's endpoints before they have addresses: which networks, under which names, and whether what is asked can hold. Pure. */

import { forbidden, invalid } from '../../core/errors.ts';
import { cidrContains, parseCidr, parseIp } from '../../core/ip.ts';
import { shortId } from '../../core/ids.ts';
import type { EndpointRecord } from '../../core/model/container.ts';
import type {
  ContainerConfig,
  EndpointSpec,
  HostConfig,
  NetworkingConfig,
} from '../../core/model/container-spec.ts';
import type { NetworkRecord } from '../../core/model/network.ts';

export interface EndpointsInput {
  readonly containerId: string;
  readonly containerName: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly networking: NetworkingConfig | undefined;
}

/** Docker's meaning of `NetworkMode`. */
export function networkOfMode(mode: string | undefined): string | undefined {
  if (mode === undefined || mode === '' || mode === 'default') return 'bridge';
  return mode.startsWith('container:') ? undefined : mode;
}

/** The networks on which names are answered: every one but the default bridge, `host` and `none`. */
export const isUserDefined = (network: NetworkRecord): boolean => !network.predefined;

const needsSubnets =
  'user specified IP address is supported only when connecting to networks with user configured subnets';

/** What is wrong with an address that the user chose; all of it, as dockerd tells. */
function addressFaults(network: NetworkRecord, text: string | undefined, family: 4 | 6): readonly string[] {
  if (text === undefined || text === '') return [];
  const parsed = parseIp(text);
  const address = parsed?.family === family ? parsed : undefined;
  const faults = address === undefined ? [`invalid IPv${family} address: ${text}`] : [];
  const subnets = network.ipam.pools.flatMap((pool) => parseCidr(pool.subnet)?.cidr ?? []);
  const ofFamily = subnets.filter((subnet) => subnet.family === family);
  if (!isUserDefined(network) || ofFamily.length === 0) return [...faults, needsSubnets];
  if (address === undefined || !ofFamily.some((subnet) => cidrContains(subnet, address)))
    return [...faults, `no configured subnet or ip-range contain the IP address ${text}`];
  return faults;
}

const macForm = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

function faultsOf(network: NetworkRecord, spec: EndpointSpec): readonly string[] {
  const { IPv4Address, IPv6Address, LinkLocalIPs } = spec.IPAMConfig ?? {};
  const faults: string[] = [];
  if (!isUserDefined(network)) {
    if (IPv4Address || IPv6Address)
      faults.push('user specified IP address is supported on user defined networks only');
    if ((spec.Aliases ?? []).length > 0)
      faults.push('network-scoped alias is supported only for containers in user defined networks');
  }
  faults.push(...addressFaults(network, IPv4Address, 4), ...addressFaults(network, IPv6Address, 6));
  for (const address of LinkLocalIPs ?? [])
    if (parseIp(address) === undefined) faults.push(`invalid link-local IP address: ${address}`);
  return [...new Set(faults)];
}

/** `about` begins the message: which network's settings they are, where a request may hold several. */
export function checkSpec(network: NetworkRecord, spec: EndpointSpec, about: string): void {
  const faults = faultsOf(network, spec);
  const [only] = faults;
  const list = faults.length === 1 ? only : faults.map((fault) => `* ${fault}`).join('\n');
  if (only !== undefined) throw invalid(`${about}invalid endpoint settings:\n${list}`);
  const mac = spec.MacAddress ?? '';
  if (mac === '') return;
  if (!macForm.test(mac)) throw invalid(`${about}invalid MAC address ${mac}`);
  // The lowest bit of the first byte says that many listen to it (IEEE 802).
  if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 || /^[0:]+$/.test(mac))
    throw invalid(`${about}invalid MAC address ${mac}: no interface can have it`);
}

function unique(names: readonly (string | undefined)[]): string[] {
  return [...new Set(names.filter((name) => name !== undefined && name !== ''))] as string[];
}

/** Names that DNS answers for a container on a user-defined network. */
function dnsNames(network: NetworkRecord, spec: EndpointSpec, who: EndpointOwner): readonly string[] {
  if (!isUserDefined(network)) return [];
  return unique([who.containerName, ...(spec.Aliases ?? []), shortId(who.containerId), who.hostname]);
}

/** Settings are nothing to join; dockerd says so when the container starts. */
export function refuseConfiguration(network: NetworkRecord): void {
  if (network.configOnly === true) throw forbidden('cannot create endpoint on configuration-only network');
}

export interface EndpointOwner {
  readonly containerId: string;
  readonly containerName: string;
  /** As the user gave it. */
  readonly hostname: string | undefined;
}

export function emptyEndpoint(
  network: NetworkRecord,
  spec: EndpointSpec,
  owner: EndpointOwner,
): EndpointRecord {
  return {
    networkId: network.id,
    networkName: network.name,
    spec,
    endpointId: '',
    macAddress: '',
    ipv4: '',
    ipv4PrefixLength: 0,
    ipv4Gateway: '',
    ipv6: '',
    ipv6PrefixLength: 0,
    ipv6Gateway: '',
    dnsNames: dnsNames(network, spec, owner),
    interfaceName: '',
    hostInterfaceName: '',
  };
}

/** An endpoint of a container that does not run: what the user asked, without what was given. */
export function clearedEndpoint(endpoint: EndpointRecord): EndpointRecord {
  return {
    ...endpoint,
    endpointId: '',
    macAddress: '',
    ipv4: '',
    ipv4PrefixLength: 0,
    ipv4Gateway: '',
    ipv6: '',
    ipv6PrefixLength: 0,
    ipv6Gateway: '',
    interfaceName: '',
    hostInterfaceName: '',
  };
}

/** The specs in the order of connection: the network of `NetworkMode` first. Docker's key `default` means it too. */
function wanted(input: EndpointsInput): readonly (readonly [string, EndpointSpec])[] {
  const mode = networkOfMode(input.hostConfig.NetworkMode);
  if (mode === undefined) return [];
  const specs = new Map(Object.entries(input.networking?.EndpointsConfig ?? {}));
  const first = specs.get(mode) ?? specs.get('default') ?? {};
  specs.delete(mode);
  specs.delete('default');
  // Old clients give the address of the interface with the container.
  const mac = first.MacAddress || input.config.MacAddress;
  const main: EndpointSpec = mac === undefined || mac === '' ? first : { ...first, MacAddress: mac };
  return [[mode, main], ...[...specs].map(([name, spec]) => [name, spec ?? {}] as const)];
}

export function planEndpoints(
  input: EndpointsInput,
  find: (reference: string) => NetworkRecord,
): Readonly<Record<string, EndpointRecord>> {
  if (input.config.NetworkDisabled === true) return {};
  const owner: EndpointOwner = {
    containerId: input.containerId,
    containerName: input.containerName,
    hostname: input.config.Hostname,
  };
  const endpoints = new Map<string, EndpointRecord>();
  for (const [reference, spec] of wanted(input)) {
    const network = find(reference);
    refuseConfiguration(network);
    if (endpoints.has(network.name)) continue;
    checkSpec(network, spec, `invalid config for network ${network.name}: `);
    endpoints.set(network.name, emptyEndpoint(network, spec, owner));
  }
  const names = [...endpoints.keys()];
  if (names.length > 1 && names.includes('host'))
    throw forbidden('container cannot be disconnected from host network or connected to host network');
  if (names.length > 1 && names.includes('none'))
    throw forbidden(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  return Object.fromEntries(endpoints);
}

/** After a rename: the old name gone from the names of every endpoint, the new one first. */
export function renamedEndpoints(
  endpoints: Readonly<Record<string, EndpointRecord>>,
  oldName: string,
  newName: string,
): Readonly<Record<string, EndpointRecord>> {
  return Object.fromEntries(
    Object.entries(endpoints).map(([network, endpoint]) => {
      if (endpoint.dnsNames.length === 0) return [network, endpoint];
      const kept = endpoint.dnsNames.filter(
        (name) => name !== oldName || endpoint.spec.Aliases?.includes(name),
      );
      return [network, { ...endpoint, dnsNames: unique([newName, ...kept]) }];
    }),
  );
}
