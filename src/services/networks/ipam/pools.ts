/** Which subnets a new network gets: what the user asks, checked, or the first default pool that is free here. Pure. */

import { forbidden, invalid } from '../../../core/errors.ts';
import {
  addressBits,
  cidrContains,
  cidrsOverlap,
  formatCidr,
  formatIp,
  parseCidr,
  parseIp,
  type Cidr,
  type IpFamily,
} from '../../../core/ip.ts';
import { derivedHex } from '../../../core/ids.ts';
import type { IpamPool } from '../../../core/model/network.ts';
import type { NetworkCreateRequest } from '../types.ts';

export type PoolRequest = NonNullable<NonNullable<NetworkCreateRequest['ipam']>['config']>[number];

export interface PoolSurroundings {
  /** Subnets of the engine's other networks. */
  readonly used: readonly Cidr[];
  /** Destinations of the host's routes, the default route left out. */
  readonly hostRoutes: readonly Cidr[];
  /** Instead of Docker's. */
  readonly addressPools?: readonly { readonly base: string; readonly size: number }[] | undefined;
  /** Seeds the private IPv6 prefix of this engine. */
  readonly engineId: string;
}

export interface PoolPlan {
  readonly pools: readonly IpamPool[];
  readonly warnings: readonly string[];
}

/** Docker's default address pools, as base, prefix length of the base, and prefix length of each network. */
const defaultPools: readonly (readonly [string, number])[] = [
  ['172.17.0.0/16', 16],
  ['172.18.0.0/16', 16],
  ['172.19.0.0/16', 16],
  ['172.20.0.0/14', 16],
  ['172.24.0.0/14', 16],
  ['172.28.0.0/14', 16],
  ['192.168.0.0/16', 20],
];

function* candidates(base: Cidr, prefix: number): Generator<Cidr> {
  const step = 1n << BigInt(addressBits(base.family) - prefix);
  const count = 1n << BigInt(prefix - base.prefix);
  for (let index = 0n; index < count; index++)
    yield { family: base.family, prefix, value: base.value + index * step };
}

const cidrOf = (text: string): Cidr => {
  const parsed = parseCidr(text);
  if (parsed === undefined)
    throw invalid(`invalid network config:\ninvalid subnet ${text}: invalid CIDR block notation`);
  return parsed.cidr;
};

/** A unique local prefix (RFC 4193) of this engine: 40 bits derived from its id, so that two hosts do not collide. */
function localIpv6Base(engineId: string): Cidr {
  const globalId = BigInt(`0x${derivedHex(10, 'ula', engineId)}`);
  return { family: 6, prefix: 48, value: (0xfdn << 120n) | (globalId << 80n) };
}

function basesOf(family: IpFamily, around: PoolSurroundings): readonly (readonly [Cidr, number])[] {
  const asked = (around.addressPools ?? []).map(({ base, size }) => [cidrOf(base), size] as const);
  const own = asked.filter(([base]) => base.family === family);
  if (own.length > 0) return own;
  if (family === 6) return [[localIpv6Base(around.engineId), 64]];
  return defaultPools.map(([base, prefix]) => [cidrOf(base), prefix] as const);
}

function freeDefault(family: IpFamily, around: PoolSurroundings, chosen: readonly Cidr[]): Cidr {
  const bases = basesOf(family, around);
  const blocked = [...around.used, ...around.hostRoutes, ...chosen];
  for (const [base, prefix] of bases)
    for (const candidate of candidates(base, prefix))
      if (!blocked.some((other) => cidrsOverlap(other, candidate))) return candidate;
  throw invalid('all predefined address pools have been fully subnetted');
}

const problem = (text: string): Error => invalid(`invalid network config:\n${text}`);

function checkRange(request: PoolRequest, subnet: Cidr): string | undefined {
  if (request.ipRange === undefined || request.ipRange === '') return undefined;
  const text = formatCidr(subnet);
  const parsed = parseCidr(request.ipRange);
  if (parsed === undefined) throw problem(`invalid ip-range ${request.ipRange}: invalid CIDR block notation`);
  if (parsed.cidr.family !== subnet.family)
    throw problem(`invalid ip-range ${request.ipRange}: parent subnet is an IPv${subnet.family} block`);
  if (parsed.cidr.prefix < subnet.prefix)
    throw problem(`invalid ip-range ${request.ipRange}: CIDR block is bigger than its parent subnet ${text}`);
  if (parsed.address.value !== parsed.cidr.value)
    throw problem(`invalid ip-range ${request.ipRange}: it should be ${formatCidr(parsed.cidr)}`);
  if (!cidrContains(subnet, parsed.address))
    throw problem(`invalid ip-range ${request.ipRange}: parent subnet ${text} doesn't contain ip-range`);
  return formatCidr(parsed.cidr);
}

