import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { isolated } from './isolated.ts';
import { ctx, inside, servePage, World } from './world.ts';

const run = (command: string): string =>
  execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 15_000 });
const fetchPage = async (url: string): Promise<string> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(3000), headers: { connection: 'close' } });
  return response.text();
};
const cannot = async (what: () => unknown, message: string): Promise<void> => {
  await assert.rejects(
    async () => await what(),
    () => true,
    message,
  );
};
const wget = (box: Parameters<typeof inside>[0], url: string): string =>
  inside(box, 'curl', '-sS', '-m', '2', url);

isolated(import.meta.filename, () => {
  let world: World;
  /** Another machine behind the uplink. */
  let outside: { namespace: { fd: number; path: string } };

  before(async () => {
    world = new World();
    outside = await world.addOutside();
    await world.start();
  });
  after(() => world.end());

  test('a new engine has its three networks; the default bridge follows the uplink', () => {
    const names = world.networks.list().map(({ network }) => [network.name, network.driver]);
    assert.deepEqual(names, [
      ['bridge', 'bridge'],
      ['host', 'host'],
      ['none', 'null'],
    ]);
    assert.match(run('ip -d link show sliptest0'), /mtu 1400/);
    assert.match(run('ip addr show sliptest0'), /inet 172\.17\.0\.1\/16/);
  });

  test('containers on the bridge reach each other, the outside by NAT, and are reached where they are published', async () => {
    const web = await world.run('web', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } });
    const other = await world.run('other');
    const server = world.keep(await servePage(web, 'hello '));
    world.keep(await servePage(outside, 'outside '));
    assert.equal(web.record.endpoints['bridge']?.ipv4, '172.17.0.2');
    assert.equal(web.record.endpoints['bridge']?.macAddress, '02:42:ac:11:00:02');
    assert.match(inside(web, 'ip', 'link', 'show', 'eth0'), /mtu 1400/);

    assert.equal(wget(other, 'http://172.17.0.2/'), 'hello ::ffff:172.17.0.3');
    assert.equal(wget(other, 'http://192.0.2.1/'), 'outside ::ffff:192.0.2.2');
    assert.match(await fetchPage('http://127.0.0.1:8080/'), /^hello/);
    assert.match(await fetchPage('http://[::1]:8080/'), /^hello/);
    assert.match(await fetchPage('http://192.0.2.2:8080/'), /^hello/);
    assert.match(wget(outside, 'http://192.0.2.2:8080/'), /^hello ::ffff:192.0.2.1/);
    assert.match(wget(web, 'http://172.17.0.1:8080/'), /^hello/, 'its own published port');
    assert.match(wget(other, 'http://172.17.0.1:8080/'), /^hello/);

    inside(outside, 'ip', 'route', 'add', '172.17.0.0/16', 'via', '192.0.2.2');
    await cannot(
      () => wget(outside, 'http://172.17.0.2/'),
      'an unpublished port is not reached by routing to it',
    );
    inside(other, 'ip', 'route', 'add', '127.0.0.0/8', 'via', '172.17.0.1', 'table', '7');
    inside(other, 'ip', 'addr', 'add', '172.17.99.99/32', 'dev', 'eth0');

    server.kill('SIGKILL');
    await world.stop(web);
    await cannot(() => fetchPage('http://127.0.0.1:8080/'), 'unpublished');
    const again = await world.run('again', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } });
    assert.equal(again.record.endpoints['bridge']?.ipv4, '172.17.0.2');
    world.keep(await servePage(again, 'again '));
    assert.match(await fetchPage('http://127.0.0.1:8080/'), /^again/);
    await world.stop(again);
    await world.stop(other);
  });

  test('a forged source does not leave the bridge', async () => {
    const forger = await world.run('forger');
    inside(forger, 'ip', 'addr', 'add', '198.51.100.7/32', 'dev', 'eth0');
    const before = run('nft -j list chain inet sliptest guard');
    assert.match(before, /forged source/);
    await cannot(
      () => inside(forger, 'curl', '-sS', '-m', '1', '--interface', '198.51.100.7', 'http://192.0.2.1/'),
      'the guard drops it',
    );
    await world.stop(forger);
  });

  test('a port that a container or a process of the host has is refused in Docker words', async () => {
    const ports = { PortBindings: { '80/tcp': [{ HostPort: '8081' }] } };
    const first = await world.run('first', ports);
    await assert.rejects(
      world.run('second', ports),
      /Bind for 0\.0\.0\.0:8081 failed: port is already allocated/,
    );
    await cannot(
      () =>
        new Promise((resolve, reject) => {
          const server = createServer()
            .once('error', reject)
            .listen(8081, '127.0.0.1', () => server.close(resolve));
        }),
      'the port is held',
    );
    await world.stop(first);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(8081, '0.0.0.0', resolve));
    await assert.rejects(
      world.run('third', ports),
      /driver failed programming external connectivity on endpoint third \([0-9a-f]{64}\): failed to bind host port for 0\.0\.0\.0:8081:172\.17\.0\.2:80\/tcp: address already in use/,
    );
    assert.deepEqual((await world.helper.list(ctx)).ports, []);
    server.close();
    const fourth = await world.run('fourth', ports);
    assert.equal(
      fourth.record.endpoints['bridge']?.ipv4,
      '172.17.0.2',
      'nothing is left of the refused start',
    );
    await world.stop(fourth);
  });

  test('an ephemeral port that the host uses is exchanged', async () => {
    const probe = await world.run('probe', { PortBindings: { '80/tcp': [{}] } });
    const next = (probe.record.ports[0]?.hostPort ?? 0) + 1;
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(next, '0.0.0.0', resolve));
    const box = await world.run('dynamic', { PublishAllPorts: true });
    assert.deepEqual(
      box.record.ports.map((port) => [port.hostIp, port.hostPort]),
      [
        ['0.0.0.0', next + 1],
        ['::', next + 1],
      ],
    );
    server.close();
    await world.stop(probe);
    await world.stop(box);
  });

  test('user-defined bridges are apart; their ports and options hold', async () => {
    const created = await world.networks.create(ctx, {
      name: 'one',
      ipam: { config: [{ subnet: '182.18.0.1/24', gateway: '182.18.0.1' }] },
    });
    assert.equal(created.warnings.length, 1);
    await world.networks.create(ctx, {
      name: 'two',
      options: { 'com.docker.network.bridge.enable_icc': 'false' },
    });
    await world.networks.create(ctx, { name: 'inner', internal: true });
    const one = await world.run('one-a', { NetworkMode: 'one' });
    const two = await world.run('two-a', { NetworkMode: 'two' });
    const twoOther = await world.run('two-b', { NetworkMode: 'two' });
    const innerA = await world.run('in-a', { NetworkMode: 'inner' });
    const innerB = await world.run('in-b', { NetworkMode: 'inner' });
    for (const box of [one, two, innerA]) world.keep(await servePage(box, 'page '));
    const address = (box: typeof one): string => Object.values(box.record.endpoints)[0]?.ipv4 ?? '';
    assert.equal(address(one), '182.18.0.2');
    await cannot(() => wget(two, `http://${address(one)}/`), 'networks are apart');
    await cannot(() => wget(twoOther, `http://${address(two)}/`), 'icc=false');
    assert.match(wget(innerB, `http://${address(innerA)}/`), /^page/);
    await cannot(() => wget(innerA, 'http://192.0.2.1/'), 'internal leads nowhere');
    assert.match(wget(twoOther, 'http://192.0.2.1/'), /^outside/);
    await assert.rejects(
      world.networks.remove(ctx, 'one'),
      /has active endpoints \(name:"one-a" id:"[0-9a-f]{12}"\)/,
    );
    for (const box of [one, two, twoOther, innerA, innerB]) await world.stop(box);
    assert.deepEqual((await world.networks.prune(ctx)).toSorted(), ['inner', 'one', 'two']);
    assert.doesNotMatch(run('ip link'), /br-/);
  });

  test('a bridge of a network whose record is gone is made anew', async () => {
    run('ip link add br-anew type bridge && ip link set br-anew alias slipway:sliptest:forgotten');
    run('ip addr add 203.0.113.1/24 dev br-anew && ip link set br-anew up');
    const options = { 'com.docker.network.bridge.name': 'br-anew' };
    await world.networks.create(ctx, { name: 'anew', options });
    assert.doesNotMatch(run('ip addr show br-anew'), /203\.0\.113/);
    await world.networks.remove(ctx, 'anew');
    assert.doesNotMatch(run('ip link'), /br-anew/);
    await world.networks.create(ctx, {
      name: 'half',
      options: { 'com.docker.network.bridge.name': 'br-half' },
    });
    const mac = run("ip -br link show br-half | awk '{ print $3 }'").trim();
    run(`ip link delete br-half && ip link add br-half address ${mac} type bridge`);
    await world.networks.remove(ctx, 'half');
    assert.doesNotMatch(run('ip link'), /br-half/, 'left without its alias by a daemon that was killed');
    run('ip link add br-mine type bridge');
    const own = { 'com.docker.network.bridge.name': 'br-mine' };
    await world.networks.create(ctx, { name: 'adopted', options: own });
    await world.networks.remove(ctx, 'adopted');
    assert.match(run('ip link'), /br-mine/, 'a bridge of the user stays');
    run('ip link delete br-mine');
  });

  test('none has only loopback', async () => {
    const box = await world.run('lonely', { NetworkMode: 'none' });
    assert.equal(inside(box, 'sh', '-c', 'ls /proc/self/net/dev >/dev/null; ip -o link | wc -l').trim(), '1');
    await world.stop(box);
  });

  test('the table and a bridge that someone deleted come back; strays go', async () => {
    const box = await world.run('survivor', { PortBindings: { '80/tcp': [{ HostPort: '8090' }] } });
    world.keep(await servePage(box, 'still '));
    run('nft delete table inet sliptest && ip link delete sliptest0');
    run('ip link add slipstray type bridge && ip link set slipstray alias slipway:sliptest:gone');
    await world.restart();
    assert.match(await fetchPage('http://127.0.0.1:8090/'), /^still/);
    assert.doesNotMatch(run('ip link'), /slipstray/);
    await world.stop(box);
  });
});
