/** `network ls` and `network inspect`. */

import { invalid } from '../../core/errors.ts';
import { patternOf } from '../../core/name-patterns.ts';
import { isActive, type ContainerRecord, type EndpointRecord } from '../../core/model/container.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import { parseMoment } from '../../core/moment.ts';
import type { LookupCounters } from '../../core/ports/net-helper.ts';
import { nowNano, parseNano } from '../../core/time.ts';
import type { Ctx } from '../../core/ctx.ts';
import { listContainers, type Networks } from './deps.ts';
import { isUserDefined } from './endpoints.ts';
import type { NetworkState } from './state.ts';
import type { NetworkFilters, NetworkMember, NetworkView } from './types.ts';

const withPrefix = (address: string, prefix: number): string =>
  address === '' ? '' : `${address}/${prefix}`;

const memberOf = (record: ContainerRecord, endpoint: EndpointRecord): NetworkMember => ({
  containerId: record.id,
  containerName: record.name,
  endpointId: endpoint.endpointId,
  macAddress: endpoint.macAddress,
  ipv4: withPrefix(endpoint.ipv4, endpoint.ipv4PrefixLength),
  ipv6: withPrefix(endpoint.ipv6, endpoint.ipv6PrefixLength),
});

function membersOf(state: NetworkState, networkId: string): readonly NetworkMember[] {
  return state.members(networkId).map(({ record, endpoint }) => memberOf(record, endpoint));
}

export function viewOf(state: NetworkState, network: NetworkRecord): NetworkView {
  // What another program gives it counts itself.
  const counted = network.ipam.driver === 'default';
  const subnets = counted ? (state.byId(network.id)?.addresses.counts() ?? []) : [];
  return { network, members: membersOf(state, network.id), subnets };
}

/** `network inspect`. Containers in the host's own stack are attached to nothing, and members of `host` all the same. */
export function inspect(room: Networks, reference: string): NetworkView {
  const view = viewOf(room.state, room.state.find(reference).network);
  if (view.network.driver !== 'host') return view;
  const members = listContainers(room).flatMap((record) => {
    const endpoint = record.endpoints[view.network.name];
    return endpoint === undefined || !isActive(record.state) ? [] : [memberOf(record, endpoint)];
  });
  return { ...view, members };
}

/** Sums what slipway-net counted for the network's containers. */
export async function lookupsOf(
  room: Networks,
  ctx: Ctx,
  network: NetworkRecord,
): Promise<LookupCounters | undefined> {
  if (!isUserDefined(network)) return undefined;
  let known: Readonly<Record<string, LookupCounters>>;
  try {
    known = await room.helper.lookups(ctx);
  } catch (error) {
    room.log.warn('lookups are not told', { error });
    return undefined;
  }
  const sum = { queries: 0, answered: 0, forwarded: 0, cached: 0, limited: 0, failed: 0 };
  for (const { record } of room.state.members(network.id))
    for (const name of Object.keys(sum) as (keyof LookupCounters)[])
      sum[name] += known[record.id]?.[name] ?? 0;
  return sum;
}

function hasLabel(network: NetworkRecord, filter: string): boolean {
  const [key = '', ...rest] = filter.split('=');
  if (!Object.hasOwn(network.labels, key)) return false;
  return rest.length === 0 || network.labels[key] === rest.join('=');
}

/** Whether a network passes one filter; values of one filter are alternatives but for labels, which must all hold. */
function passes(view: NetworkView, name: string, values: readonly string[]): boolean {
  const { network, members } = view;
  switch (name) {
    case 'id':
      return patternOf(values)(network.id);
    case 'name':
      return patternOf(values)(network.name);
    case 'driver':
      return values.includes(network.driver);
    case 'scope':
      return values.includes(network.scope);
    case 'label':
      return values.every((value) => hasLabel(network, value));
    case 'label!':
      return !values.some((value) => hasLabel(network, value));
    case 'type':
      return values.some((value) => kindMatches(network, value));
    case 'dangling':
      return values.some((value) => truth(value) === (!network.predefined && members.length === 0));
    case 'until':
      return values.every((value) => (parseNano(network.createdAt) ?? 0n) < parseMoment(value, nowNano()));
    default:
      throw invalid(`invalid filter '${name}'`);
  }
}

function kindMatches(network: NetworkRecord, kind: string): boolean {
  if (kind === 'builtin') return network.predefined;
  if (kind === 'custom') return !network.predefined;
  throw invalid(`invalid filter: 'type'='${kind}'`);
}

function truth(value: string): boolean {
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw invalid(`invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`);
}

export function filterViews(
  views: readonly NetworkView[],
  filters: NetworkFilters = {},
): readonly NetworkView[] {
  if ((filters['dangling'] ?? []).length > 1)
    throw invalid('got more than one value for filter key "dangling"');
  const active = Object.entries(filters).filter(([, values]) => values.length > 0);
  return views.filter((view) => active.every(([name, values]) => passes(view, name, values)));
}

const listFilters = new Set(['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']);

export function list(state: NetworkState, filters: NetworkFilters = {}): readonly NetworkView[] {
  for (const name of Object.keys(filters))
    if (!listFilters.has(name)) throw invalid(`invalid filter '${name}'`);
  return filterViews(
    state.all().map(({ network }) => viewOf(state, network)),
    filters,
  );
}
