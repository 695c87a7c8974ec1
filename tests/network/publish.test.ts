/** Ports of a running container, changed; what is reachable; why a packet passes or not. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { bridgeOption } from '#src/core/model/bridge-settings.ts';
import { isolated } from './isolated.ts';
import { ctx, inside, servePage, World, type Box } from './world.ts';

const run = (command: string): string =>
  execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 15_000 });
const get = (box: Pick<Box, 'namespace'>, url: string): string => inside(box, 'curl', '-gsS', '-m', '5', url);

isolated(import.meta.filename, () => {
  let world: World;
  let outside: Pick<Box, 'namespace'>;
  let web: Box;
  const host = { namespace: { fd: -1, path: '/proc/self/ns/net' } };
  const now = (): Box => world.boxes.get(web.record.id) ?? web;
  const published = (): readonly string[] =>
    now().record.ports.map((port) => `${port.hostIp} ${port.hostPort} ${port.containerPort}`);
  const held = async (): Promise<readonly string[]> =>
    (await world.helper.list(ctx)).ports.map((port) => `${port.hostIp} ${port.hostPort}`).toSorted();

  before(async () => {
    world = new World();
    outside = await world.addOutside();
    await world.start();
    web = await world.run('web');
    world.keep(await servePage(web, 'web '));
    world.keep(await servePage(web, 'admin ', 81));
  });
  after(() => world.end());

  test('a port is added to a container that has none, moved to another of its ports, and taken away', async () => {
    await world.networks.changePorts(ctx, 'web', { add: { '80/tcp': [{ HostPort: '8080' }] } });
    assert.deepEqual(published(), ['0.0.0.0 8080 80', ':: 8080 80']);
    assert.match(get(outside, 'http://192.0.2.2:8080/'), /^web/);
    assert.match(get(host, 'http://[::1]:8080/'), /^web/);
    assert.match(get(web, 'http://172.17.0.1:8080/'), /^web/, 'itself too');
    await world.networks.changePorts(ctx, 'web', {
      remove: { '80/tcp': [] },
      add: { '81/tcp': [{ HostPort: '8080', HostIp: '192.0.2.2' }] },
    });
    assert.deepEqual(published(), ['192.0.2.2 8080 81']);
    assert.match(get(outside, 'http://192.0.2.2:8080/'), /^admin/);
    assert.deepEqual(await held(), ['192.0.2.2 8080']);
    assert.deepEqual(now().record.hostConfig.PortBindings, {
      '81/tcp': [{ HostPort: '8080', HostIp: '192.0.2.2' }],
    });
    await world.restart();
    assert.match(get(outside, 'http://192.0.2.2:8080/'), /^admin/);
    await world.networks.changePorts(ctx, 'web', { remove: { '81': [{ HostPort: '8080' }] } });
    assert.deepEqual([published(), await held()], [[], []]);
    assert.throws(() => inside(outside, 'curl', '-sS', '-m', '2', 'http://192.0.2.2:8080/'));
    assert.doesNotMatch(run('nft list table inet sliptest'), /8080/);
  });

  test('what cannot be published changes nothing', async () => {
    await world.networks.changePorts(ctx, 'web', { add: { '80/tcp': [{ HostPort: '8081' }] } });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(8082, '0.0.0.0', resolve));
    const before = [published(), await held(), now().record.hostConfig];
    const change = { remove: { '80/tcp': [] }, add: { '81/tcp': [{ HostPort: '8082' }] } };
    await assert.rejects(world.networks.changePorts(ctx, 'web', change), /address already in use/);
    assert.deepEqual([published(), await held(), now().record.hostConfig], before);
    assert.match(get(outside, 'http://192.0.2.2:8081/'), /^web/);
    const other = await world.run('other', { PortBindings: { '80/tcp': [{ HostPort: '8083' }] } });
    await assert.rejects(
      world.networks.changePorts(ctx, 'web', { add: { '81/tcp': [{ HostPort: '8083' }] } }),
      /Bind for 0\.0\.0\.0:8083 failed: port is already allocated/,
    );
    for (const bad of ['x/tcp', '80/icmp', '70000', '0'])
      await assert.rejects(
        world.networks.changePorts(ctx, 'web', { add: { [bad]: [{ HostPort: '1' }] } }),
        /invalid port specification/,
      );
    assert.deepEqual([published(), now().record.hostConfig], [before[0], before[2]]);
    server.close();
    await world.networks.changePorts(ctx, 'web', change);
    assert.match(get(outside, 'http://192.0.2.2:8082/'), /^admin/);
    await world.stop(other);
  });

  test('the default route and the ports go to the network that carries them, as a container joins and leaves', async () => {
    for (const [at, name] of ['zeta', 'alpha', 'chosen'].entries())
      await world.networks.create(ctx, { name, ipam: { config: [{ subnet: `10.80.${at}.0/24` }] } });
    await world.networks.create(ctx, { name: 'cell', internal: true });
    const mover = await world.run('mover', {
      NetworkMode: 'zeta',
      PortBindings: { '80/tcp': [{ HostPort: '8095' }] },
    });
    world.keep(await servePage(mover, 'mover '));
    const route = (): string => inside(mover, 'ip', 'route', 'show', 'default').trim();
    const works = (): void => assert.match(get(outside, 'http://192.0.2.2:8095/'), /^mover/);
    const record = () => (world.boxes.get(mover.record.id) ?? mover).record;
    works();
    await world.networks.connect(ctx, 'alpha', 'mover', {});
    assert.match(route(), /^default via 10\.80\.1\.1 dev eth1/);
    works();
    // The container has a shorter way back to its own first gateway: the host that dials by it must be answered all the same.
    for (const address of ['127.0.0.1', '192.0.2.2', '10.80.0.1', '10.80.1.1'])
      assert.match(get(host, `http://${address}:8095/`), /^mover/, address);
    await world.networks.connect(ctx, 'chosen', 'mover', { GwPriority: 5 });
    assert.match(route(), /^default via 10\.80\.2\.1 dev eth2/);
    works();
    await world.networks.disconnect(ctx, 'chosen', 'mover', false);
    assert.match(route(), /^default via 10\.80\.1\.1 dev eth1/);
    works();
    await world.networks.disconnect(ctx, 'alpha', 'mover', false);
    assert.match(route(), /^default via 10\.80\.0\.1 dev eth0/);
    works();
    await world.networks.connect(ctx, 'cell', 'mover', {});
    await world.networks.disconnect(ctx, 'zeta', 'mover', false);
    assert.deepEqual([route(), record().ports], ['', []]);
    assert.ok(!(await held()).some((port) => port.endsWith(' 8095')));
    await world.networks.connect(ctx, 'alpha', 'mover', {});
    assert.match(route(), /^default via 10\.80\.1\.1/);
    assert.equal(record().ports.length, 2);
    works();
    await world.stop(world.boxes.get(mover.record.id) ?? mover);
    assert.doesNotMatch(run('nft list table inet sliptest'), /8095/);
    for (const name of ['zeta', 'alpha', 'chosen', 'cell']) await world.networks.remove(ctx, name);
  });

  test('exposure tells what is reachable from where', async () => {
    await world.networks.create(ctx, {
      name: 'open',
      ipam: { config: [{ subnet: '10.99.0.0/24' }] },
      options: { [bridgeOption.gatewayModeIpv4]: 'nat-unprotected' },
    });
    const bare = await world.run('bare', { NetworkMode: 'open' });
    const careful = await world.run('careful', {
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8090' }] },
    });
    const { hostAddresses, rows } = await world.networks.exposure(ctx);
    assert.deepEqual(hostAddresses, ['192.0.2.2']);
    const told = rows
      .map((row) => `${row.containerName} ${row.address} ${row.containerPort} ${row.scope}`)
      .toSorted();
    assert.deepEqual(told, [
      'bare 10.99.0.2 * network',
      'careful 127.0.0.1:8090 80/tcp host',
      'web 0.0.0.0:8082 81/tcp everywhere',
      'web [::]:8082 81/tcp everywhere',
    ]);
    await world.stop(bare);
    await world.stop(careful);
  });

  test('a trace says what the kernel does', async () => {
    await world.networks.create(ctx, { name: 'apart', options: { [bridgeOption.icc]: 'false' } });
    await world.networks.create(ctx, { name: 'inner', internal: true });
    const one = await world.run('one', { NetworkMode: 'apart' });
    const two = await world.run('two', { NetworkMode: 'apart' });
    const inner = await world.run('inner-a', { NetworkMode: 'inner' });
    world.keep(await servePage(one, 'one '));
    world.keep(await servePage(outside, 'outside '));
    const address = one.record.endpoints['apart']?.ipv4 ?? '';
    const cases: readonly (readonly [string, Pick<Box, 'namespace'>, string, string, boolean])[] = [
      ['host', host, 'web:80', 'http://172.17.0.2/', true],
      ['web', web, '192.0.2.1:80', 'http://192.0.2.1/', true],
      ['192.0.2.1', outside, '192.0.2.2:8082', 'http://192.0.2.2:8082/', true],
      ['one', one, '192.0.2.2:8082', 'http://192.0.2.2:8082/', true],
      ['two', two, 'one:80', `http://${address}/`, false],
      ['web', web, `${address}:80`, `http://${address}/`, false],
      ['inner-a', inner, '192.0.2.1:80', 'http://192.0.2.1/', false],
      ['192.0.2.1', outside, `${address}:80`, `http://${address}/`, false],
      ['host', host, '[::1]:8082', 'http://[::1]:8082/', true],
    ];
    for (const [source, box, destination, url, expected] of cases) {
      const { passes, steps } = await world.networks.trace(ctx, source, destination);
      assert.equal(passes, expected, `${source} to ${destination}: ${JSON.stringify(steps)}`);
      let passed = true;
      try {
        inside(box, 'curl', '-gsS', '-m', '2', url);
      } catch {
        passed = false;
      }
      assert.equal(passed, expected, `${source} to ${url}`);
    }
    await assert.rejects(world.networks.trace(ctx, 'web', 'one:port'), /is not of the form HOST/);
    await assert.rejects(world.networks.trace(ctx, 'nobody', 'one'), /No such container/);
    run('nft delete element inet sliptest ports { tcp . 8082 }');
    const lost = await world.networks.trace(ctx, '192.0.2.1', '192.0.2.2:8082');
    assert.match(JSON.stringify(lost), /the port map of the firewall does not have it/);
    for (const box of [one, two, inner]) await world.stop(box);
  });
});
