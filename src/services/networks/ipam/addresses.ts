/** The addresses of one network: claimed and released in memory, lowest free first, as Docker hands them out. */

import { forbidden, internal } from '../../../core/errors.ts';
import {
  addressBits,
  cidrContains,
  formatCidr,
  formatIp,
  lastAddress,
  parseCidr,
  parseIp,
  type Cidr,
  type IpFamily,
} from '../../../core/ip.ts';
import type { IpamPool } from '../../../core/model/network.ts';

export interface ClaimedAddress {
  readonly address: string;
  readonly prefix: number;
  readonly gateway: string;
}

export interface SubnetCounts {
  readonly subnet: string;
  readonly inUse: bigint;
  readonly available: bigint;
}

interface PoolState {
  readonly subnet: Cidr;
  /** Where free addresses are looked for: `--ip-range`, or the whole subnet. */
  readonly range: Cidr;
  readonly gateway: string;
  readonly taken: Set<bigint>;
  /** No address below is free. */
  lowest: bigint;
}

function openPool(pool: IpamPool): PoolState {
  const subnet = parseCidr(pool.subnet)?.cidr;
  if (subnet === undefined) throw internal(`stored subnet ${pool.subnet} is not one`);
  const range = (pool.ipRange === undefined ? undefined : parseCidr(pool.ipRange)?.cidr) ?? subnet;
  const taken = new Set<bigint>([subnet.value]);
  // The last address is the broadcast address in IPv4; in /31 and /32 there is none (RFC 3021).
  if (subnet.family === 4 && subnet.prefix < 31) taken.add(lastAddress(subnet));
  if (subnet.prefix >= 31 && subnet.family === 4) taken.delete(subnet.value);
  for (const reserved of [pool.gateway, ...Object.values(pool.auxAddresses ?? {})]) {
    const address = parseIp(reserved);
    if (address !== undefined) taken.add(address.value);
  }
  return { subnet, range, gateway: pool.gateway, taken, lowest: range.value };
}

function firstFree(pool: PoolState): bigint | undefined {
  const last = lastAddress(pool.range);
  for (let value = pool.lowest; value <= last; value++) {
    if (!pool.taken.has(value)) {
      pool.lowest = value;
      return value;
    }
  }
  pool.lowest = last + 1n;
  return undefined;
}

export class NetworkAddresses {
  readonly #pools: readonly PoolState[];
  readonly #label: string;

  /** `label` names the network in errors: `web (1a2b...)`. */
  constructor(pools: readonly IpamPool[], label: string) {
    this.#pools = pools.map(openPool);
    this.#label = label;
  }

  has(family: IpFamily): boolean {
    return this.#pools.some((pool) => pool.subnet.family === family);
  }

  /** Addresses of each subnet that are taken or reserved, and those that may still be handed out. */
  counts(): readonly SubnetCounts[] {
    return this.#pools.map(({ subnet, range, taken }) => {
      const size = (of: Cidr): bigint => 1n << BigInt(addressBits(of.family) - of.prefix);
      const family = subnet.family;
      const inRange = [...taken].filter((value) => cidrContains(range, { family, value })).length;
      return {
        subnet: formatCidr(subnet),
        inUse: BigInt(taken.size),
        available: size(range) - BigInt(inRange),
      };
    });
  }

  /** The lowest free address. `forbidden` when none is left, with Docker's words. */
  claim(family: IpFamily): ClaimedAddress {
    for (const pool of this.#pools) {
      if (pool.subnet.family !== family) continue;
      const value = firstFree(pool);
      if (value !== undefined) return this.#take(pool, value);
    }
    throw forbidden(`no available IPv${family} addresses on this network's address pools: ${this.#label}`);
  }

  /** That address. `forbidden` when it is taken, or when no pool holds it. */
  claimStatic(text: string): ClaimedAddress {
    const address = parseIp(text);
    const pool = address && this.#pools.find((candidate) => cidrContains(candidate.subnet, address));
    if (address === undefined || pool === undefined)
      throw forbidden('Requested address does not belong to any of the subnets of this network');
    if (pool.taken.has(address.value)) throw forbidden('Address already in use');
    return this.#take(pool, address.value);
  }

  /** Idempotent; addresses that are not of this network are ignored. */
  release(text: string): void {
    const address = parseIp(text);
    if (address === undefined) return;
    const pool = this.#pools.find((candidate) => cidrContains(candidate.subnet, address));
    if (pool === undefined || formatIp(address) === pool.gateway) return;
    pool.taken.delete(address.value);
    if (cidrContains(pool.range, address) && address.value < pool.lowest) pool.lowest = address.value;
  }

  #take(pool: PoolState, value: bigint): ClaimedAddress {
    pool.taken.add(value);
    const address = formatIp({ family: pool.subnet.family, value });
    return { address, prefix: pool.subnet.prefix, gateway: pool.gateway };
  }
}
