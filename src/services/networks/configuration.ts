/** Configuration networks (`--config-only`): settings under a name, and networks that take theirs from one (`--config-from`). */

import { forbidden, notFound } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import { formatNano, nowNano } from '../../core/time.ts';
import type { Networks } from './deps.ts';
import { emitNetwork } from './emit.ts';
import { planConfiguration } from './ipam/pools.ts';
import type { NetworkState } from './state.ts';
import type { NetworkCreateRequest } from './types.ts';

function recordOf(request: NetworkCreateRequest, pools: NetworkRecord['ipam']['pools']): NetworkRecord {
  const options = request.ipam?.options;
  return {
    id: newId(),
    name: request.name,
    createdAt: formatNano(nowNano()),
    // Whatever was asked: which driver it is for is said by the networks that use it.
    driver: 'null',
    scope: 'local',
    ipam: {
      driver: request.ipam?.driver || 'default',
      ...(options === undefined ? {} : { options: { ...options } }),
      pools,
    },
    enableIPv4: request.enableIPv4 !== false,
    enableIPv6: request.enableIPv6 === true,
    internal: false,
    attachable: false,
    options: { ...request.options },
    labels: { ...request.labels },
    predefined: false,
    configOnly: true,
  };
}

/** The name has been found free; nothing waits between that and the claim of it here. */
export async function createConfiguration(
  room: Networks,
  request: NetworkCreateRequest,
): Promise<{ id: string; warnings: readonly string[] }> {
  const { internal, attachable, ingress, scope, configFrom } = request;
  if (
    internal === true ||
    attachable === true ||
    ingress === true ||
    !['', 'local', undefined].includes(scope)
  )
    throw forbidden(
      'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
    );
  if (configFrom !== undefined && configFrom !== '')
    throw forbidden('a configuration network cannot depend on another configuration network');
  const { pools, warnings } = planConfiguration(request);
  const record = recordOf(request, pools);
  room.state.add(record);
  try {
    await room.records.commit([{ op: 'put', kind: 'network', id: record.id, record }]);
  } catch (error) {
    room.state.remove(record.id);
    throw error;
  }
  emitNetwork(room, record, 'create');
  return { id: record.id, warnings };
}

const isEmpty = (value: object | null | undefined): boolean => Object.keys(value ?? {}).length === 0;

/** The request with the settings of the configuration network that it names. Throws `notFound`, and `forbidden` where it has settings of its own. */
export function withConfiguration(state: NetworkState, request: NetworkCreateRequest): NetworkCreateRequest {
  const name = request.configFrom ?? '';
  if (name === '') return request;
  const { ipam } = request;
  const hasOwn =
    (ipam?.driver ?? 'default') !== 'default' && ipam?.driver !== ''
      ? true
      : request.enableIPv6 === true ||
        !isEmpty(request.labels) ||
        !isEmpty(ipam?.options) ||
        (ipam?.config ?? []).length > 0;
  if (hasOwn)
    throw forbidden(
      'user specified configurations are not supported if the network depends on a configuration network',
    );
  if (!isEmpty(request.options))
    throw forbidden(
      'network driver options are not supported if the network depends on a configuration network',
    );
  const settings = state.all().find(({ network }) => network.configOnly === true && network.name === name);
  if (settings === undefined) throw notFound(`configuration network ${JSON.stringify(name)} does not exist`);
  const { network } = settings;
  const config = network.ipam.pools.map(({ subnet, ipRange, gateway, auxAddresses }) => ({
    subnet,
    gateway,
    ...(ipRange === undefined ? {} : { ipRange }),
    ...(auxAddresses === undefined ? {} : { auxAddresses }),
  }));
  return {
    ...request,
    enableIPv4: network.enableIPv4,
    enableIPv6: network.enableIPv6,
    options: network.options,
    labels: network.labels,
    ipam: {
      driver: network.ipam.driver,
      config,
      ...(network.ipam.options === undefined ? {} : { options: network.ipam.options }),
    },
  };
}

/** `forbidden` while a network has its settings from this one. */
export function refuseUsedConfiguration(state: NetworkState, network: NetworkRecord): void {
  if (network.configOnly !== true) return;
  if (state.all().some((other) => other.network.configFrom === network.name))
    throw forbidden(
      `error while removing network: configuration network ${JSON.stringify(network.name)} is in use`,
    );
}
