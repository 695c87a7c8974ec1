/** Flags of `run` about the network and names: seen in the container. What networks themselves do is held by tests/network. */

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { eventually } from '../../scenarios/engine.ts';
import { openWorld } from './world.ts';

const world = openWorld();
const { run, cli, inspect } = world;

const subnet = `10.${randomInt(200, 250)}.${randomInt(1, 250)}`;
const sixth = `fd${randomInt(16, 255).toString(16)}:${randomInt(4096, 65_535).toString(16)}`;

world.onOpen(async () => {
  await cli('network', 'create', `--subnet=${subnet}.0/24`, '--ipv6', `--subnet=${sixth}::/64`, 'back');
});

test('hosts and name servers', async () => {
  const look = ['busybox', 'cat', '/etc/hosts', '/etc/resolv.conf'];
  const seen = await run(
    '--add-host=db:10.0.0.9',
    '--dns=192.0.2.1',
    '--dns-search=example.org',
    '--dns-option=ndots:3',
    ...look,
  );
  assert.match(seen, /^10\.0\.0\.9\s+db$/m);
  assert.match(seen, /^nameserver 192\.0\.2\.1$/m);
  assert.match(seen, /^search example\.org$/m);
  assert.match(seen, /^options .*ndots:3/m);
});

test('addresses of one’s own: IPv4, IPv6, link-local, hardware, alias, driver options', async () => {
  const own = [
    `--ip=${subnet}.77`,
    `--ip6=${sixth}::77`,
    '--mac-address=02:00:00:00:00:77',
    '--network-alias=seven',
  ];
  const more = [...own, '--link-local-ip=169.254.7.7'];
  const look = 'ip addr show eth0; nslookup seven';
  const seen = await run('--network=back', ...more, 'busybox', 'sh', '-c', look);
  for (const part of [
    `inet ${subnet}.77/24`,
    `inet6 ${sixth}::77/64`,
    'link/ether 02:00:00:00:00:77',
    'inet 169.254.7.7/',
  ])
    assert.ok(seen.includes(part), `${part}: ${seen}`);
  assert.ok(seen.includes(`Address: ${subnet}.77`), seen);
  const option = 'driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1';
  const setting = ['busybox', 'sh', '-c', 'ip addr show eth0; cat /proc/sys/net/ipv4/conf/eth0/log_martians'];
  const named = await run(`--network=name=back,ip=${subnet}.78,${option}`, ...setting);
  assert.ok(named.includes(`inet ${subnet}.78/24`), named);
  assert.match(named, /^1$/m);
  const called = 'driver-opt=com.docker.network.endpoint.ifname=lan0';
  const links = await run(`--network=name=back,${called}`, 'busybox', 'ls', '/sys/class/net');
  assert.deepEqual(links.split(/\s+/), ['lan0', 'lo']);
});

test('published and exposed ports', async () => {
  const id = await cli('run', '-d', '--expose=81', '-p', '127.0.0.1::80', '-P', 'busybox', 'sleep', '1000');
  const ports = JSON.parse(await inspect(id, '{{json .NetworkSettings.Ports}}')) as Record<
    string,
    { HostPort: string }[]
  >;
  assert.deepEqual(Object.keys(ports).sort(), ['80/tcp', '81/tcp']);
  for (const bindings of Object.values(ports)) assert.match(bindings[0]?.HostPort ?? '', /^[1-9]\d+$/);
  await cli('rm', '-f', id);
});

test('links on the default bridge', async () => {
  await cli('run', '-d', '--name', 'linked', '--expose=5432', 'busybox', 'sleep', '1000');
  const seen = await run('--link=linked:db', 'busybox', 'sh', '-c', 'cat /etc/hosts; env');
  assert.match(seen, /\sdb\s/);
  assert.match(seen, /^DB_PORT_5432_TCP_PORT=5432$/m);
  await cli('rm', '-f', 'linked');
});

test('no network', async () => {
  const body = { Image: 'busybox', Cmd: ['sh', '-c', 'ls /sys/class/net'], NetworkDisabled: true };
  const made = await world.api('POST', '/containers/create', body);
  assert.equal(made.status, 201);
  const { Id } = made.body as { Id: string };
  assert.equal(await cli('start', '-a', Id), 'lo');
  assert.equal(await run('--network=none', 'busybox', 'ls', '/sys/class/net'), 'lo');
});

test('logs: the driver and its options', async () => {
  const id = await cli('run', '-d', '--log-driver=none', 'busybox', 'echo', 'lost');
  const none = await world.engine().run('slipway', ['logs', id]);
  assert.match(none.stderr, /does not support reading/);
  const kept = await cli(
    'run',
    '-d',
    '--log-opt=max-size=1m',
    '--log-opt=labels=team',
    '-l',
    'team=blue',
    'busybox',
    'echo',
    'kept',
  );
  const lines = await eventually('the line is there', async () => {
    const text = await cli('logs', '--details', kept);
    return text === '' ? undefined : text;
  });
  assert.equal(lines, 'team=blue kept');
  await cli('rm', '-f', id, kept);
});
