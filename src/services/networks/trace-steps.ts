/** The single decisions on the way of a packet that `network trace` puts together. */

import { readFileSync } from 'node:fs';
import type { Ctx } from '../../core/ctx.ts';
import { invalid } from '../../core/errors.ts';
import { formatIp, hostAndPort, parseIp } from '../../core/ip.ts';
import { bridgeSettings } from '../../core/model/bridge-settings.ts';
import type { ContainerRecord, EndpointRecord, PublishedPort } from '../../core/model/container.ts';
import type { NetworkRecord } from '../../core/model/network.ts';
import { listContainers, type Networks } from './deps.ts';
import { gatewayEndpoint } from './reserve.ts';
import type { TraceStep } from './types.ts';
import type { Target } from './trace-target.ts';

/** Who sends or receives. */
export type Party =
  | { readonly kind: 'container'; readonly record: ContainerRecord; readonly address: string }
  | { readonly kind: 'host'; readonly address: string }
  | { readonly kind: 'outside'; readonly address: string };

export const pass = (text: string): TraceStep => ({ verdict: 'pass', text });
export const drop = (text: string): TraceStep => ({ verdict: 'drop', text });
export const note = (text: string): TraceStep => ({ verdict: 'note', text });

export const networkOf = (room: Networks, endpoint: EndpointRecord): NetworkRecord | undefined =>
  room.state.byId(endpoint.networkId)?.network;

/** The end of a container on a network, by its address; the first one where no address is asked. */
function endpointsOf(room: Networks, record: ContainerRecord): readonly EndpointRecord[] {
  return Object.values(room.state.attached.get(record.id)?.endpoints ?? record.endpoints);
}

export async function partyOf(room: Networks, text: string): Promise<Party> {
  if (text === 'host' || text === 'localhost') return { kind: 'host', address: '127.0.0.1' };
  const ip = parseIp(text);
  if (ip === undefined) {
    const record = room.directory.current?.find(text);
    if (record === undefined) throw invalid(`${text} is neither a container nor an address`);
    return { kind: 'container', record, address: '' };
  }
  const address = formatIp(ip);
  const holder = listContainers(room).find((record) =>
    endpointsOf(room, record).some((endpoint) => endpoint.ipv4 === address || endpoint.ipv6 === address),
  );
  if (holder !== undefined) return { kind: 'container', record: holder, address };
  const own = (await room.host.addresses?.()) ?? [];
  const isHost = own.some((one) => one.address.replace(/\/\d+$/, '') === address);
  if (isHost || address.startsWith('127.') || address === '::1') return { kind: 'host', address };
  return { kind: 'outside', address };
}

/** `LISTEN` sockets of a namespace, from the text of its /proc/net/tcp; undefined where it cannot be read. */
function isListening(
  room: Networks,
  record: ContainerRecord,
  { port, protocol }: Target,
): boolean | undefined {
  const namespace = room.directory.current?.namespace(record);
  const folder = namespace?.path.replace(/\/ns\/net$/, '/net');
  if (folder === undefined || protocol === 'sctp' || !folder.endsWith('/net')) return undefined;
  try {
    const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    return [protocol, `${protocol}6`].some((file) =>
      readFileSync(`${folder}/${file}`, 'utf8')
        .split('\n')
        .slice(1)
        .some((line) => {
          const [, local = '', , state] = line.trim().split(/\s+/);
          return local.endsWith(wanted) && (state === '0A' || protocol === 'udp');
        }),
    );
  } catch {
    return undefined;
  }
}

function arrival(room: Networks, record: ContainerRecord, target: Target): readonly TraceStep[] {
  if (target.port === 0) return [pass(`${record.name} receives it`)];
  const listening = isListening(room, record, target);
  const what = `${target.port}/${target.protocol}`;
  if (listening === undefined) return [note(`whether ${record.name} listens on ${what} cannot be told`)];
  return listening
    ? [pass(`${record.name} listens on ${what}`)]
    : [drop(`nothing listens on ${what} in ${record.name}`)];
}

/** How a container is left towards anything that is not on its networks. */
export function departure(room: Networks, record: ContainerRecord): readonly TraceStep[] {
  const gateway = gatewayEndpoint(room.state, record.endpoints);
  const network = gateway && networkOf(room, gateway);
  if (gateway === undefined || network === undefined) {
    const internal = endpointsOf(room, record).find(
      (endpoint) => networkOf(room, endpoint)?.internal === true,
    );
    return internal === undefined
      ? [drop(`${record.name} has no way out: no network with a gateway`)]
      : [
          drop(
            `the network ${internal.networkName} is internal: nothing leaves it (rule "out of an internal network")`,
          ),
        ];
  }
  return [
    pass(
      `${record.name} sends it by ${gateway.interfaceName} on ${network.name} to ${gateway.ipv4Gateway || gateway.ipv6Gateway || 'the parent'}`,
    ),
  ];
}

