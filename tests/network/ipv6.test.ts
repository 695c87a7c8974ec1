import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isolated } from './isolated.ts';
import { ctx, inside, servePage, World, type Box } from './world.ts';

isolated(import.meta.filename, () => {
  let world: World;
  let outside: Pick<Box, 'namespace'>;
  const get = (box: Pick<Box, 'namespace'>, url: string): string =>
    inside(box, 'curl', '-gsS', '-m', '2', url);

  before(async () => {
    world = new World();
    outside = await world.addOutside();
    inside(outside, 'ip', 'addr', 'add', 'fd99::1/64', 'dev', 'eth9', 'nodad');
    inside(
      { namespace: { fd: -1, path: '/proc/self/ns/net' } },
      'ip',
      'addr',
      'add',
      'fd99::2/64',
      'dev',
      'uplink',
      'nodad',
    );
    await world.start();
  });
  after(() => world.end());

  test('a network with IPv6: neighbours, names, the outside, published ports', async () => {
    await world.networks.create(ctx, {
      name: 'six',
      enableIPv6: true,
      ipam: { config: [{ subnet: 'fd77::/64' }] },
    });
    const web = await world.run('web', {
      NetworkMode: 'six',
      PortBindings: { '80/tcp': [{ HostPort: '8080' }] },
    });
    const other = await world.run('other', { NetworkMode: 'six' });
    world.keep(await servePage(web, 'six '));
    world.keep(await servePage(outside, 'outside '));
    assert.equal(web.record.endpoints['six']?.ipv6, 'fd77::2');
    assert.equal(web.record.endpoints['six']?.ipv6Gateway, 'fd77::1');
    assert.equal(get(other, 'http://[fd77::2]/'), 'six fd77::3');
    assert.equal(get(other, 'http://[fd99::1]/'), 'outside fd99::2', 'behind the address of the host');
    assert.match(get(outside, 'http://[fd99::2]:8080/'), /^six fd99::1/);
    assert.match(get(outside, 'http://192.0.2.2:8080/'), /^six ::ffff:192\.0\.2\.1/);
    assert.match(
      await (await fetch('http://[::1]:8080/', { headers: { connection: 'close' } })).text(),
      /^six/,
    );
    inside(outside, 'ip', 'route', 'add', 'fd77::/64', 'via', 'fd99::2');
    assert.throws(() => get(outside, 'http://[fd77::2]/'), 'not published under this address');
    await world.stop(web);
    await world.stop(other);
  });

  test('without it the container has no IPv6 at all', async () => {
    const box = await world.run('four');
    assert.doesNotMatch(inside(box, 'ip', '-6', 'addr', 'show', 'eth0'), /inet6/);
    await world.stop(box);
  });
});
