/**
 * The endpoint that carries the default route and the published ports changes when a running container joins or leaves a
 * network: routes and ports go over to the other one.
 */

import type { Ctx } from '../../core/ctx.ts';
import type { ContainerRecord, EndpointRecord } from '../../core/model/container.ts';
import type { NamespaceHandle } from '../../core/ports/network-driver.ts';
import { endpointPlan } from './attach.ts';
import { driverOf, type Networks } from './deps.ts';
import type { ClaimedPort } from './ports/claims.ts';
import { hold, letTurnAround, remember } from './publish.ts';
import { firewallPorts } from './published.ts';
import { claimPorts, gatewayEndpoint } from './reserve.ts';
import { publishPorts, unpublishPorts } from './walls.ts';

const publishes = (room: Networks, endpoint: EndpointRecord | undefined): boolean =>
  endpoint !== undefined && room.state.byId(endpoint.networkId)?.network.driver === 'bridge';

async function setRoute(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  endpoint: EndpointRecord | undefined,
  namespace: NamespaceHandle,
  on: boolean,
): Promise<void> {
  if (endpoint === undefined) return;
  const plan = endpointPlan(room, record, record.endpoints, endpoint);
  await driverOf(room, plan.network.driver)?.setDefaultRoute?.(ctx, namespace, plan, on);
}

/** As they were claimed at the start, or claimed now where the container had no way to publish them so far. */
function portsOn(room: Networks, record: ContainerRecord, wasPublished: boolean): readonly ClaimedPort[] {
  const claimed = room.state.claims.get(record.id)?.claimedPorts ?? [];
  if (wasPublished || claimed.length > 0) return claimed;
  const deps = { state: room.state, ipv6: room.facts.ipv6, bindAddress: room.defaults?.bindAddress };
  return claimPorts(deps, record, record.endpoints);
}

/**
 * `record` has the endpoints as they are now; `before` is the gateway that it had, whose interface may be gone
 * (`gone`). Answers the record with its ports as they are published afterwards.
 */
export async function moveGateway(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  before: EndpointRecord | undefined,
  namespace: NamespaceHandle,
  gone: boolean,
): Promise<ContainerRecord> {
  const after = gatewayEndpoint(room.state, record.endpoints);
  if (after?.endpointId === before?.endpointId) return record;
  if (!gone) await setRoute(room, ctx, record, before, namespace, false);
  await setRoute(room, ctx, record, after, namespace, true);
  if (record.ports.length > 0 && before !== undefined) {
    const old = { ...record, endpoints: { [before.networkName]: before } };
    await unpublishPorts(room, ctx, firewallPorts(room, old));
  }
  if (!publishes(room, after)) {
    if (record.ports.length > 0) await room.helper.releasePorts(ctx, record.id);
    const claimed = room.state.claims.get(record.id)?.claimedPorts ?? [];
    room.state.ports.giveBack(record.id, claimed);
    const bare = { ...record, ports: [] };
    remember(room, bare, []);
    return bare;
  }
  const claimed = portsOn(room, record, publishes(room, before));
  const held = claimed.length === 0 ? claimed : await hold(room, ctx, record, claimed);
  const moved = { ...record, ports: held.map(({ dynamic: _dynamic, ...port }) => port) };
  remember(room, moved, held);
  await letTurnAround(room, ctx, moved);
  await publishPorts(room, ctx, firewallPorts(room, moved));
  return moved;
}
