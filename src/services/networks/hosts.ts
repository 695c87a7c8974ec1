/** What a container learns of others in `/etc/hosts` and in its environment: its own addresses, extra hosts, legacy links. */

import { shortId } from '../../core/ids.ts';
import type { ContainerRecord, EndpointRecord } from '../../core/model/container.ts';
import { listContainers, type Networks } from './deps.ts';
import { parseContainerPort } from './ports/requests.ts';

interface Link {
  readonly target: ContainerRecord;
  readonly alias: string;
  /** The target's address on the default bridge. */
  readonly address: string;
}

/** `redis:cache`, or Docker's stored form `/redis:/web/cache`. */
function parseLink(text: string): { readonly target: string; readonly alias: string } {
  const [target = '', alias = target] = text.split(':');
  return { target: target.replace(/^\//, ''), alias: alias.split('/').at(-1) ?? alias };
}

const onDefaultBridge = (record: ContainerRecord): EndpointRecord | undefined => record.endpoints['bridge'];

function links(room: Networks, record: ContainerRecord): readonly Link[] {
  if (onDefaultBridge(record) === undefined) return [];
  const containers = listContainers(room);
  return (record.hostConfig.Links ?? []).flatMap((text): Link[] => {
    const { target, alias } = parseLink(text);
    const found =
      containers.find((one) => one.name === target) ?? containers.find((one) => one.id.startsWith(target));
    const address = found === undefined ? undefined : onDefaultBridge(found)?.ipv4;
    return found === undefined || address === undefined || address === ''
      ? []
      : [{ target: found, alias, address }];
  });
}

/** `host-gateway` is the host as the container reaches it: the gateway of the default bridge. */
function hostGateway(room: Networks): string {
  const bridge = room.state.all().find(({ network }) => network.predefined && network.name === 'bridge');
  return bridge?.network.ipam.pools[0]?.gateway ?? '';
}

function extraHosts(room: Networks, record: ContainerRecord): readonly (readonly [string, string])[] {
  return (record.hostConfig.ExtraHosts ?? []).flatMap((text): (readonly [string, string])[] => {
    const match = /^([^:=]+)[:=](.+)$/.exec(text);
    const [, name, value] = match ?? [];
    if (name === undefined || value === undefined) return [];
    const address = value === 'host-gateway' ? hostGateway(room) : value.replace(/^\[(.*)\]$/, '$1');
    return address === '' ? [] : [[address, name]];
  });
}

/** Own names: the host name with its domain first, as `hostname -f` wants it. */
function ownNames(record: ContainerRecord): string {
  const hostname = record.config.Hostname || shortId(record.id);
  const domain = record.config.Domainname ?? '';
  if (domain !== '') return `${hostname}.${domain} ${hostname}`;
  const [short] = hostname.split('.');
  return short === undefined || short === hostname ? hostname : `${hostname} ${short}`;
}

/** In Docker's order: extra hosts, links, then the container itself on each of its networks. */
export function hostEntries(room: Networks, record: ContainerRecord): readonly (readonly [string, string])[] {
  const linked = links(room, record).map(({ target, alias, address }): readonly [string, string] => {
    const names = [alias, shortId(target.id), target.name];
    return [address, [...new Set(names)].join(' ')];
  });
  const own = Object.values(record.endpoints).flatMap((endpoint) =>
    [endpoint.ipv4, endpoint.ipv6]
      .filter((address) => address !== '')
      .map((address): readonly [string, string] => [address, ownNames(record)]),
  );
  return [...extraHosts(room, record), ...linked, ...own];
}

const variable = (alias: string): string => alias.replaceAll(/[^A-Za-z0-9_]/g, '_').toUpperCase();

/** Variables that the target's own environment does not hand on. */
const notInherited = new Set(['HOME', 'PATH']);

/** Docker's link variables: `REDIS_PORT=tcp://172.17.0.2:6379`, `REDIS_PORT_6379_TCP_ADDR`, `REDIS_NAME`, `REDIS_ENV_X`. */
export function linkEnvironment(room: Networks, record: ContainerRecord): readonly string[] {
  return links(room, record).flatMap(({ target, alias, address }) => {
    const prefix = variable(alias);
    const ports = Object.keys(target.config.ExposedPorts ?? {})
      .map(parseContainerPort)
      .toSorted((one, other) => one.port - other.port || (one.protocol < other.protocol ? -1 : 1));
    const [first] = ports;
    const lines = first === undefined ? [] : [`${prefix}_PORT=${first.protocol}://${address}:${first.port}`];
    for (const { port, protocol } of ports) {
      const name = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
      lines.push(
        `${name}=${protocol}://${address}:${port}`,
        `${name}_ADDR=${address}`,
        `${name}_PORT=${port}`,
        `${name}_PROTO=${protocol}`,
      );
    }
    lines.push(`${prefix}_NAME=/${record.name}/${alias}`);
    for (const entry of target.config.Env ?? []) {
      const [key = '', ...value] = entry.split('=');
      if (!notInherited.has(key)) lines.push(`${prefix}_ENV_${key}=${value.join('=')}`);
    }
    return lines;
  });
}
