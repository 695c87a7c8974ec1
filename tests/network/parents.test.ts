/** Networks on an interface of the host: macvlan for real, ipvlan and VLANs where the kernel has them, else how it is told. */

import assert from 'node:assert/strict';
import { execFileSync, type ChildProcess } from 'node:child_process';
import { after, before, test } from 'node:test';
import { isolated } from './isolated.ts';
import { ctx, inside, knowsKind, servePage, World, type Box } from './world.ts';

const run = (command: string): string =>
  execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 15_000 });
const get = (box: Pick<Box, 'namespace'>, url: string): string => inside(box, 'curl', '-gsS', '-m', '5', url);

isolated(import.meta.filename, () => {
  let world: World;
  /** On the same wire as the parent. */
  let outside: Pick<Box, 'namespace'>;

  before(async () => {
    world = new World();
    outside = await world.addOutside();
    await world.start();
    world.keep(await servePage(outside, 'outside '));
  });
  after(() => world.end());

  const create = (name: string, driver: string, options: Record<string, string>, internal = false) =>
    world.networks.create(ctx, {
      name,
      driver,
      internal,
      ipam: { config: [{ subnet: '192.0.2.0/24', gateway: '192.0.2.1', ipRange: '192.0.2.128/28' }] },
      options,
    });
  const servers: ChildProcess[] = [];
  const serve = async (box: Box, text: string): Promise<void> =>
    void servers.push(world.keep(await servePage(box, text)));
  const leave = async (box: Box, name: string): Promise<void> => {
    // A process in the namespace would keep it, and with it the interface on the parent.
    for (const server of servers.splice(0)) server.kill('SIGKILL');
    await world.stop(box);
    await world.networks.remove(ctx, name);
  };

  test('macvlan: on the wire of the parent, with an address of its own and names', async () => {
    await create('wire', 'macvlan', { parent: 'uplink' });
    const web = await world.run('web', { NetworkMode: 'wire', PortBindings: { '80/tcp': [{}] } });
    const other = await world.run('other', { NetworkMode: 'wire' });
    await serve(web, 'web ');
    const endpoint = web.record.endpoints['wire'];
    assert.deepEqual(
      [endpoint?.ipv4, endpoint?.ipv4Gateway, endpoint?.hostInterfaceName, endpoint?.interfaceName],
      ['192.0.2.128', '192.0.2.1', '', 'eth0'],
    );
    assert.deepEqual(web.record.ports, [], 'reached at its own address: nothing is published');
    assert.equal(get(web, 'http://192.0.2.1/'), 'outside ::ffff:192.0.2.128');
    assert.equal(get(outside, 'http://192.0.2.128/'), 'web ::ffff:192.0.2.1');
    assert.equal(get(other, 'http://192.0.2.128/'), 'web ::ffff:192.0.2.129');
    assert.match(inside(web, 'ip', '-d', 'link', 'show', 'eth0'), /macvlan mode bridge/);
    assert.match(inside(web, 'ip', 'route'), /default via 192\.0\.2\.1 dev eth0/);
    assert.match(inside(other, 'sh', '-c', 'cat /proc/net/dev'), /eth0/);

    await world.networks.connect(ctx, 'bridge', 'other', {});
    const both = world.boxes.get(other.record.id) ?? other;
    assert.match(inside(both, 'ip', 'addr', 'show', 'eth1'), /172\.17\./);
    await world.networks.disconnect(ctx, 'wire', 'other', false);
    assert.doesNotMatch(inside(both, 'ip', 'link'), /eth0/);
    await world.stop(world.boxes.get(other.record.id) ?? other);
    await leave(web, 'wire');
    assert.match(run('ip link'), /uplink/, 'the parent is the host s own');
  });

  test('macvlan modes: private neighbours do not reach each other; passthru takes the parent for itself', async () => {
    await create('secret', 'macvlan', { parent: 'uplink', macvlan_mode: 'private' });
    const one = await world.run('one', { NetworkMode: 'secret' });
    const two = await world.run('two', { NetworkMode: 'secret' });
    await serve(one, 'one ');
    assert.match(get(outside, 'http://192.0.2.128/'), /^one/);
    assert.throws(() => inside(two, 'curl', '-sS', '-m', '1', 'http://192.0.2.128/'));
    await world.stop(two);
    await leave(one, 'secret');
    await create('whole', 'macvlan', { parent: 'uplink', macvlan_mode: 'passthru' });
    const first = await world.run('first', { NetworkMode: 'whole' });
    assert.match(inside(first, 'ip', '-d', 'link', 'show', 'eth0'), /macvlan mode passthru/);
    await assert.rejects(
      world.run('second', { NetworkMode: 'whole' }),
      /parent interface uplink is used in a way that excludes/,
    );
    await leave(first, 'whole');
    await create('vepa', 'macvlan', { parent: 'uplink', macvlan_mode: 'vepa' });
    const polite = await world.run('polite', { NetworkMode: 'vepa' });
    assert.match(inside(polite, 'ip', '-d', 'link', 'show', 'eth0'), /macvlan mode vepa/);
    await leave(polite, 'vepa');
  });

  test('what cannot be is refused before anything is made', async () => {
    for (const [driver, options, message] of [
      ['macvlan', { parent: 'nowhere' }, /requested parent interface nowhere was not found/],
      ['macvlan', { parent: 'lo' }, /loopback interface is not a valid parent link/],
      ['macvlan', { parent: 'uplink.4095' }, /vlan id must be between 1-4094, received: 4095/],
      ['macvlan', { parent: 'uplink', macvlan_mode: 'magic' }, /requested macvlan mode 'magic' is not valid/],
      ['ipvlan', { parent: 'uplink', ipvlan_mode: 'l4' }, /requested ipvlan mode 'l4' is not valid/],
      ['ipvlan', { parent: 'uplink', ipvlan_flag: 'x' }, /requested ipvlan flag 'x' is not valid/],
      ['macvlan', { parent: 'a b' }, /invalid parent interface name/],
    ] as const)
      await assert.rejects(create('bad', driver, options), message);
    assert.deepEqual(
      world.networks.list().map(({ network }) => network.name),
      ['bridge', 'host', 'none'],
    );
  });

  test('VLAN sub-interfaces: made, shared and taken away, or told that the kernel has none', async () => {
    if (!knowsKind('vlan')) {
      await assert.rejects(
        create('tagged', 'macvlan', { parent: 'uplink.7' }),
        /this kernel has no vlan interfaces: load or install its module 8021q/,
      );
      assert.equal(world.networks.list({ name: ['tagged'] }).length, 0);
      return;
    }
    await create('tagged', 'macvlan', { parent: 'uplink.7' });
    assert.match(run('ip -d link show uplink.7'), /vlan protocol 802.1Q id 7/);
    await world.networks.create(ctx, { name: 'same', driver: 'macvlan', options: { parent: 'uplink.7' } });
    await world.networks.remove(ctx, 'same');
    assert.match(run('ip link'), /uplink\.7/);
    await world.networks.remove(ctx, 'tagged');
    assert.doesNotMatch(run('ip link'), /uplink\.7/);
  });

  for (const driver of ['macvlan', 'ipvlan'] as const)
    test(`${driver} without a parent: on a dummy interface of its own, or told that the kernel has none`, async () => {
      if (!knowsKind('dummy') || (driver === 'ipvlan' && !knowsKind('ipvlan'))) {
        await assert.rejects(
          create('alone', driver, {}),
          /this kernel has no (dummy|ipvlan) interfaces: load or install its module (dummy|ipvlan)/,
        );
        assert.equal(world.networks.list({ name: ['alone'] }).length, 0);
        assert.doesNotMatch(run('ip link'), /dm-/);
        return;
      }
      for (const internal of [false, true]) {
        await create('alone', driver, {}, internal);
        const parent = `dm-${world.networks.inspect('alone').network.id.slice(0, 12)}`;
        assert.match(run(`ip -d link show ${parent}`), /[<,]UP[,>][^]*dummy/);
        const web = await world.run('web', { NetworkMode: 'alone' });
        const other = await world.run('other', { NetworkMode: 'alone' });
        await serve(web, 'alone ');
        assert.equal(get(other, 'http://192.0.2.128/'), 'alone ::ffff:192.0.2.129');
        assert.throws(() => inside(other, 'curl', '-sS', '-m', '1', 'http://192.0.2.1/'), 'no way out');
        const routes = inside(other, 'ip', 'route');
        assert.equal(/default/.test(routes), !internal, routes);
        await world.restart();
        assert.equal(get(other, 'http://192.0.2.128/'), 'alone ::ffff:192.0.2.129');
        assert.equal(run('ip -o link').match(/dm-/g)?.length, 1);
        await world.stop(other);
        await leave(web, 'alone');
        assert.doesNotMatch(run('ip link'), /dm-/);
      }
      await create('alone', driver, {});
      const [{ id } = { id: '' }] = world.networks.list({ name: ['alone'] }).map(({ network }) => network);
      run(`ip link delete dm-${id.slice(0, 12)}`);
      await world.restart();
      assert.match(run('ip link'), /dm-/, 'it comes back');
      await world.networks.remove(ctx, 'alone');
      await world.networks.remove(ctx, 'alone').catch(() => undefined);
      assert.doesNotMatch(run('ip link'), /dm-/);
    });

  test('ipvlan: l2 and l3, or told that the kernel has none', async () => {
    if (!knowsKind('ipvlan')) {
      await assert.rejects(
        create('shared', 'ipvlan', { parent: 'uplink' }),
        /this kernel has no ipvlan interfaces: load or install its module ipvlan/,
      );
      assert.equal(world.networks.list({ name: ['shared'] }).length, 0);
      return;
    }
    await create('shared', 'ipvlan', { parent: 'uplink' });
    const web = await world.run('web', { NetworkMode: 'shared' });
    await serve(web, 'ip ');
    assert.equal(get(web, 'http://192.0.2.1/'), 'outside ::ffff:192.0.2.128');
    assert.match(get(outside, 'http://192.0.2.128/'), /^ip/);
    await leave(web, 'shared');
    await create('routed', 'ipvlan', { parent: 'uplink', ipvlan_mode: 'l3' });
    const far = await world.run('far', { NetworkMode: 'routed' });
    assert.match(inside(far, 'ip', 'route'), /default dev eth0/);
    assert.equal(get(far, 'http://192.0.2.1/'), 'outside ::ffff:192.0.2.128');
    await leave(far, 'routed');
  });
});
