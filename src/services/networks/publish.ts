/** Published ports of a container that exists: taken away and added while it runs, or noted for its next start. */

import type { Ctx } from '../../core/ctx.ts';
import { conflict, isKind } from '../../core/errors.ts';
import { isActive, type ContainerRecord, type PublishedPort } from '../../core/model/container.ts';
import type { PortBinding, PortMap } from '../../core/model/container-spec.ts';
import { withUndo, type UndoStack } from '../../core/undo.ts';
import { endpointPlan } from './attach.ts';
import { directoryOf, driverOf, type Networks } from './deps.ts';
import type { ClaimedPort } from './ports/claims.ts';
import { parseContainerPort } from './ports/requests.ts';
import { firewallPorts, portHolds } from './published.ts';
import { claimPorts, connectivityError, gatewayEndpoint } from './reserve.ts';
import type { PortChanges } from './types.ts';
import { publishPorts, unpublishPorts } from './walls.ts';

type Wanted = Pick<PortBinding, 'HostIp' | 'HostPort'>;

/** Whether a binding is meant by a removal: what the removal does not say is left open. */
const isMeant = (wanted: readonly Wanted[] | null | undefined, hostIp: string, hostPort: string): boolean =>
  (wanted ?? []).length === 0 ||
  (wanted ?? []).some((one) => (one.HostIp || hostIp) === hostIp && (one.HostPort || hostPort) === hostPort);

function keyOf(text: string): string {
  const { port, protocol } = parseContainerPort(text);
  return `${port}/${protocol}`;
}

const normal = (map: PortMap | undefined): PortMap => {
  const out = new Map<string, readonly PortBinding[]>();
  for (const [key, bindings] of Object.entries(map ?? {}))
    out.set(keyOf(key), [...(out.get(keyOf(key)) ?? []), ...(bindings ?? [])]);
  return Object.fromEntries(out);
};

/** The bindings as the next start will ask for them. Pure. */
export function changedBindings(current: PortMap | null | undefined, changes: PortChanges): PortMap {
  const remove = normal(changes.remove);
  const kept = Object.entries(normal(current ?? {})).flatMap(([key, bindings]) => {
    if (!Object.hasOwn(remove, key)) return [[key, bindings] as const];
    const left = (bindings ?? []).filter(
      (one) => !isMeant(remove[key], one.HostIp ?? '', one.HostPort ?? ''),
    );
    return left.length === 0 ? [] : [[key, left] as const];
  });
  const out = new Map<string, readonly PortBinding[] | null>(kept);
  for (const [key, bindings] of Object.entries(normal(changes.add)))
    out.set(key, [...(out.get(key) ?? []), ...(bindings ?? [])]);
  return Object.fromEntries(out);
}

const isGone = (remove: PortMap, port: PublishedPort): boolean => {
  const key = `${port.containerPort}/${port.protocol}`;
  return Object.hasOwn(remove, key) && isMeant(remove[key], port.hostIp, String(port.hostPort));
};

const maxExchanges = 10;

/** Holds the new ports; ephemeral ones that a process of the host has are exchanged. */
export async function hold(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  fresh: readonly ClaimedPort[],
): Promise<readonly ClaimedPort[]> {
  const gateway = gatewayEndpoint(room.state, record.endpoints);
  let ports = fresh;
  for (let attempt = 0; ; attempt++) {
    try {
      await room.helper.holdPorts(ctx, portHolds(room, { ...record, ports }));
      return ports;
    } catch (error) {
      const dynamic = ports.filter((port) => port.dynamic);
      if (!isKind(error, 'conflict') || dynamic.length === 0 || attempt >= maxExchanges) {
        room.state.ports.giveBack(record.id, ports);
        throw gateway === undefined ? error : connectivityError(record, gateway, error);
      }
      const groups = Map.groupBy(
        dynamic,
        (port) => `${port.protocol}/${port.containerPort}/${port.hostPort}`,
      );
      const exchanged = [...groups.values()].flatMap((group) => room.state.ports.exchange(record.id, group));
      ports = [...ports.filter((port) => !port.dynamic), ...exchanged];
    }
  }
}

