import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { eventually } from '../scenarios/engine.ts';
import { isolated } from './isolated.ts';
import { ctx, inside, servePage, World, type Box } from './world.ts';

const run = (command: string): string =>
  execFileSync('sh', ['-c', command], {
    encoding: 'utf8',
    timeout: 15_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });

isolated(import.meta.filename, () => {
  let world: World;
  let outside: Pick<Box, 'namespace'>;

  before(async () => {
    world = new World();
    outside = await world.addOutside();
    // A new namespace may take the setting of the machine that the tests run on.
    run('echo 0 > /proc/sys/net/ipv4/ip_forward');
    // As iptables-nft and ufw write it, and a foreign table of nft's own kind.
    run(
      'nft add table ip filter && nft "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }"',
    );
    run(
      'nft add table inet wall && nft "add chain inet wall gate { type filter hook forward priority 10; policy drop; }"',
    );
    run(
      'nft add table inet quiet && nft "add chain inet quiet gate { type filter hook forward priority 5; policy accept; }"',
    );
    await world.start();
  });
  after(() => world.end());

  test('where another firewall drops, the bridges are let through by marked rules, and that is told', async () => {
    const box = await world.run('web', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } });
    world.keep(await servePage(box, 'through '));
    world.keep(await servePage(outside, 'outside '));
    assert.match(inside(outside, 'curl', '-sS', '-m', '2', 'http://192.0.2.2:8080/'), /^through/);
    assert.match(inside(box, 'curl', '-sS', '-m', '2', 'http://192.0.2.1/'), /^outside/);
    const rules = run('nft list table ip filter');
    assert.match(
      rules,
      /iifname "sliptest0" counter packets \d+ bytes \d+ accept comment "sliptest: in sliptest0"/,
    );
    assert.match(rules, /oifname "sliptest0" .* accept comment "sliptest: out sliptest0"/);
    assert.doesNotMatch(run('nft list table inet quiet'), /sliptest/);
    assert.equal(world.networks.status().length, 2);
    await world.stop(box);
  });

  test('what the administrator drops in DOCKER-USER stays dropped', async () => {
    const box = await world.run('web', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } });
    world.keep(await servePage(box, 'through '));
    const page = (): string => inside(outside, 'curl', '-sS', '-m', '2', 'http://192.0.2.2:8080/');
    const refused = (): void => {
      assert.throws(() => inside(outside, 'curl', '-sS', '-m', '1', 'http://192.0.2.2:8080/'));
    };
    const order = (): readonly string[] =>
      run('nft list chain ip filter FORWARD')
        .split('\n')
        .flatMap((line) => /jump DOCKER-USER|sliptest: (?:in|out) sliptest0/.exec(line)?.[0] ?? []);
    assert.match(page(), /^through/);
    // As dockerd does when it comes up: its chain, and the way there at the head.
    run(
      'nft "add chain ip filter DOCKER-USER; insert rule ip filter FORWARD counter jump DOCKER-USER; add rule ip filter DOCKER-USER ip saddr 192.0.2.1 drop"',
    );
    refused();
    await world.restart();
    refused();
    assert.deepEqual(order(), ['jump DOCKER-USER', 'sliptest: out sliptest0', 'sliptest: in sliptest0']);
    // Its way there is lost, or stands behind ours: ours leads there all the same.
    run('nft flush chain ip filter FORWARD');
    await eventually('the rules are back', async () => (order().length === 3 ? true : undefined));
    assert.equal(order()[0], 'jump DOCKER-USER');
    refused();
    run('nft flush chain ip filter DOCKER-USER');
    assert.match(page(), /^through/);
    await world.networks.removeAll(ctx);
    assert.doesNotMatch(run('nft list table ip filter'), /sliptest|jump/);
    run('nft delete chain ip filter DOCKER-USER');
    await world.restart();
    await world.stop(box);
  });

  test('rules come once, go with their network, and all of them on clean', async () => {
    await world.restart();
    await world.networks.create(ctx, { name: 'extra' });
    assert.equal(run('nft list chain inet wall gate').match(/sliptest: /g)?.length, 4);
    await world.networks.remove(ctx, 'extra');
    assert.equal(run('nft list chain inet wall gate').match(/sliptest: /g)?.length, 2);
    await world.networks.removeAll(ctx);
    assert.doesNotMatch(run('nft list ruleset'), /sliptest/);
    assert.equal(run('cat /proc/sys/net/ipv4/ip_forward').trim(), '0', 'as it was before the engine came');
    await world.restart();
  });

  test('the host does not become a router between its other interfaces', async () => {
    const far = await world.host.createNetns();
    const behind = { namespace: far };
    run(`ip link add second type veth peer name eth8 && ip link set eth8 netns ${far.path}`);
    run('ip addr add 198.51.100.2/24 dev second && ip link set second up');
    inside(
      behind,
      'sh',
      '-c',
      'ip addr add 198.51.100.1/24 dev eth8; ip link set eth8 up; ip route add default via 198.51.100.2',
    );
    inside(outside, 'ip', 'route', 'add', '198.51.100.0/24', 'via', '192.0.2.2');
    world.keep(await servePage(behind, 'behind '));
    run('nft delete table ip filter; nft delete table inet wall');
    const page = 'http://198.51.100.1/';
    assert.match(run(`curl -sS -m 2 ${page}`), /^behind/);
    assert.equal(run('cat /proc/sys/net/ipv4/ip_forward').trim(), '1');
    assert.match(run('nft list set inet sliptest closed'), /elements/);
    assert.throws(() => inside(outside, 'curl', '-sS', '-m', '1', page));
    await world.restart();
    assert.throws(() => inside(outside, 'curl', '-sS', '-m', '1', page));
    run('nft flush ruleset');
    await eventually('what was not forwarded before is not after a flush either', () => {
      const { stdout } = spawnSync('nft', ['list', 'set', 'inet', 'sliptest', 'closed'], {
        encoding: 'utf8',
      });
      return Promise.resolve(stdout.includes('elements') ? true : undefined);
    });
    assert.throws(() => inside(outside, 'curl', '-sS', '-m', '1', page));
    run('nft delete element inet sliptest closed { 2 }');
    assert.match(inside(outside, 'curl', '-sS', '-m', '2', page), /^behind/, 'it was our rule');
    world.host.closeFd(far.fd);
  });

  test('a flushed ruleset comes back with the next port', async () => {
    const first = await world.run('first', { PortBindings: { '80/tcp': [{ HostPort: '8081' }] } });
    world.keep(await servePage(first, 'first '));
    run('nft flush ruleset');
    const second = await world.run('second', { PortBindings: { '80/tcp': [{ HostPort: '8082' }] } });
    world.keep(await servePage(second, 'second '));
    assert.match(inside(outside, 'curl', '-sS', '-m', '2', 'http://192.0.2.2:8081/'), /^first/);
    assert.match(inside(outside, 'curl', '-sS', '-m', '2', 'http://192.0.2.2:8082/'), /^second/);
    await world.stop(first);
    await world.stop(second);
  });

  test('a container does not reach the loopback of the host', async () => {
    const box = await world.run('prober');
    world.keep(await servePage({ namespace: { fd: -1, path: '/proc/self/ns/net' } }, 'secret ', 9099));
    assert.match(run('curl -sS -m 2 http://127.0.0.1:9099/'), /^secret/);
    // A container with NET_ADMIN sends 127.0.0.1 out by its interface.
    inside(
      box,
      'sh',
      '-c',
      'ip route del table local local 127.0.0.0/8 dev lo; ip route del table local local 127.0.0.1 dev lo; ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via 172.17.0.1 || true',
    );
    assert.throws(() =>
      inside(box, 'curl', '-sS', '-m', '2', '--interface', 'eth0', 'http://127.0.0.1:9099/'),
    );
    const source = box.record.endpoints['bridge']?.ipv4 ?? '';
    assert.notEqual(source, '');
    await world.stop(box);
  });
});