function checkAddress(what: string, text: string, subnet: Cidr): string {
  const address = parseIp(text);
  if (address === undefined) throw problem(`invalid ${what} ${text}: invalid address`);
  if (!cidrContains(subnet, address))
    throw problem(
      `invalid ${what} ${text}: parent subnet ${formatCidr(subnet)} doesn't contain this address`,
    );
  return formatIp(address);
}

/** The gateway that Docker picks: the first address of the range that is neither the network's nor reserved. */
function defaultGateway(subnet: Cidr, range: string | undefined, reserved: readonly string[]): string {
  const start = range === undefined ? subnet.value : cidrOf(range).value;
  let value = start === subnet.value && subnet.prefix < addressBits(subnet.family) - 1 ? start + 1n : start;
  while (reserved.includes(formatIp({ family: subnet.family, value }))) value++;
  return formatIp({ family: subnet.family, value });
}

function planPool(request: PoolRequest, subnet: Cidr): IpamPool {
  const ipRange = checkRange(request, subnet);
  const auxAddresses = Object.fromEntries(
    Object.entries(request.auxAddresses ?? {}).map(([name, text]) => [
      name,
      checkAddress('auxiliary address', text, subnet),
    ]),
  );
  const gateway =
    request.gateway === undefined || request.gateway === ''
      ? defaultGateway(subnet, ipRange, Object.values(auxAddresses))
      : checkAddress('gateway', request.gateway, subnet);
  return {
    subnet: formatCidr(subnet),
    gateway,
    ...(ipRange === undefined ? {} : { ipRange }),
    ...(Object.keys(auxAddresses).length === 0 ? {} : { auxAddresses }),
  };
}

/** What the user says of a pool that another program gives, checked as for our own. Throws `invalid`. */
export function checkPool(request: PoolRequest, warnings: string[]): PoolRequest {
  if (request.subnet === undefined || request.subnet === '') return request;
  const subnet = readSubnet(request.subnet, warnings);
  const { ipRange, auxAddresses } = planPool(request, subnet);
  return {
    subnet: formatCidr(subnet),
    ...(ipRange === undefined ? {} : { ipRange }),
    ...(auxAddresses === undefined ? {} : { auxAddresses }),
    ...(request.gateway ? { gateway: request.gateway } : {}),
  };
}

/** What no network between hosts can be made of; on the loopback's it would take the host's own addresses. */
const impossible: readonly (readonly [string, string])[] = [
  ['127.0.0.0/8', 'these are loopback addresses'],
  ['224.0.0.0/4', 'these are multicast addresses'],
  ['::1/128', 'this is the loopback address'],
  ['ff00::/8', 'these are multicast addresses'],
];

function checkUse(text: string, subnet: Cidr): void {
  if (cidrsOverlap(subnet, cidrOf('fe80::/64')))
    throw forbidden("clash with the Link-Local prefix 'fe80::/64'");
  for (const [other, what] of impossible)
    // A subnet that holds them and more (0.0.0.0/0) is refused as an overlap, or is a plugin's.
    if (cidrContains(cidrOf(other), subnet)) throw problem(`invalid subnet ${text}: ${what}`);
}

function readSubnet(text: string, warnings: string[]): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw problem(`invalid subnet ${text}: invalid CIDR block notation`);
  checkUse(text, parsed.cidr);
  if (parsed.address.value !== parsed.cidr.value)
    warnings.push(`subnet ${text} has host bits set: ${formatCidr(parsed.cidr)} is used instead`);
  return parsed.cidr;
}

/**
 * The pools of a new network. Host bits of a subnet are cleared with a warning, where dockerd refuses (a listed
 * deviation: the classroom's commands use them). Throws `invalid`, and `forbidden` for an overlap, in Docker's words.
 */
export function planPools(
  request: Pick<NetworkCreateRequest, 'ipam' | 'enableIPv4' | 'enableIPv6'>,
  around: PoolSurroundings,
): PoolPlan {
  const warnings: string[] = [];
  const chosen: Cidr[] = [];
  const pools: IpamPool[] = [];
  const add = (pool: PoolRequest, subnet: Cidr): void => {
    chosen.push(subnet);
    pools.push(planPool(pool, subnet));
  };
  const configs = request.ipam?.config ?? [];
  for (const config of configs) {
    if (config.subnet === undefined || config.subnet === '') continue;
    const subnet = readSubnet(config.subnet, warnings);
    if ([...around.used, ...chosen].some((other) => cidrsOverlap(other, subnet)))
      throw forbidden('invalid pool request: Pool overlaps with other one on this address space');
    add(config, subnet);
  }
  const wanted: readonly (readonly [IpFamily, boolean])[] = [
    [4, request.enableIPv4 !== false],
    [6, request.enableIPv6 === true],
  ];
  for (const [family, enabled] of wanted) {
    if (!enabled || chosen.some((subnet) => subnet.family === family)) continue;
    // A gateway or range without subnet belongs to the automatic IPv4 pool.
    const loose = family === 4 ? configs.find((config) => !config.subnet) : undefined;
    add(loose ?? {}, freeDefault(family, around, chosen));
  }
  return { pools, warnings };
}
