/** `network connect` and `network disconnect`, also on running containers. */

import type { Ctx } from '../../core/ctx.ts';
import { forbidden, invalid, isKind, notFound } from '../../core/errors.ts';
import { isActive, type ContainerRecord, type EndpointRecord } from '../../core/model/container.ts';
import type { EndpointSpec } from '../../core/model/container-spec.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import type { NamespaceHandle } from '../../core/ports/network-driver.ts';
import { withUndo } from '../../core/undo.ts';
import { detachEndpoint, endpointPlan } from './attach.ts';
import { directoryOf, driverFor, type Networks } from './deps.ts';
import { emitNetwork } from './emit.ts';
import { checkSpec, emptyEndpoint, isUserDefined, refuseConfiguration } from './endpoints.ts';
import { otherNames } from './interface-name.ts';
import { namedEndpoints, publishNames, resolverConfig } from './names.ts';
import { moveGateway } from './move-gateway.ts';
import { claimEndpoint, releaseEndpoint } from './claim-endpoint.ts';
import { gatewayEndpoint } from './reserve.ts';

type Endpoints = Readonly<Record<string, EndpointRecord>>;

const hostIsFixed = 'container cannot be disconnected from host network or connected to host network';

function checkCombination(record: ContainerRecord, network: NetworkRecord): void {
  const mode = record.hostConfig.NetworkMode ?? '';
  const names = Object.keys(record.endpoints);
  if (mode.startsWith('container:') || mode === 'host')
    throw invalid(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  if (network.name === 'host' || names.includes('host')) throw invalid(hostIsFixed);
  if (network.name === 'none' || names.includes('none'))
    throw invalid(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
}

function without(endpoints: Endpoints, name: string): Endpoints {
  return Object.fromEntries(Object.entries(endpoints).filter(([key]) => key !== name));
}

/** Remembers what a running container has now, in claims and among the attached. */
function remember(room: Networks, record: ContainerRecord): void {
  const claims = room.state.claims.get(record.id);
  if (claims !== undefined) room.state.claims.set(record.id, { ...claims, endpoints: record.endpoints });
  room.state.attached.set(record.id, { record, endpoints: record.endpoints });
}

async function join(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  network: NetworkRecord,
  endpoint: EndpointRecord,
  namespace: NamespaceHandle,
): Promise<ContainerRecord> {
  const entry = room.state.find(network.id);
  const before = room.state.attached.get(record.id);
  const hadResolver = namedEndpoints(room.state, record.endpoints).length > 0;
  // Until it is among the attached nobody removes the network.
  room.state.joining.set(record.id, { name: record.name, networkIds: [network.id] });
  return withUndo(ctx, async (undo) => {
    undo.push('join', () => room.state.joining.delete(record.id));
    const present = Object.values(record.endpoints);
    const driver = await driverFor(room, ctx, network.driver);
    const claimed = await claimEndpoint(room, entry, endpoint, otherNames(present, present));
    undo.push('addresses', () => releaseEndpoint(room, claimed));
    const joined: ContainerRecord = {
      ...record,
      endpoints: { ...record.endpoints, [network.name]: claimed },
    };
    undo.push('what is attached', () => {
      remember(room, record);
      if (before === undefined) room.state.attached.delete(record.id);
    });
    remember(room, joined);
    room.state.joining.delete(record.id);
    // The default route comes afterwards, when the network that has it so far gives it up.
    const former = gatewayEndpoint(room.state, record.endpoints);
    const plan = { ...endpointPlan(room, joined, joined.endpoints, claimed), defaultRoute: false };
    undo.push('interface', (own) => driver.detach(own, namespace, plan));
    await driver.attach(ctx, namespace, plan);
    if (isUserDefined(network)) {
      const config = resolverConfig(room, { record: joined, endpoints: joined.endpoints });
      undo.push('names', (own) => publishNames(room, own, network.id));
      await publishNames(room, ctx, network.id);
      if (hadResolver) await room.helper.updateResolver(ctx, config);
      else {
        undo.push('resolver', (own) => room.helper.detachResolver(own, record.id));
        await room.helper.attachResolver(ctx, namespace.path, config);
      }
    }
    const now = gatewayEndpoint(room.state, joined.endpoints);
    undo.push('gateway', async (own) => {
      await moveGateway(room, own, record, now, namespace, false);
    });
    return moveGateway(room, ctx, joined, former, namespace, false);
  });
}

export async function connect(
  room: Networks,
  ctx: Ctx,
  reference: string,
  containerReference: string,
  spec: EndpointSpec = {},
): Promise<void> {
  const directory = directoryOf(room);
  const { network } = room.state.find(reference);
  const { id } = directory.find(containerReference);
  const after = await directory.update(ctx, id, async (record) => {
    if (Object.hasOwn(record.endpoints, network.name))
      throw forbidden(`endpoint with name ${record.name} already exists in network ${network.name}`);
    refuseConfiguration(network);
    checkCombination(record, network);
    checkSpec(network, spec, '');
    const owner = { containerId: record.id, containerName: record.name, hostname: record.config.Hostname };
    const endpoint = emptyEndpoint(network, spec, owner);
    const namespace = isActive(record.state) ? directory.namespace(record) : undefined;
    if (namespace === undefined)
      return { ...record, endpoints: { ...record.endpoints, [network.name]: endpoint } };
    return join(room, ctx, record, network, endpoint, namespace);
  });
  // One that does not run joins when it starts, and that is told then.
  if (!isActive(after.state)) return;
  await directory.networksChanged(ctx, after);
  emitNetwork(room, network, 'connect', id);
}

async function leave(
  room: Networks,
  ctx: Ctx,
  record: ContainerRecord,
  network: NetworkRecord,
  namespace: NamespaceHandle,
): Promise<ContainerRecord> {
  const endpoint = record.endpoints[network.name];
  if (endpoint === undefined) return record;
  const plan = endpointPlan(room, record, record.endpoints, endpoint);
  const former = gatewayEndpoint(room.state, record.endpoints);
  const left: ContainerRecord = { ...record, endpoints: without(record.endpoints, network.name) };
  // Only who knows the driver can take the interface out of the container.
  await driverFor(room, ctx, network.driver);
  await detachEndpoint(room, ctx, plan, namespace);
  remember(room, left);
  releaseEndpoint(room, endpoint);
  if (isUserDefined(network)) {
    await publishNames(room, ctx, network.id);
    const attached = { record: left, endpoints: left.endpoints };
    if (namedEndpoints(room.state, left.endpoints).length === 0)
      await room.helper.detachResolver(ctx, record.id);
    else await room.helper.updateResolver(ctx, resolverConfig(room, attached));
  }
  return moveGateway(room, ctx, left, former, namespace, former?.endpointId === endpoint.endpointId);
}

export async function disconnect(
  room: Networks,
  ctx: Ctx,
  reference: string,
  containerReference: string,
  force: boolean,
): Promise<void> {
  const directory = directoryOf(room);
  const { network } = room.state.find(reference);
  let id: string;
  try {
    id = directory.find(containerReference).id;
  } catch (error) {
    // `--force` looks for an endpoint that outlived its container; here none does.
    if (force && isKind(error, 'notFound')) throw notFound(`endpoint ${containerReference} not found`, error);
    throw error;
  }
  const after = await directory.update(ctx, id, async (record) => {
    const endpoint = record.endpoints[network.name];
    // Two wordings, as dockerd has them for containers that run and for those that do not.
    if (endpoint === undefined)
      throw forbidden(
        `container ${record.id} is not connected to ${isActive(record.state) ? '' : 'the '}network ${network.name}`,
      );
    if (network.name === 'host') throw invalid(hostIsFixed);
    const namespace = isActive(record.state) ? directory.namespace(record) : undefined;
    if (namespace !== undefined) return leave(room, ctx, record, network, namespace);
    return { ...record, endpoints: without(record.endpoints, network.name) };
  });
  if (isActive(after.state)) await directory.networksChanged(ctx, after);
  emitNetwork(room, network, 'disconnect', id);
}
