/** Names that slipway-net answers: zones of networks and the resolver of each container, derived from who is attached. */

import type { Ctx } from '../../core/ctx.ts';
import { isKind } from '../../core/errors.ts';
import type { ContainerRecord, EndpointRecord } from '../../core/model/container.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import type { ResolverConfig, ZoneName } from '../../core/ports/net-helper.ts';
import type { Networks } from './deps.ts';
import { isUserDefined } from './endpoints.ts';
import { parseResolvConf, upstreamServers } from './resolv-conf.ts';
import type { Attached, NetworkState } from './state.ts';

const bare = (address: string): readonly string[] => (address === '' ? [] : [address]);

export function zoneOf(state: NetworkState, networkId: string): readonly ZoneName[] {
  return state
    .members(networkId)
    .flatMap(({ endpoint }) =>
      endpoint.dnsNames.map((name) => ({ name, ipv4: bare(endpoint.ipv4), ipv6: bare(endpoint.ipv6) })),
    );
}

const networkOf = (state: NetworkState, endpoint: EndpointRecord): NetworkRecord | undefined =>
  state.byId(endpoint.networkId)?.network;

/** Endpoints on networks with names, and thus with the embedded DNS. */
export function namedEndpoints(
  state: NetworkState,
  endpoints: Readonly<Record<string, EndpointRecord>>,
): readonly EndpointRecord[] {
  return Object.values(endpoints).filter((endpoint) => {
    const network = networkOf(state, endpoint);
    return network !== undefined && isUserDefined(network);
  });
}

/** `target:alias` on a user-defined network: the alias is a name of the target that only this container knows. */
function linkedNames(state: NetworkState, endpoints: readonly EndpointRecord[]): readonly ZoneName[] {
  return endpoints.flatMap((endpoint) =>
    (endpoint.spec.Links ?? []).flatMap((link): ZoneName[] => {
      const [target = '', alias = target] = link.split(':');
      const found = state
        .members(endpoint.networkId)
        .find(({ record }) => record.name === target || record.id.startsWith(target));
      if (found === undefined) return [];
      return [{ name: alias, ipv4: bare(found.endpoint.ipv4), ipv6: bare(found.endpoint.ipv6) }];
    }),
  );
}

export function resolverConfig(room: Networks, { record, endpoints }: Attached): ResolverConfig {
  const named = namedEndpoints(room.state, endpoints);
  const leadsOutside = Object.values(endpoints).some(
    (endpoint) => networkOf(room.state, endpoint)?.internal === false,
  );
  const host = parseResolvConf(room.facts.readResolvConf());
  return {
    containerId: record.id,
    networkIds: named.map((endpoint) => endpoint.networkId),
    ownNames: linkedNames(room.state, named),
    upstreams: upstreamServers({ host, dns: record.hostConfig.Dns ?? [] }),
    forward: leadsOutside,
  };
}

/** Links as they are now. A resolver that is only being attached is not there yet: who attaches it calls this afterwards. */
export async function refreshResolver(room: Networks, ctx: Ctx, attached: Attached): Promise<void> {
  try {
    await room.helper.updateResolver(ctx, resolverConfig(room, attached));
  } catch (error) {
    if (!isKind(error, 'notFound')) throw error;
  }
}

/** Tells slipway-net the names of a network as they are now, and the links that point into it. */
export async function publishNames(room: Networks, ctx: Ctx, networkId: string): Promise<void> {
  const network = room.state.byId(networkId)?.network;
  const members = room.state.members(networkId);
  const linking = members.filter(({ endpoint }) => (endpoint.spec.Links ?? []).length > 0);
  await Promise.all([
    room.helper.setZone(ctx, networkId, network?.name ?? '', zoneOf(room.state, networkId)),
    ...linking.map(async ({ record }) => {
      const attached = room.state.attached.get(record.id);
      if (attached !== undefined) await refreshResolver(room, ctx, attached);
    }),
  ]);
}

/** Names of every named network of these endpoints. */
export async function publishNamesOf(
  room: Networks,
  ctx: Ctx,
  endpoints: Readonly<Record<string, EndpointRecord>>,
): Promise<void> {
  const named = namedEndpoints(room.state, endpoints);
  await Promise.all(named.map((endpoint) => publishNames(room, ctx, endpoint.networkId)));
}

export async function refreshNames(room: Networks, ctx: Ctx, record: ContainerRecord): Promise<void> {
  if (!room.state.attached.has(record.id)) return;
  room.state.attached.set(record.id, { record, endpoints: record.endpoints });
  await publishNamesOf(room, ctx, record.endpoints);
}
