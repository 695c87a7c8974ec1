/** Networks as the API shows them. */

import type { NetworkRecord } from '../../core/model/network.ts';
import type { NetworkView } from '../../services/networks/index.ts';
import { hasEnableIPv4, type ApiVersion } from '../versions.ts';

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

/** Members are shown by inspect; the list leaves them empty. */
export function encodeNetwork(view: NetworkView, withMembers: boolean, version: ApiVersion): object {
  const { network } = view;
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
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: withMembers ? encodeMembers(view) : {},
    Options: network.options,
    Labels: network.labels,
  };
}
