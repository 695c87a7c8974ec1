/** What every Firewall must do. Run on the fake and, as root, on nftables. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import type { Firewall, FirewallNetwork, FirewallPort } from '../../src/core/ports/firewall.ts';

export interface FirewallHarness {
  readonly firewall: Firewall;
  /** Another instance over the same kernel: a daemon that came back. */
  again(): Firewall;
  close(): Promise<void>;
}

const ctx = backgroundCtx();
const network: FirewallNetwork = {
  networkId: 'n1',
  bridge: 'sltest0',
  ipv4Subnets: ['10.77.0.0/24'],
  ipv6Subnets: [],
  internal: false,
  masquerade: true,
  icc: true,
};
const port = (hostPort: number, changes: Partial<FirewallPort> = {}): FirewallPort => ({
  protocol: 'tcp',
  hostIp: '0.0.0.0',
  hostPort,
  containerIp: '10.77.0.2',
  containerPort: 80,
  bridge: 'sltest0',
  ...changes,
});

function sorted(ports: readonly FirewallPort[]): readonly string[] {
  return ports.map((one) => JSON.stringify(one, Object.keys(one).toSorted())).toSorted();
}

export function firewallContract(name: string, create: () => Promise<FirewallHarness>): void {
  describe(`Firewall: ${name}`, () => {
    let harness: FirewallHarness;
    before(async () => {
      harness = await create();
    });
    after(() => harness.close());
    const listed = async (): Promise<readonly string[]> => sorted(await harness.firewall.listPorts(ctx));

    it('becomes the picture that it is given, and the next one', async () => {
      const { firewall } = harness;
      assert.deepEqual(await firewall.listPorts(ctx), []);
      await firewall.restore(ctx, [network], [port(80), port(81)]);
      assert.deepEqual(await listed(), sorted([port(80), port(81)]));
      await harness.again().restore(ctx, [network], [port(81), port(82)]);
      assert.deepEqual(await listed(), sorted([port(81), port(82)]));
      await firewall.restore(ctx, [], []);
      assert.deepEqual(await listed(), []);
    });

    it('publishes and unpublishes, twice each', async () => {
      const { firewall } = harness;
      await firewall.restore(ctx, [network], []);
      const ports = [
        port(8080),
        port(8080, { hostIp: '127.0.0.1' }),
        port(53, { protocol: 'udp', containerPort: 53 }),
        port(9, { protocol: 'sctp' }),
        port(8080, { hostIp: '::', containerIp: 'fd00::2' }),
        port(8080, { hostIp: '::1', containerIp: 'fd00::2' }),
      ];
      await firewall.publish(ctx, ports);
      await firewall.publish(ctx, ports);
      assert.deepEqual(await listed(), sorted(ports));
      await firewall.unpublish(ctx, ports.slice(1));
      await firewall.unpublish(ctx, ports);
      assert.deepEqual(await listed(), []);
      await firewall.unpublish(ctx, ports);
      await firewall.publish(ctx, []);
    });

    it('leaves out what needs a relay: host and container address of different versions', async () => {
      await harness.firewall.restore(ctx, [network], []);
      await harness.firewall.publish(ctx, [port(8080, { hostIp: '::' })]);
      assert.deepEqual(await listed(), []);
    });

    it('gives a port to the container that publishes it last', async () => {
      const { firewall } = harness;
      await firewall.restore(ctx, [network], [port(8080)]);
      const moved = port(8080, { containerIp: '10.77.0.9' });
      await firewall.publish(ctx, [moved]);
      assert.deepEqual(await listed(), sorted([moved]));
    });

    it('takes networks in and out, twice each, with other settings too', async () => {
      const { firewall } = harness;
      await firewall.restore(ctx, [], [port(8080)]);
      await firewall.ensureNetwork(ctx, network);
      await firewall.ensureNetwork(ctx, network);
      await firewall.ensureNetwork(ctx, { ...network, internal: true, icc: false });
      await firewall.removeNetwork(ctx, network);
      await firewall.removeNetwork(ctx, network);
      assert.deepEqual(await listed(), sorted([port(8080)]), 'ports are not its business');
    });

    it('clears, twice, and can be filled again', async () => {
      const { firewall } = harness;
      await firewall.restore(ctx, [network], [port(8080)]);
      await firewall.clear(ctx);
      await firewall.clear(ctx);
      assert.deepEqual(await listed(), []);
      await firewall.unpublish(ctx, [port(8080)]);
      await firewall.removeNetwork(ctx, network);
      await assert.rejects(firewall.publish(ctx, [port(8080)]), 'there is no table');
      await firewall.restore(ctx, [network], [port(8080)]);
      assert.deepEqual(await listed(), sorted([port(8080)]));
      assert.ok(Array.isArray(firewall.status()));
    });
  });
}