export function shared(room: Networks, one: ContainerRecord, other: ContainerRecord, address: string) {
  const there = endpointsOf(room, other).filter(
    (endpoint) => address === '' || endpoint.ipv4 === address || endpoint.ipv6 === address,
  );
  const here = new Set(endpointsOf(room, one).map((endpoint) => endpoint.networkId));
  return there.find((endpoint) => endpoint.interfaceName !== '' && here.has(endpoint.networkId));
}

export function withinNetwork(room: Networks, endpoint: EndpointRecord, to: ContainerRecord, target: Target) {
  const network = networkOf(room, endpoint);
  if (network === undefined) return [drop(`the network ${endpoint.networkName} is gone`)];
  if (network.driver === 'macvlan' && network.options['macvlan_mode'] === 'private')
    return [drop(`${network.name} is a private macvlan network: its containers do not reach each other`)];
  if (network.driver === 'bridge' && !bridgeSettings(network).icc)
    return [
      drop(`containers of ${network.name} are kept apart (enable_icc=false: isolated ports of the bridge)`),
    ];
  return [pass(`both are on ${network.name}`), ...arrival(room, to, target)];
}

/** Straight to a container's address from beyond its network. */
export function direct(
  room: Networks,
  from: Party,
  to: ContainerRecord,
  address: string,
  target: Target,
): readonly TraceStep[] {
  const endpoint = endpointsOf(room, to).find((one) => one.ipv4 === address || one.ipv6 === address);
  const network = endpoint && networkOf(room, endpoint);
  if (endpoint === undefined || network === undefined) return [drop(`no container has ${address}`)];
  if (network.driver !== 'bridge')
    return [
      note(
        `${network.name} is a ${network.driver} network: what reaches it is for the network of ${network.parentName ?? 'its parent'} to decide`,
      ),
    ];
  const mode = bridgeSettings(network).gatewayModes[address.includes(':') ? 'ipv6' : 'ipv4'];
  if (mode === 'isolated') return [drop(`${network.name} is isolated: nothing beyond it reaches it`)];
  if (from.kind === 'host')
    return [pass(`the host is on ${network.name} itself`), ...arrival(room, to, target)];
  if (network.internal) return [drop(`${network.name} is internal (rule "into an internal network")`)];
  const published = to.ports.some(
    (port) => port.hostPort === 0 && port.containerPort === target.port && port.protocol === target.protocol,
  );
  if (mode === 'routed' && published)
    return [
      pass(`${target.port}/${target.protocol} is published on the routed network ${network.name}`),
      ...arrival(room, to, target),
    ];
  if (mode === 'nat-unprotected' && from.kind === 'outside')
    return [pass(`${network.name} is unprotected: every port is open`), ...arrival(room, to, target)];
  if (from.kind === 'outside' && bridgeSettings(network).trustedInterfaces.length > 0)
    return [
      note(
        `it passes if it comes by a trusted interface (${bridgeSettings(network).trustedInterfaces.join(', ')})`,
      ),
    ];
  return [
    drop(`${network.name} is reached from beyond it by published ports only (rule "unpublished ports")`),
  ];
}

const reaches = (port: PublishedPort, address: string): boolean =>
  port.hostIp === address ||
  (port.hostIp === '0.0.0.0' && !address.includes(':')) ||
  (port.hostIp === '::' && address.includes(':'));

export async function published(
  room: Networks,
  ctx: Ctx,
  from: Party,
  address: string,
  target: Target,
): Promise<readonly TraceStep[]> {
  const where = hostAndPort(address, target.port);
  for (const { record } of room.state.attached.values()) {
    const port = record.ports.find(
      (one) => one.hostPort === target.port && one.protocol === target.protocol && reaches(one, address),
    );
    if (port === undefined) continue;
    if (from.kind !== 'host' && (address.startsWith('127.') || address === '::1'))
      return [drop(`${where} is the loopback of the host: only the host reaches it`)];
    const steps = [
      pass(
        `${where} is published by ${record.name} as ${hostAndPort(port.hostIp, port.hostPort)}, for its ${port.containerPort}/${port.protocol}`,
      ),
    ];
    const known = await room.firewall.listPorts(ctx);
    const isRelayed = port.hostIp.includes(':') && gatewayEndpoint(room.state, record.endpoints)?.ipv6 === '';
    if (
      !isRelayed &&
      !known.some(
        (one) =>
          one.hostPort === port.hostPort && one.hostIp === port.hostIp && one.protocol === port.protocol,
      )
    )
      return [
        ...steps,
        drop('the port map of the firewall does not have it: `slipway system repair` puts that right'),
      ];
    const inner = { ...target, port: port.containerPort };
    return [
      ...steps,
      pass(isRelayed ? 'slipway-net relays it' : 'the port map sends it on'),
      ...arrival(room, record, inner),
    ];
  }
  return from.kind === 'container'
    ? [
        note(
          `no container publishes ${where}: it is for a process of the host, if its firewall lets containers in`,
        ),
      ]
    : [note(`no container publishes ${where}: it is for a process of the host`)];
}