export function remember(
  room: Networks,
  record: ContainerRecord,
  claimedPorts: readonly ClaimedPort[],
): void {
  const claims = room.state.claims.get(record.id);
  if (claims !== undefined)
    room.state.claims.set(record.id, { ...claims, ports: record.ports, claimedPorts });
  room.state.attached.set(record.id, { record, endpoints: record.endpoints });
}

async function takeAway(
  room: Networks,
  ctx: Ctx,
  undo: UndoStack,
  record: ContainerRecord,
  gone: readonly PublishedPort[],
): Promise<void> {
  if (gone.length === 0) return;
  const only = { ...record, ports: gone };
  undo.push('ports that were taken away', async (own) => {
    room.state.ports.adopt(record.id, gone);
    await room.helper.holdPorts(own, portHolds(room, only));
    await publishPorts(room, own, firewallPorts(room, only));
  });
  await unpublishPorts(room, ctx, firewallPorts(room, only));
  await room.helper.releasePorts(ctx, record.id, portHolds(room, only));
  room.state.ports.giveBack(record.id, gone);
}

/** On a running container: what goes first, so that a port may move from one container port to another. */
function republish(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  changes: PortChanges,
): Promise<ContainerRecord> {
  const remove = normal(changes.remove);
  const gone = record.ports.filter((port) => isGone(remove, port));
  const kept = record.ports.filter((port) => !isGone(remove, port));
  const before = room.state.claims.get(record.id)?.claimedPorts ?? [];
  return withUndo(ctx, async (undo) => {
    await takeAway(room, ctx, undo, record, gone);
    const asked: ContainerRecord = {
      ...record,
      config: { ...record.config, ExposedPorts: {} },
      hostConfig: { ...record.hostConfig, PublishAllPorts: false, PortBindings: normal(changes.add) },
    };
    const deps = { state: room.state, ipv6: room.facts.ipv6, bindAddress: room.defaults?.bindAddress };
    const fresh = await hold(room, ctx, record, claimPorts(deps, asked, record.endpoints));
    const added = fresh.map(({ dynamic: _dynamic, ...port }): PublishedPort => port);
    const only = { ...record, ports: added };
    undo.push('ports that were added', async (own) => {
      remember(room, record, before);
      room.state.ports.giveBack(record.id, added);
      await unpublishPorts(room, own, firewallPorts(room, only));
      await room.helper.releasePorts(own, record.id, portHolds(room, only));
    });
    const after: ContainerRecord = { ...record, ports: [...kept, ...added] };
    const stays = before.filter((port) => !isGone(remove, port));
    remember(room, after, [...stays, ...fresh]);
    await letTurnAround(room, ctx, after);
    await publishPorts(room, ctx, firewallPorts(room, only));
    return after;
  });
}

/** A container that had no published port was attached without a way back to itself. */
export async function letTurnAround(room: Networks, ctx: Ctx, record: ContainerRecord): Promise<void> {
  const gateway = gatewayEndpoint(room.state, record.endpoints);
  if (gateway === undefined || record.ports.length === 0) return;
  const plan = endpointPlan(room, record, record.endpoints, gateway);
  await driverOf(room, plan.network.driver)?.allowHairpin?.(ctx, plan);
}

/** Errors as those of a start: `internal` with Docker's words for ports that are taken; `invalid` for what is no port. */
export async function changePorts(
  room: Networks,
  ctx: Ctx,
  reference: string,
  changes: PortChanges,
): Promise<void> {
  const directory = directoryOf(room);
  const { id } = directory.find(reference);
  await directory.update(ctx, id, async (record) => {
    if (record.state.status === 'removing' || record.state.status === 'dead')
      throw conflict(
        `Cannot update container ${reference}: Container is marked for removal and cannot be "update".`,
      );
    const bindings = changedBindings(record.hostConfig.PortBindings, changes);
    const runs = isActive(record.state) && room.state.attached.has(id);
    const current = runs ? await republish(room, ctx, record, changes) : record;
    return { ...current, hostConfig: { ...record.hostConfig, PortBindings: bindings } };
  });
}
