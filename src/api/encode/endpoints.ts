/** A container's networks and ports. */

import { isActive, type ContainerRecord, type EndpointRecord } from '../../core/model/container.ts';
import { shortId } from '../../core/ids.ts';
import {
  hasBridgeSettings,
  hasDnsNames,
  hasGwPriority,
  hasShortIdAlias,
  hasTopLevelAddresses,
  type ApiVersion,
} from '../versions.ts';

function aliases(
  record: ContainerRecord,
  endpoint: EndpointRecord,
  version: ApiVersion,
): readonly string[] | null {
  const given = endpoint.spec.Aliases ?? null;
  const predefined = ['bridge', 'host', 'none'].includes(endpoint.networkName);
  if (!hasShortIdAlias(version) || predefined) return given;
  const short = shortId(record.id);
  return given?.includes(short) === true ? given : [...(given ?? []), short];
}

export function encodeEndpoint(
  record: ContainerRecord,
  endpoint: EndpointRecord,
  version: ApiVersion,
): object {
  const { spec } = endpoint;
  return {
    IPAMConfig: spec.IPAMConfig ?? null,
    Links: spec.Links ?? null,
    Aliases: aliases(record, endpoint, version),
    MacAddress: endpoint.macAddress,
    DriverOpts: spec.DriverOpts ?? null,
    ...(hasGwPriority(version) ? { GwPriority: spec.GwPriority ?? 0 } : {}),
    NetworkID: endpoint.networkId,
    EndpointID: isActive(record.state) ? endpoint.endpointId : '',
    Gateway: endpoint.ipv4Gateway,
    IPAddress: endpoint.ipv4,
    IPPrefixLen: endpoint.ipv4PrefixLength,
    IPv6Gateway: endpoint.ipv6Gateway,
    GlobalIPv6Address: endpoint.ipv6,
    GlobalIPv6PrefixLen: endpoint.ipv6PrefixLength,
    ...(hasDnsNames(version) ? { DNSNames: endpoint.dnsNames.length === 0 ? null : endpoint.dnsNames } : {}),
  };
}

export function encodeEndpoints(record: ContainerRecord, version: ApiVersion): Record<string, object> {
  return Object.fromEntries(
    Object.entries(record.endpoints).map(([name, endpoint]) => [
      name,
      encodeEndpoint(record, endpoint, version),
    ]),
  );
}

/** As rows of the list have them: the names that the engine added are for inspect. */
export function listedEndpoints(record: ContainerRecord, version: ApiVersion): Record<string, object> {
  const names = hasDnsNames(version) ? { DNSNames: null } : {};
  return Object.fromEntries(
    Object.entries(record.endpoints).map(([name, endpoint]) => [
      name,
      { ...encodeEndpoint(record, endpoint, version), Aliases: endpoint.spec.Aliases ?? null, ...names },
    ]),
  );
}

const withProtocol = (port: string): string => (port.includes('/') ? port : `${port}/tcp`);

type Bindings = Record<string, { HostIp: string; HostPort: string }[] | null>;

/** Published and exposed ports of a running container; of others none, as dockerd shows it. */
function portMap(record: ContainerRecord): Bindings {
  const ports: Bindings = {};
  // In the host's own stack, and without one, no port is anybody's.
  const hasStack = Object.values(record.endpoints).some(({ interfaceName }) => interfaceName !== '');
  if (!isActive(record.state) || !hasStack) return ports;
  for (const exposed of Object.keys(record.config.ExposedPorts ?? {})) ports[withProtocol(exposed)] = null;
  for (const port of record.ports) {
    const list = (ports[`${port.containerPort}/${port.protocol}`] ??= []);
    list.push({ HostIp: port.hostIp, HostPort: port.hostPort === 0 ? '' : String(port.hostPort) });
  }
  return ports;
}

const noAddresses = {
  EndpointID: '',
  Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  IPAddress: '',
  IPPrefixLen: 0,
  IPv6Gateway: '',
  MacAddress: '',
};

/** Until 1.51 the addresses on the default bridge stood at the top level too. */
function topLevel(record: ContainerRecord): object {
  const endpoint = record.endpoints['bridge'];
  if (endpoint === undefined) return noAddresses;
  return {
    EndpointID: isActive(record.state) ? endpoint.endpointId : '',
    Gateway: endpoint.ipv4Gateway,
    GlobalIPv6Address: endpoint.ipv6,
    GlobalIPv6PrefixLen: endpoint.ipv6PrefixLength,
    IPAddress: endpoint.ipv4,
    IPPrefixLen: endpoint.ipv4PrefixLength,
    IPv6Gateway: endpoint.ipv6Gateway,
    MacAddress: endpoint.macAddress,
  };
}

const bridgeSettings = {
  HairpinMode: false,
  LinkLocalIPv6Address: '',
  LinkLocalIPv6PrefixLen: 0,
  SecondaryIPAddresses: null,
  SecondaryIPv6Addresses: null,
};

export function encodeNetworkSettings(
  record: ContainerRecord,
  sandbox: { readonly id: string; readonly key: string },
  version: ApiVersion,
): object {
  return {
    ...(hasBridgeSettings(version) ? { Bridge: '' } : {}),
    SandboxID: sandbox.id,
    SandboxKey: sandbox.key,
    Ports: portMap(record),
    ...(hasBridgeSettings(version) ? bridgeSettings : {}),
    ...(hasTopLevelAddresses(version) ? topLevel(record) : {}),
    Networks: encodeEndpoints(record, version),
  };
}

/** The `Ports` of a row of `docker ps`: published ones with their host side, then exposed ones. */
export function encodePortList(record: ContainerRecord): object[] {
  if (!isActive(record.state)) return [];
  const published = record.ports.map((port) => ({
    IP: port.hostIp,
    PrivatePort: port.containerPort,
    ...(port.hostPort === 0 ? {} : { PublicPort: port.hostPort }),
    Type: port.protocol,
  }));
  const taken = new Set(record.ports.map((port) => `${port.containerPort}/${port.protocol}`));
  const exposed = Object.keys(record.config.ExposedPorts ?? {})
    .filter((port) => !taken.has(withProtocol(port)))
    .map((port) => {
      const [number = '', protocol = 'tcp'] = port.split('/');
      return { PrivatePort: Number(number), Type: protocol };
    })
    .filter((port) => Number.isInteger(port.PrivatePort));
  return [...published, ...exposed];
}
