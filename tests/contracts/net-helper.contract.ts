/** What every NetHelper must do. Run on the fake and, as root, on slipway-net. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { backgroundCtx } from '../../src/core/ctx.ts';
import { isKind } from '../../src/core/errors.ts';
import type { NetHelper, PortHold, ResolverConfig } from '../../src/core/ports/net-helper.ts';

export interface NetHelperHarness {
  readonly helper: NetHelper;
  /** The client of a daemon that came back. */
  again(): NetHelper;
  /** Path of a fresh network namespace. */
  namespace(): Promise<string>;
  /** Addresses of a name as asked inside the namespace; empty when it has none. */
  lookup(namespacePath: string, name: string): Promise<readonly string[]>;
  /** Takes a TCP port of the host as a stranger would; resolves with the function that gives it back. */
  occupy(port: number): Promise<() => Promise<void>>;
  /** Ends the process as a crash would; resolves when a new one has been announced. */
  crash(helper: NetHelper): Promise<void>;
  close(): Promise<void>;
}

const ctx = backgroundCtx();
const config = (containerId: string, changes: Partial<ResolverConfig> = {}): ResolverConfig => ({
  containerId,
  networkIds: ['n1'],
  ownNames: [],
  upstreams: [],
  forward: false,
  ...changes,
});
const hold = (containerId: string, hostPort: number, changes: Partial<PortHold> = {}): PortHold => ({
  containerId,
  protocol: 'tcp',
  hostIp: '127.0.0.1',
  hostPort,
  containerIp: '10.77.0.2',
  containerPort: 80,
  ...changes,
});
const portsOf = async (helper: NetHelper): Promise<readonly string[]> =>
  (await helper.list(ctx)).ports
    .map((port) => `${port.containerId} ${port.protocol} ${port.hostPort}`)
    .toSorted();

export function netHelperContract(name: string, create: () => Promise<NetHelperHarness>): void {
  describe(`NetHelper: ${name}`, () => {
    let harness: NetHelperHarness;
    let helper: NetHelper;
    before(async () => {
      harness = await create();
      helper = harness.helper;
      await helper.ensureRunning(ctx);
      await helper.ensureRunning(ctx);
    });
    after(() => harness.close());

    it('answers names of own networks and forgets what it is told to forget', async () => {
      const namespace = await harness.namespace();
      await helper.setZone(ctx, 'n1', 'net', [{ name: 'web', ipv4: ['10.77.0.2'], ipv6: [] }]);
      await helper.setZone(ctx, 'n2', 'far', [{ name: 'secret', ipv4: ['10.78.0.2'], ipv6: [] }]);
      await helper.attachResolver(ctx, namespace, config('a'));
      assert.deepEqual(await harness.lookup(namespace, 'web'), ['10.77.0.2']);
      assert.deepEqual(await harness.lookup(namespace, 'web.net'), ['10.77.0.2']);
      assert.deepEqual(await harness.lookup(namespace, 'secret'), []);
      await helper.updateResolver(
        ctx,
        config('a', { networkIds: ['n2'], ownNames: [{ name: 'db', ipv4: ['10.9.9.9'], ipv6: [] }] }),
      );
      assert.deepEqual(await harness.lookup(namespace, 'secret'), ['10.78.0.2']);
      assert.deepEqual(await harness.lookup(namespace, 'db'), ['10.9.9.9']);
      assert.deepEqual(await harness.lookup(namespace, 'web'), []);
      await helper.setZone(ctx, 'n2', 'far', []);
      assert.deepEqual(await harness.lookup(namespace, 'secret'), []);
      const known = await helper.list(ctx);
      assert.deepEqual([known.resolvers, known.zones], [['a'], ['n1']]);
      await helper.detachResolver(ctx, 'a');
      await helper.detachResolver(ctx, 'a');
      await helper.setZone(ctx, 'n1', 'net', []);
      assert.deepEqual((await helper.list(ctx)).resolvers, []);
      await assert.rejects(helper.updateResolver(ctx, config('a')), (error) => isKind(error, 'notFound'));
    });

    it('attaches again in place of the one before', async () => {
      const namespace = await harness.namespace();
      await helper.setZone(ctx, 'n1', 'net', [{ name: 'web', ipv4: ['10.77.0.2'], ipv6: [] }]);
      await helper.attachResolver(ctx, namespace, config('a'));
      await helper.attachResolver(ctx, namespace, config('a'));
      assert.deepEqual(await harness.lookup(namespace, 'web'), ['10.77.0.2']);
      await assert.rejects(helper.attachResolver(ctx, '/nonexistent/namespace', config('b')));
      assert.deepEqual((await helper.list(ctx)).resolvers, ['a']);
      await helper.detachResolver(ctx, 'a');
    });

    it('holds ports, all or none, and refuses what a stranger has', async () => {
      await helper.holdPorts(ctx, [hold('a', 18_080), hold('a', 18_080, { protocol: 'udp' })]);
      await helper.holdPorts(ctx, [hold('a', 18_080)]);
      assert.deepEqual(await portsOf(helper), ['a tcp 18080', 'a udp 18080']);
      const free = await harness.occupy(18_082);
      await assert.rejects(helper.holdPorts(ctx, [hold('b', 18_081), hold('b', 18_082)]), (error) => {
        assert.ok(isKind(error, 'conflict'));
        assert.equal(
          error.message,
          'failed to bind host port for 127.0.0.1:18082:10.77.0.2:80/tcp: address already in use',
        );
        return true;
      });
      assert.deepEqual(await portsOf(helper), ['a tcp 18080', 'a udp 18080']);
      await free();
      await helper.holdPorts(ctx, [hold('b', 18_082)]);
      await assert.rejects(harness.occupy(18_082), 'held');
      await helper.releasePorts(ctx, 'a');
      await helper.releasePorts(ctx, 'a');
      await helper.releasePorts(ctx, 'b');
      assert.deepEqual(await portsOf(helper), []);
      await (
        await harness.occupy(18_082)
      )();
    });

    it('outlives its client', async () => {
      const namespace = await harness.namespace();
      await helper.setZone(ctx, 'n1', 'net', [{ name: 'web', ipv4: ['10.77.0.2'], ipv6: [] }]);
      await helper.attachResolver(ctx, namespace, config('a'));
      await helper.holdPorts(ctx, [hold('a', 18_080)]);
      const { pid } = await helper.stats(ctx);
      helper.close();
      assert.deepEqual(await harness.lookup(namespace, 'web'), ['10.77.0.2']);
      helper = harness.again();
      await helper.ensureRunning(ctx);
      const stats = await helper.stats(ctx);
      const lookups = (await helper.lookups(ctx))['a'];
      assert.ok(lookups !== undefined && lookups.answered >= 1 && lookups.queries >= lookups.answered);
      assert.equal(stats.pid, pid);
      assert.ok(stats.rssBytes > 0 && stats.version !== '');
      assert.deepEqual(await portsOf(helper), ['a tcp 18080']);
      assert.deepEqual((await helper.list(ctx)).resolvers, ['a']);
    });

    it('comes back from a crash with its ports and names', async () => {
      await harness.crash(helper);
      assert.deepEqual(await portsOf(helper), ['a tcp 18080']);
      assert.deepEqual((await helper.list(ctx)).zones, ['n1']);
    });

    it('ends when told to, and telling again is no error', async () => {
      await helper.shutdown(ctx);
      await helper.shutdown(ctx);
      await assert.rejects(helper.list(ctx), (error) => isKind(error, 'unavailable'));
    });
  });
}
