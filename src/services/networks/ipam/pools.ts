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

/** `what` names the address in refusals: a gateway by itself, a reserved one by its name. */
function checkAddress(what: string, text: string, subnet: Cidr): string {
  const address = parseIp(text);
  if (address === undefined) throw problem(`invalid ${what}: invalid address`);
  if (address.family !== subnet.family)
    throw problem(`invalid ${what}: parent subnet is an IPv${subnet.family} block`);
  if (!cidrContains(subnet, address))
    throw problem(`invalid ${what}: parent subnet ${formatCidr(subnet)} doesn't contain this address`);
  return formatIp(address);
}

/** Whether it is the network's own address or, in IPv4, the one that means everybody. Networks of two addresses and less have neither (RFC 3021). */
function isSpecial(subnet: Cidr, value: bigint): boolean {
  const size = 1n << BigInt(addressBits(subnet.family) - subnet.prefix);
  if (subnet.family === 4 && size <= 2n) return false;
  return value === subnet.value || (subnet.family === 4 && value === subnet.value + size - 1n);
}

const inUse = (what: string): Error => invalid(`failed to allocate ${what}: Address already in use`);

/** The gateway that Docker picks: the first address of the range that is none of those. */
function defaultGateway(subnet: Cidr, range: string | undefined): string {
  const within = range === undefined ? subnet : cidrOf(range);
  const value = isSpecial(subnet, within.value) ? within.value + 1n : within.value;
  if (!cidrContains(within, { family: subnet.family, value }) || isSpecial(subnet, value))
    throw invalid('failed to allocate gateway (): no available addresses on this pool');
  return formatIp({ family: subnet.family, value });
}

/** Gateway and reserved addresses of a pool that the engine itself gives: each must be free when it is taken, as Docker takes them. */
function checkDistinct({ gateway, auxAddresses }: IpamPool, subnet: Cidr): void {
  const isTaken = (text: string): boolean => {
    const address = parseIp(text);
    return address !== undefined && isSpecial(subnet, address.value);
  };
  if (isTaken(gateway)) throw inUse(`gateway (${gateway})`);
  const taken = new Set([gateway]);
  for (const [name, address] of Object.entries(auxAddresses ?? {})) {
    if (taken.has(address) || isTaken(address)) throw inUse(`secondary ip address (${name}:${address})`);
    taken.add(address);
  }
}

/** With the gateway that was asked for, or none. */
function planPool(request: PoolRequest, subnet: Cidr): IpamPool {
  const ipRange = checkRange(request, subnet);
  const auxAddresses = Object.fromEntries(
    Object.entries(request.auxAddresses ?? {}).map(([name, text]) => [
      name,
      checkAddress(`auxiliary address ${name}`, text, subnet),
    ]),
  );
  const { gateway = '' } = request;
  return {
    subnet: formatCidr(subnet),
    gateway: gateway === '' ? '' : checkAddress(`gateway ${gateway}`, gateway, subnet),
    ...(ipRange === undefined ? {} : { ipRange }),
    ...(Object.keys(auxAddresses).length === 0 ? {} : { auxAddresses }),
  };
}

function completePool(request: PoolRequest, subnet: Cidr): IpamPool {
  const planned = planPool(request, subnet);
  const pool = { ...planned, gateway: planned.gateway || defaultGateway(subnet, planned.ipRange) };
  checkDistinct(pool, subnet);
  return pool;
}

/** What the user says of a pool that another program gives, checked as for our own. Throws `invalid`. */
export function checkPool(request: PoolRequest, warnings: string[]): PoolRequest {
  const subnet = readSubnet(request.subnet ?? '', warnings);
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
  ['::ffff:0:0/96', 'these stand for IPv4 addresses'],
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
    pools.push(completePool(pool, subnet));
  };
  const wanted: Readonly<Record<IpFamily, boolean>> = {
    4: request.enableIPv4 !== false,
    6: request.enableIPv6 === true,
  };
  for (const config of request.ipam?.config ?? []) {
    const subnet = readSubnet(config.subnet ?? '', warnings);
    if (!wanted[subnet.family]) {
      warnings.push(`subnet ${config.subnet} is not used: the network has no IPv${subnet.family}`);
      continue;
    }
    if ([...around.used, ...chosen].some((other) => cidrsOverlap(other, subnet)))
      throw forbidden('invalid pool request: Pool overlaps with other one on this address space');
    add(config, subnet);
  }
  for (const family of [4, 6] as const)
    if (wanted[family] && !chosen.some((subnet) => subnet.family === family))
      add({}, freeDefault(family, around, chosen));
  return { pools, warnings };
}

/** What a configuration network keeps of its pools: checked, and given to nobody. */
export function planConfiguration(request: Pick<NetworkCreateRequest, 'ipam'>): PoolPlan {
  const warnings: string[] = [];
  const configs = request.ipam?.config ?? [];
  const pools = configs.map((config) => planPool(config, readSubnet(config.subnet ?? '', warnings)));
  return { pools, warnings };
}
