/** Networks as the API shows them. */

import type { NetworkRecord } from '../../core/model/network.ts';
import type { NetworkView } from '../../services/networks/index.ts';
import type { LookupCounters } from '../../core/ports/net-helper.ts';
import { hasEnableIPv4, hasNetworkStatus, listsNetworkContainers, type ApiVersion } from '../versions.ts';

function encodeIpam(network: NetworkRecord): object {
  return {
    Driver: network.ipam.driver,
    Options: network.predefined ? null : (network.ipam.options ?? null),
    Config:
      network.ipam.pools.length === 0
        ? null
        : network.ipam.pools.map((pool) => ({
            Subnet: pool.subnet,
            ...(pool.ipRange === undefined || pool.ipRange === '' ? {} : { IPRange: pool.ipRange }),
            ...(pool.gateway === '' ? {} : { Gateway: pool.gateway }),
            ...(pool.auxAddresses === undefined || Object.keys(pool.auxAddresses).length === 0
              ? {}
              : { AuxiliaryAddresses: pool.auxAddresses }),
          })),
  };
}

function encodeMembers(view: NetworkView): object {
  const members = view.members.map((member) => [
    member.containerId,
    {
      Name: member.containerName,
      EndpointID: member.endpointId,
      MacAddress: member.macAddress,
      IPv4Address: member.ipv4,
      IPv6Address: member.ipv6,
    },
  ]);
  return Object.fromEntries(members) as object;
}

const maximum = 2n ** 64n - 1n;

/** Known to the engine that runs this, not yet to the compiler's library. */
const { rawJSON } = JSON as unknown as { rawJSON(this: void, text: string): object };

/** Unsigned 64-bit numbers, as exact as JSON allows: JavaScript's own numbers are not. */
function saturated(value: bigint): unknown {
  return value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : rawJSON(String(value > maximum ? maximum : value));
}

/** Counts of addresses, as Docker shows them, and of lookups, which only this engine has. */
function encodeStatus(view: NetworkView, lookups: LookupCounters | undefined): object {
  const subnets = view.subnets.map(({ subnet, inUse, available }) => [
    subnet,
    { IPsInUse: saturated(inUse), DynamicIPsAvailable: saturated(available) },
  ]);
  return {
    IPAM: { Subnets: Object.fromEntries(subnets) as object },
    ...(lookups === undefined
      ? {}
      : {
          DNS: {
            Queries: lookups.queries,
            Answered: lookups.answered,
            Forwarded: lookups.forwarded,
            Cached: lookups.cached,
            Limited: lookups.limited,
            Failed: lookups.failed,
          },
        }),
  };
}

/** Members are shown by inspect; the list leaves them empty since 1.28. */
export function encodeNetwork(
  view: NetworkView,
  withMembers: boolean,
  version: ApiVersion,
  lookups?: LookupCounters,
): object {
  const { network } = view;
  const withStatus = withMembers && (hasNetworkStatus(version) || lookups !== undefined);
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt,
    Scope: network.scope,
    Driver: network.driver,
    ...(hasEnableIPv4(version) ? { EnableIPv4: network.enableIPv4 } : {}),
    EnableIPv6: network.enableIPv6,
    IPAM: encodeIpam(network),
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom ?? '' },
    ConfigOnly: network.configOnly === true,
    ...(withMembers
      ? { Containers: encodeMembers(view) }
      : listsNetworkContainers(version)
        ? { Containers: {} }
        : {}),
    Options: network.options,
    Labels: network.labels,
    ...(withStatus ? { Status: encodeStatus(view, lookups) } : {}),
  };
}
