/** A program that gives addresses, in memory; several drivers may share what it has given. */

import { internal } from '../../../src/core/errors.ts';
import type { IpamDriver } from '../../../src/core/ports/ipam-driver.ts';

export class FakePools {
  readonly pools = new Map<string, { readonly subnet: string; readonly given: Set<string> }>();
  last = 0;

  /** Everything that somebody has: pools, and addresses as `POOL ADDRESS`. */
  held(): readonly string[] {
    return [...this.pools].flatMap(([id, { given }]) => [id, ...[...given].map((one) => `${id} ${one}`)]);
  }
}

export function createFakeIpam(
  state: FakePools,
  needs: Partial<Pick<IpamDriver, 'requiresMacAddress' | 'requiresReplay'>> = {},
): IpamDriver {
  const poolOf = (id: string): { readonly subnet: string; readonly given: Set<string> } => {
    const pool = state.pools.get(id);
    if (pool === undefined) throw internal(`remote: unknown pool ${id}`);
    return pool;
  };
  return {
    name: 'fake',
    requiresMacAddress: false,
    requiresReplay: false,
    ...needs,
    async requestPool(_ctx, { subnet, ipv6 }) {
      const number = ++state.last;
      const poolId = `pool-${number}`;
      const chosen = subnet || (ipv6 ? `fd00:${number}::/64` : `10.200.${number}.0/24`);
      state.pools.set(poolId, { subnet: chosen, given: new Set() });
      return { poolId, subnet: chosen, gateway: '' };
    },
    async releasePool(_ctx, poolId) {
      poolOf(poolId);
      state.pools.delete(poolId);
    },
    async requestAddress(_ctx, { poolId, address, purpose }) {
      const { subnet, given } = poolOf(poolId);
      const [first = '', prefix = ''] = subnet.split('/');
      const base = first.replace(/[^.:]*$/, '');
      let number = purpose === 'gateway' ? 1 : 2;
      while (given.has(`${base}${number}`)) number++;
      const chosen = address || `${base}${number}`;
      if (given.has(chosen)) throw internal(`remote: ${chosen} is taken`);
      given.add(chosen);
      return `${chosen}/${prefix}`;
    },
    async releaseAddress(_ctx, poolId, address) {
      if (!poolOf(poolId).given.delete(address)) throw internal(`remote: ${address} was not given`);
    },
  };
}
