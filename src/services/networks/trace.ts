/**
 * `slipway network trace SRC DST[:PORT]`: whether a packet passes, as a list of the decisions on its way. Decided from
 * what the firewall was told, and held against the kernel where that can be read: the port map, and who listens.
 */

import type { Ctx } from '../../core/ctx.ts';
import { cidrContains, parseCidr, parseIp } from '../../core/ip.ts';
import { bridgeSettings } from '../../core/model/bridge-settings.ts';
import type { ContainerRecord } from '../../core/model/container.ts';
import type { Networks } from './deps.ts';
import { gatewayEndpoint } from './reserve.ts';
import {
  departure,
  direct,
  drop,
  networkOf,
  note,
  partyOf,
  pass,
  published,
  shared,
  withinNetwork,
  type Party,
} from './trace-steps.ts';
import type { Trace, TraceStep } from './types.ts';
import { parseEnd, type Target } from './trace-target.ts';

/** From a container to another machine. */
function outward(room: Networks, from: Party, address: string): readonly TraceStep[] {
  if (from.kind !== 'container')
    return [
      note(
        `it does not pass by a container: ${address} is for the routes of ${from.kind === 'host' ? 'the host' : 'other machines'}`,
      ),
    ];
  const steps = departure(room, from.record);
  const gateway = gatewayEndpoint(room.state, from.record.endpoints);
  const network = gateway && networkOf(room, gateway);
  if (network?.driver !== 'bridge') return steps;
  const settings = bridgeSettings(network);
  const version = address.includes(':') ? 'ipv6' : 'ipv4';
  if (gateway?.[version] === '')
    return [
      ...steps,
      drop(`${from.record.name} has no ${version === 'ipv6' ? 'IPv6' : 'IPv4'} address on ${network.name}`),
    ];
  const source = settings.sourceAddresses[version];
  const translated = settings.masquerade && settings.gatewayModes[version] !== 'routed';
  return [
    ...steps,
    pass(
      translated
        ? `it leaves with ${source === '' ? "the host's address" : source}`
        : 'it leaves with its own address: the way back must lead here',
    ),
  ];
}

async function way(
  room: Networks,
  ctx: Ctx,
  from: Party,
  to: Party,
  target: Target,
): Promise<readonly TraceStep[]> {
  if (to.kind === 'outside') return outward(room, from, to.address);
  if (to.kind === 'host') {
    if (from.kind === 'container' && (to.address.startsWith('127.') || to.address === '::1'))
      return [
        drop(
          'a loopback address is the container’s own: the host’s is out of its reach (rule "no way to the host loopback")',
        ),
      ];
    const steps = from.kind === 'container' ? departure(room, from.record) : [];
    return steps.some((step) => step.verdict === 'drop')
      ? steps
      : [...steps, ...(await published(room, ctx, from, to.address, target))];
  }
  if (!room.state.attached.has(to.record.id)) return [drop(`${to.record.name} does not run on any network`)];
  if (from.kind === 'container') {
    if (!room.state.attached.has(from.record.id))
      return [drop(`${from.record.name} does not run on any network`)];
    const common = shared(room, from.record, to.record, to.address);
    if (common !== undefined) return withinNetwork(room, common, to.record, target);
    const steps = departure(room, from.record);
    if (steps.some((step) => step.verdict === 'drop')) return steps;
    return [...steps, ...direct(room, from, to.record, to.address || addressOf(room, to.record), target)];
  }
  return direct(room, from, to.record, to.address || addressOf(room, to.record), target);
}

const addressOf = (room: Networks, record: ContainerRecord): string => {
  const endpoint = gatewayEndpoint(room.state, record.endpoints) ?? Object.values(record.endpoints)[0];
  return endpoint?.ipv4 || endpoint?.ipv6 || '';
};

/** A source that no route of the host's own networks explains is from outside. */
export async function trace(room: Networks, ctx: Ctx, source: string, destination: string): Promise<Trace> {
  const target = parseEnd(destination);
  const [from, to] = [await partyOf(room, source), await partyOf(room, target.host)];
  const inOwn = (address: string): boolean => {
    const ip = parseIp(address);
    return room.state.all().some(({ network }) =>
      network.ipam.pools.some((pool) => {
        const cidr = parseCidr(pool.subnet)?.cidr;
        return (
          ip !== undefined && cidr !== undefined && network.driver === 'bridge' && cidrContains(cidr, ip)
        );
      }),
    );
  };
  if (from.kind === 'outside' && inOwn(from.address))
    return {
      passes: false,
      steps: [
        drop(`${from.address} belongs to a network of the engine but to no container (rule "forged source")`),
      ],
    };
  const steps = [...(await way(room, ctx, from, to, target)), ...room.firewall.status().map(note)];
  return { passes: !steps.some((step) => step.verdict === 'drop'), steps };
}
