/** Bad input, exhaustion and many of everything: what is asked is done whole or refused in Docker's words, and nothing is left. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { isolated } from './isolated.ts';
import { ctx, inside, servePage, World, type Box } from './world.ts';

const run = (command: string): string =>
  execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 15_000 });

isolated(import.meta.filename, () => {
  let world: World;
  before(async () => {
    world = new World();
    await world.addOutside();
    await world.start();
  });
  after(() => world.end());
  const create = (name: string, ...config: readonly object[]) =>
    world.networks.create(ctx, { name, ipam: { config } });
  const names = (): readonly string[] => world.networks.list().map(({ network }) => network.name);

  test('nonsense is refused, and no interface, rule or claim is left of it', async () => {
    const before = [run('ip -o link | wc -l'), run('nft list table inet sliptest'), names()];
    for (const [config, message] of [
      [{ subnet: 'nonsense' }, /invalid subnet nonsense: invalid CIDR block notation/],
      [{ subnet: '10.50.0.0/33' }, /invalid CIDR block notation/],
      [{ subnet: '10.50.0.0/24', gateway: '10.51.0.1' }, /invalid gateway 10\.51\.0\.1: parent subnet/],
      [{ subnet: '10.50.0.0/24', ipRange: '10.51.0.0/25' }, /doesn't contain ip-range/],
      [{ subnet: '10.50.0.0/24', ipRange: '10.50.0.0/16' }, /CIDR block is bigger than its parent/],
      [{ subnet: '10.50.0.0/24', auxAddresses: { a: '10.99.0.1' } }, /invalid auxiliary address/],
      [{ subnet: '172.17.5.0/24' }, /Pool overlaps with other one on this address space/],
    ] as const)
      await assert.rejects(create('bad', config), message);
    await assert.rejects(
      create('bad', { subnet: '10.50.0.0/24' }, { subnet: '10.50.0.128/25' }),
      /Pool overlaps/,
    );
    await assert.rejects(create(' ', {}), /name is empty/);
    await assert.rejects(create('a/b', {}), /invalid network name/);
    await assert.rejects(create('host', {}), /predefined host network/);
    assert.deepEqual([run('ip -o link | wc -l'), run('nft list table inet sliptest'), names()], before);
  });

  test('default pools step over routes of the host', async () => {
    run('ip route add 172.18.0.0/16 via 192.0.2.1');
    run('ip route add 172.19.128.0/17 via 192.0.2.1');
    await create('stepping');
    assert.equal(world.networks.inspect('stepping').network.ipam.pools[0]?.subnet, '172.20.0.0/16');
    await world.networks.remove(ctx, 'stepping');
  });

  test('an exhausted subnet says so, is counted, and takes an address that comes back', async () => {
    await create('tiny', { subnet: '10.60.0.0/29', auxAddresses: { printer: '10.60.0.6' } });
    const boxes: Box[] = [];
    for (let at = 0; at < 4; at++) boxes.push(await world.run(`tiny${at}`, { NetworkMode: 'tiny' }));
    await assert.rejects(
      world.run('too-many', { NetworkMode: 'tiny' }),
      /no available IPv4 addresses on this network's address pools: tiny \([0-9a-f]{64}\)/,
    );
    assert.deepEqual(world.networks.inspect('tiny').subnets, [
      { subnet: '10.60.0.0/29', inUse: 8n, available: 0n },
    ]);
    const [first] = boxes;
    assert.ok(first);
    await world.stop(first);
    const again = await world.run('again', { NetworkMode: 'tiny' });
    assert.equal(again.record.endpoints['tiny']?.ipv4, first.record.endpoints['tiny']?.ipv4);
    await assert.rejects(world.networks.remove(ctx, 'tiny'), /has active endpoints/);
    for (const box of [again, ...boxes.slice(1)]) await world.stop(box);
    await world.networks.remove(ctx, 'tiny');
  });

  test('several subnets, a range, a fixed address and both versions on one network', async () => {
    await world.networks.create(ctx, {
      name: 'wide',
      enableIPv6: true,
      ipam: {
        config: [
          { subnet: '10.61.0.0/24', ipRange: '10.61.0.128/30', gateway: '10.61.0.254' },
          { subnet: '10.62.0.0/24' },
        ],
      },
    });
    const boxes: Box[] = [];
    for (let at = 0; at < 5; at++) boxes.push(await world.run(`wide${at}`, { NetworkMode: 'wide' }));
    const addresses = boxes.map((box) => box.record.endpoints['wide']?.ipv4);
    assert.deepEqual(addresses, ['10.61.0.128', '10.61.0.129', '10.61.0.130', '10.61.0.131', '10.62.0.2']);
    assert.match(boxes[0]?.record.endpoints['wide']?.ipv6 ?? '', /^fd/);
    const fixed = await world.run(
      'fixed',
      { NetworkMode: 'wide' },
      {
        EndpointsConfig: {
          wide: { IPAMConfig: { IPv4Address: '10.62.0.99' }, MacAddress: '02:42:00:00:00:77' },
        },
      },
    );
    assert.match(inside(fixed, 'ip', 'addr', 'show', 'eth0'), /02:42:00:00:00:77[\s\S]*10\.62\.0\.99\/24/);
    const taken = { EndpointsConfig: { wide: { IPAMConfig: { IPv4Address: '10.62.0.99' } } } };
    await assert.rejects(world.run('taken', { NetworkMode: 'wide' }, taken), /Address already in use/);
    for (const box of [fixed, ...boxes]) await world.stop(box);
    await world.networks.remove(ctx, 'wide');
  });

  test('twenty networks on one container: stable names, one default route by priority, all of it gone afterwards', async () => {
    const list = Array.from({ length: 20 }, (_, at) => `many${String(at).padStart(2, '0')}`);
    for (const [at, name] of list.entries()) await create(name, { subnet: `10.70.${at}.0/24` });
    const spec = (name: string) => ({ GwPriority: name === 'many13' ? 10 : 0, Aliases: [`on-${name}`] });
    const box = await world.run(
      'joined',
      { NetworkMode: 'many00', PortBindings: { '80/tcp': [{ HostPort: '8070' }] } },
      { EndpointsConfig: Object.fromEntries(list.map((name) => [name, spec(name)])) },
    );
    world.keep(await servePage(box, 'joined '));
    assert.deepEqual(
      Object.values(box.record.endpoints).map((endpoint) => endpoint.interfaceName),
      list.map((_, at) => `eth${at}`),
    );
    assert.match(inside(box, 'ip', 'route', 'show', 'default'), /^default via 10\.70\.13\.1 dev eth13/);
    assert.match(run('curl -sS -m 5 http://127.0.0.1:8070/'), /^joined/);
    await world.networks.disconnect(ctx, 'many07', 'joined', false);
    await world.networks.connect(ctx, 'many07', 'joined', {});
    const now = world.boxes.get(box.record.id) ?? box;
    assert.equal(now.record.endpoints['many07']?.interfaceName, 'eth7', 'the free name is taken again');
    await world.stop(now);
    for (const name of list) await world.networks.remove(ctx, name);
    assert.doesNotMatch(run('ip link'), /br-/);
    assert.doesNotMatch(run('nft list table inet sliptest'), /br-|8070/);
    assert.deepEqual((await world.helper.list(ctx)).resolvers, []);
  });

  test('host and none take no second network, and nothing else takes them', async () => {
    const none = await world.run('none', { NetworkMode: 'none' });
    const box = await world.run('box');
    await assert.rejects(
      world.networks.connect(ctx, 'bridge', 'none', {}),
      /cannot be connected to multiple networks with one of the networks in private \(none\) mode/,
    );
    await assert.rejects(
      world.networks.connect(ctx, 'host', 'box', {}),
      /cannot be disconnected from host network or connected to host network/,
    );
    await assert.rejects(world.networks.connect(ctx, 'none', 'box', {}), /private \(none\) mode/);
    await assert.rejects(world.networks.remove(ctx, 'bridge'), /pre-defined network and cannot be removed/);
    await world.stop(none);
    await world.stop(box);
  });

  test('a range of host ports, UDP and SCTP, and the next free one of a range', async () => {
    const range = await world.run('range', {
      PortBindings: {
        '90/tcp': [{ HostPort: '9000-9002' }],
        '91/udp': [{ HostPort: '9000' }],
        '92/sctp': [{ HostPort: '9000' }],
      },
    });
    const second = await world.run('second', { PortBindings: { '90/tcp': [{ HostPort: '9000-9002' }] } });
    const third = await world.run('third', { PortBindings: { '90/tcp': [{ HostPort: '9000-9002' }] } });
    const ports = [range, second, third].map((box) => box.record.ports[0]?.hostPort);
    assert.deepEqual(ports, [9000, 9001, 9002]);
    const elements = run('nft list map inet sliptest ports');
    for (const element of [/tcp \. 9001/, /udp \. 9000/, /sctp \. 9000/]) assert.match(elements, element);
    await assert.rejects(
      world.run('fourth', { PortBindings: { '90/tcp': [{ HostPort: '9000-9002' }] } }),
      /all ports are allocated/,
    );
    for (const box of [range, second, third]) await world.stop(box);
  });
});
