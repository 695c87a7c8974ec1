/** Pools of a network whose addresses another program gives: asked for when the network is made, given back with it. */

import type { Ctx } from '../../../core/ctx.ts';
import { forbidden, internal, toSlipwayError } from '../../../core/errors.ts';
import { cidrsOverlap, parseCidr, type Cidr, type IpFamily } from '../../../core/ip.ts';
import type { IpamPool } from '../../../core/model/network.ts';
import type { IpamDriver, PoolGiven } from '../../../core/ports/ipam-driver.ts';
import type { UndoStack } from '../../../core/undo.ts';
import type { NetworkCreateRequest } from '../types.ts';
import { checkPool, type PoolRequest } from './pools.ts';

/** How often a pool that is in use here is asked to be another one; the wrong ones are kept until a right one came. */
const maxAttempts = 64;

export interface RemotePoolsInput {
  readonly driver: IpamDriver;
  readonly request: Pick<NetworkCreateRequest, 'ipam' | 'enableIPv4' | 'enableIPv6'>;
  /** Subnets that a pool of the driver's choice must step over. */
  readonly blocked: readonly Cidr[];
}

/** What the user asks of one family; one pool of the driver's choice where nothing. */
function wantedOf(input: RemotePoolsInput, family: IpFamily, warnings: string[]): readonly PoolRequest[] {
  const { enableIPv4, enableIPv6, ipam } = input.request;
  if (family === 4 ? enableIPv4 === false : enableIPv6 !== true) return [];
  const configs = (ipam?.config ?? []).filter(
    ({ subnet }) => (subnet?.includes(':') === true ? 6 : 4) === family,
  );
  return configs.length === 0 ? [{}] : configs.map((config) => checkPool(config, warnings));
}

const overlaps = (subnet: string, blocked: readonly Cidr[]): boolean => {
  const parsed = parseCidr(subnet);
  return parsed !== undefined && blocked.some((other) => cidrsOverlap(other, parsed.cidr));
};

async function choosePool(
  ctx: Ctx,
  input: RemotePoolsInput,
  wanted: PoolRequest,
  ipv6: boolean,
): Promise<PoolGiven> {
  const { driver, request, blocked } = input;
  const asked = {
    scope: 'local' as const,
    subnet: wanted.subnet ?? '',
    ipRange: wanted.ipRange ?? '',
    options: { ...request.ipam?.options },
    ipv6,
  };
  const unfit: PoolGiven[] = [];
  try {
    while (unfit.length < maxAttempts) {
      const given = await driver.requestPool(ctx, asked);
      // What covers everything says nothing of where it is used.
      const isAny = parseCidr(given.subnet)?.cidr.prefix === 0;
      if (asked.subnet !== '' || isAny || !overlaps(given.subnet, blocked)) return given;
      unfit.push(given);
    }
    throw forbidden(
      `plugin ${driver.name} gave ${maxAttempts} pools, and each of them is in use on this host`,
    );
  } finally {
    for (const given of unfit.toReversed()) await driver.releasePool(ctx, given.poolId);
  }
}

async function requestOne(
  ctx: Ctx,
  undo: UndoStack,
  input: RemotePoolsInput,
  wanted: PoolRequest,
  ipv6: boolean,
): Promise<IpamPool> {
  const { driver } = input;
  const { poolId, subnet, gateway: told } = await choosePool(ctx, input, wanted, ipv6);
  undo.push('address pool', (own) => driver.releasePool(own, poolId));
  const take = async (address: string, purpose: 'gateway' | 'reserved', what: string): Promise<string> => {
    let given: string;
    try {
      given = await driver.requestAddress(ctx, { poolId, address, purpose });
    } catch (error) {
      const cause = toSlipwayError(error);
      if (cause.kind !== 'internal') throw cause;
      throw internal(`failed to allocate ${what}: ${cause.message}`, error);
    }
    const bare = given.split('/')[0] ?? '';
    undo.push(what, (own) => driver.releaseAddress(own, poolId, bare));
    return bare;
  };
  const asked = wanted.gateway ?? '';
  const gateway =
    asked === '' && told !== ''
      ? (told.split('/')[0] ?? '')
      : await take(asked, 'gateway', `gateway (${asked})`);
  const auxAddresses: Record<string, string> = {};
  for (const [name, address] of Object.entries(wanted.auxAddresses ?? {}))
    auxAddresses[name] = await take(address, 'reserved', `secondary ip address (${name}:${address})`);
  return {
    subnet,
    gateway,
    ...(wanted.ipRange ? { ipRange: wanted.ipRange } : {}),
    ...(Object.keys(auxAddresses).length === 0 ? {} : { auxAddresses }),
    poolId,
  };
}

/** Asks for every pool with its gateway and reserved addresses; `undo` gives them back where the network comes to nothing. */
export async function requestPools(
  ctx: Ctx,
  undo: UndoStack,
  input: RemotePoolsInput,
): Promise<{ readonly pools: readonly IpamPool[]; readonly warnings: readonly string[] }> {
  const warnings: string[] = [];
  const families = ([4, 6] as const).map((family) => [family, wantedOf(input, family, warnings)] as const);
  const pools: IpamPool[] = [];
  for (const [family, wanted] of families)
    for (const one of wanted) pools.push(await requestOne(ctx, undo, input, one, family === 6));
  return { pools, warnings };
}

/** Gives back everything that `requestPools` got. What fails is told to `failed`, and the rest goes on. */
export async function releasePools(
  ctx: Ctx,
  driver: IpamDriver,
  pools: readonly IpamPool[],
  failed: (error: unknown) => void,
): Promise<void> {
  const attempt = (work: Promise<void>): Promise<void> => work.catch(failed);
  for (const { poolId, gateway, auxAddresses } of pools) {
    if (poolId === undefined) continue;
    const addresses = [gateway, ...Object.values(auxAddresses ?? {})].filter((address) => address !== '');
    for (const address of addresses) await attempt(driver.releaseAddress(ctx, poolId, address));
    await attempt(driver.releasePool(ctx, poolId));
  }
}
