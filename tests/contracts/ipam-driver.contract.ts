/** What every IpamDriver must do. Run on the fake and on a plugin that is a program of its own. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { isKind } from '../../src/core/errors.ts';
import type { IpamDriver, PoolAsked } from '../../src/core/ports/ipam-driver.ts';

export interface IpamDriverHarness {
  readonly driver: IpamDriver;
  close(): Promise<void>;
}

const ctx = backgroundCtx();
const asked: PoolAsked = { scope: 'local', subnet: '', ipRange: '', options: {}, ipv6: false };

export function ipamDriverContract(name: string, create: () => Promise<IpamDriverHarness>): void {
  describe(`IpamDriver: ${name}`, () => {
    let harness: IpamDriverHarness;
    before(async () => {
      harness = await create();
    });
    after(() => harness.close());
    const refused = (work: Promise<unknown>): Promise<void> =>
      assert.rejects(work, (error) => isKind(error, 'internal') && error.message !== '');

    it('gives pools of its choice that differ, and those that are asked for', async () => {
      const { driver } = harness;
      const [one, two] = [await driver.requestPool(ctx, asked), await driver.requestPool(ctx, asked)];
      assert.notEqual(one.poolId, two.poolId);
      assert.notEqual(one.subnet, two.subnet);
      const chosen = await driver.requestPool(ctx, { ...asked, subnet: '10.55.0.0/24' });
      assert.equal(chosen.subnet, '10.55.0.0/24');
      const six = await driver.requestPool(ctx, { ...asked, ipv6: true });
      assert.match(six.subnet, /:.*\/\d+$/);
      for (const { poolId } of [one, two, chosen, six]) await driver.releasePool(ctx, poolId);
    });

    it('gives each address once, with the prefix of its pool, and again when it is back', async () => {
      const { driver } = harness;
      const { poolId } = await driver.requestPool(ctx, { ...asked, subnet: '10.56.0.0/24' });
      const request = (address: string, purpose: 'gateway' | 'endpoint' | 'reserved' = 'endpoint') =>
        driver.requestAddress(ctx, { poolId, address, purpose });
      const gateway = await request('', 'gateway');
      const first = await request('');
      assert.match(first, /^10\.56\.0\.\d+\/24$/);
      assert.notEqual(first, gateway);
      assert.equal(await request('10.56.0.77'), '10.56.0.77/24');
      await refused(request('10.56.0.77'));
      await driver.releaseAddress(ctx, poolId, '10.56.0.77');
      assert.equal(await request('10.56.0.77', 'reserved'), '10.56.0.77/24');
      const all = [gateway, first, '10.56.0.77/24'].map((address) => address.split('/')[0] ?? '');
      for (const address of all) await driver.releaseAddress(ctx, poolId, address);
      await driver.releasePool(ctx, poolId);
    });

    it('tells what it does not know, in its own words', async () => {
      const { driver } = harness;
      await refused(driver.requestAddress(ctx, { poolId: 'none', address: '', purpose: 'endpoint' }));
      await refused(driver.releaseAddress(ctx, 'none', '10.56.0.2'));
      await refused(driver.releasePool(ctx, 'none'));
    });
  });
}
