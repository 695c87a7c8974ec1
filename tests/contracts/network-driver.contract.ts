/** What every NetworkDriver must do. Run on the fake and, as root, on the real drivers. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { newId } from '../../src/core/ids.ts';
import type { NetworkRecord } from '../../src/core/model/network.ts';
import type { EndpointPlan, NamespaceHandle, NetworkDriver } from '../../src/core/ports/network-driver.ts';

export interface NetworkDriverHarness {
  readonly driver: NetworkDriver;
  /** Whether the driver makes anything in the kernel (`host` and `null` do not). */
  readonly makesLinks: boolean;
  /** Whether what it makes has names on the host, as bridges and their ports; the same as `makesLinks` where absent. */
  readonly hasHostSide?: boolean;
  /** Options of the networks of this suite. */
  readonly options?: Readonly<Record<string, string>>;
  namespace(): Promise<NamespaceHandle>;
  /** `name address` of each interface in the namespace but loopback. */
  interfaces(namespace: NamespaceHandle): Promise<readonly string[]>;
  close(): Promise<void>;
}

const ctx = backgroundCtx();

export function sampleNetwork(driver: string, options: Readonly<Record<string, string>> = {}): NetworkRecord {
  return {
    id: newId(),
    name: 'sample',
    createdAt: '2026-01-01T00:00:00Z',
    driver,
    scope: 'local',
    ipam: { driver: 'default', options: {}, pools: [{ subnet: '10.77.0.0/24', gateway: '10.77.0.1' }] },
    enableIPv4: true,
    enableIPv6: false,
    internal: false,
    attachable: false,
    options,
    labels: {},
    predefined: false,
  };
}

function samplePlan(network: NetworkRecord, host: number, changes: Partial<EndpointPlan> = {}): EndpointPlan {
  return {
    network,
    endpointId: newId(),
    containerId: newId(),
    interfaceName: 'eth0',
    hostInterfaceName: `vethtest${host}`,
    macAddress: `02:42:0a:4d:00:0${host}`,
    ipv4: `10.77.0.${host}/24`,
    ipv4Gateway: '10.77.0.1',
    ipv6: '',
    ipv6Gateway: '',
    defaultRoute: true,
    sysctls: [],
    published: false,
    ...changes,
  };
}

export function networkDriverContract(name: string, create: () => Promise<NetworkDriverHarness>): void {
  describe(`NetworkDriver: ${name}`, () => {
    let harness: NetworkDriverHarness;
    before(async () => {
      harness = await create();
    });
    after(() => harness.close());
    const valid = (): NetworkRecord =>
      harness.driver.validate(sampleNetwork(harness.driver.name, harness.options));
    const hasHostSide = (): boolean => harness.hasHostSide ?? harness.makesLinks;

    it('fills in what it decides, and the same again', () => {
      const network = valid();
      assert.deepEqual(harness.driver.validate(network), network);
    });

    it('makes a network once, lists it, removes it, and removing again is no error', async () => {
      const network = valid();
      await harness.driver.ensure(ctx, network);
      await harness.driver.ensure(ctx, network);
      const made = (await harness.driver.list(ctx)).networks;
      assert.deepEqual(made, hasHostSide() ? [network.bridgeName] : []);
      await harness.driver.remove(ctx, network);
      await harness.driver.remove(ctx, network);
      assert.deepEqual((await harness.driver.list(ctx)).networks, []);
    });

    it('joins namespaces and takes them off, also twice and after they are gone', async () => {
      const network = valid();
      await harness.driver.ensure(ctx, network);
      const namespace = await harness.namespace();
      const plan = samplePlan(network, 2);
      await harness.driver.attach(ctx, namespace, plan);
      const joined = harness.makesLinks ? ['eth0 10.77.0.2/24'] : [];
      assert.deepEqual(await harness.interfaces(namespace), joined);
      assert.deepEqual(
        (await harness.driver.list(ctx)).endpoints,
        hasHostSide() ? [plan.hostInterfaceName] : [],
      );
      await harness.driver.detach(ctx, namespace, plan);
      await harness.driver.detach(ctx, namespace, plan);
      await harness.driver.detach(ctx, undefined, plan);
      assert.deepEqual(await harness.interfaces(namespace), []);
      assert.deepEqual((await harness.driver.list(ctx)).endpoints, []);
      await harness.driver.remove(ctx, network);
    });

    it('gives the same name again after a detach', async () => {
      const network = valid();
      await harness.driver.ensure(ctx, network);
      const namespace = await harness.namespace();
      for (let round = 0; round < 2; round++) {
        await harness.driver.attach(ctx, namespace, samplePlan(network, 3, { published: true }));
        await harness.driver.detach(ctx, namespace, samplePlan(network, 3));
      }
      assert.deepEqual(await harness.interfaces(namespace), []);
      await harness.driver.remove(ctx, network);
    });

    it('removes what nobody knows, twice', async () => {
      const network = valid();
      await harness.driver.ensure(ctx, network);
      await harness.driver.attach(ctx, await harness.namespace(), samplePlan(network, 4));
      const stray = await harness.driver.list(ctx);
      await harness.driver.removeStray(ctx, stray);
      await harness.driver.removeStray(ctx, stray);
      assert.deepEqual(await harness.driver.list(ctx), { networks: [], endpoints: [] });
    });
  });
}
