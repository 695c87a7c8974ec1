/** How containers are reached from beyond their networks: gateway modes, source addresses, trusted interfaces, bind addresses. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { bridgeOption } from '#src/core/model/bridge-settings.ts';
import { isolated } from './isolated.ts';
import { ctx, inside, servePage, World, type Box } from './world.ts';

const run = (command: string): string =>
  execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 15_000 });
const get = (box: Pick<Box, 'namespace'>, url: string): string => inside(box, 'curl', '-gsS', '-m', '5', url);
/** A packet that is dropped is not answered: whoever asks waits in vain. */
const refused = (box: Pick<Box, 'namespace'>, url: string): void => {
  assert.throws(() => inside(box, 'curl', '-gsS', '-m', '1', url), url);
};

isolated(import.meta.filename, () => {
  let world: World;
  let outside: Pick<Box, 'namespace'>;
  const host = { namespace: { fd: -1, path: '/proc/self/ns/net' } };

  before(async () => {
    world = new World();
    outside = await world.addOutside();
    await world.start();
    world.keep(await servePage(outside, 'outside '));
    inside(outside, 'ip', 'route', 'add', '10.99.0.0/16', 'via', '192.0.2.2');
    inside(outside, 'ip', 'addr', 'add', 'fd99::1/64', 'dev', 'eth9', 'nodad');
    inside(host, 'ip', 'addr', 'add', 'fd99::2/64', 'dev', 'uplink', 'nodad');
    inside(outside, 'ip', 'route', 'add', 'fd88::/16', 'via', 'fd99::2');
  });
  after(() => world.end());

  const network = (name: string, at: number, options: Record<string, string>, internal = false) =>
    world.networks.create(ctx, {
      name,
      internal,
      enableIPv6: true,
      ipam: { config: [{ subnet: `10.99.${at}.0/24` }, { subnet: `fd88:0:0:${at}::/64` }] },
      options,
    });

  test('routed: published ports and echo requests at the address of the container, nothing translated', async () => {
    await network('routed', 1, {
      [bridgeOption.gatewayModeIpv4]: 'routed',
      [bridgeOption.gatewayModeIpv6]: 'routed',
    });
    const web = await world.run('web', {
      NetworkMode: 'routed',
      PortBindings: { '80/tcp': [{ HostPort: '8080' }] },
    });
    world.keep(await servePage(web, 'web '));
    world.keep(await servePage(web, 'closed ', 81));
    assert.deepEqual(
      web.record.ports.map((port) => [port.hostIp, port.hostPort]),
      [
        ['0.0.0.0', 0],
        ['::', 0],
      ],
    );
    assert.equal(get(outside, 'http://10.99.1.2/'), 'web ::ffff:192.0.2.1');
    assert.equal(get(outside, 'http://[fd88:0:0:1::2]/'), 'web fd99::1');
    refused(outside, 'http://10.99.1.2:81/');
    refused(outside, 'http://192.0.2.2:8080/');
    inside(outside, 'busybox', 'ping', '-c', '1', '-W', '5', '10.99.1.2');
    assert.equal(get(web, 'http://192.0.2.1/'), 'outside ::ffff:10.99.1.2', 'by its own address');
    await world.restart();
    assert.equal(get(outside, 'http://10.99.1.2/'), 'web ::ffff:192.0.2.1');
    await world.stop(web);
    await assert.rejects(async () => get(outside, 'http://10.99.1.2/'));
    assert.doesNotMatch(run('nft list set inet sliptest direct'), /10\.99\.1\.2/);
  });

  test('nat-unprotected: every port directly, but not for other networks of the engine', async () => {
    await network('open', 2, { [bridgeOption.gatewayModeIpv4]: 'nat-unprotected' });
    await network('other', 3, {});
    const web = await world.run('web', { NetworkMode: 'open' });
    const neighbour = await world.run('neighbour', { NetworkMode: 'other' });
    world.keep(await servePage(web, 'open '));
    world.keep(await servePage(neighbour, 'closed '));
    assert.equal(get(outside, 'http://10.99.2.2/'), 'open ::ffff:192.0.2.1');
    refused(outside, 'http://[fd88:0:0:2::2]/');
    refused(neighbour, 'http://10.99.2.2/');
    refused(outside, 'http://10.99.3.2/');
    assert.equal(get(web, 'http://192.0.2.1/'), 'outside ::ffff:192.0.2.2', 'translated');
    await world.stop(web);
    await world.stop(neighbour);
  });

  test('isolated: neighbours only, not even the host', async () => {
    await assert.rejects(
      network('wrong', 9, { [bridgeOption.gatewayModeIpv4]: 'isolated' }),
      /gateway mode 'isolated' can only be used for an internal network/,
    );
    await assert.rejects(network('wrong', 9, { [bridgeOption.gatewayModeIpv4]: 'magic' }), /unknown gateway/);
    await network('cell', 4, { [bridgeOption.gatewayModeIpv4]: 'isolated' }, true);
    const one = await world.run('one', { NetworkMode: 'cell' });
    const two = await world.run('two', { NetworkMode: 'cell' });
    world.keep(await servePage(one, 'one '));
    assert.match(get(two, 'http://10.99.4.2/'), /^one/);
    assert.doesNotMatch(run('ip -4 addr'), /10\.99\.4\./);
    refused(host, 'http://10.99.4.2/');
    await world.stop(one);
    await world.stop(two);
  });

  test('a source address of choice, and an interface that is trusted', async () => {
    run('ip addr add 192.0.2.7/24 dev uplink');
    await network('sourced', 5, {
      [bridgeOption.sourceIpv4]: '192.0.2.7',
      [bridgeOption.trustedInterfaces]: 'uplink',
    });
    const web = await world.run('web', { NetworkMode: 'sourced' });
    world.keep(await servePage(web, 'trusting '));
    assert.equal(get(web, 'http://192.0.2.1/'), 'outside ::ffff:192.0.2.7');
    assert.match(get(outside, 'http://10.99.5.2/'), /^trusting/);
    await world.stop(web);
    await world.networks.remove(ctx, 'sourced');
    for (const set of ['map inet sliptest source', 'set inet sliptest trusted'])
      assert.doesNotMatch(run(`nft list ${set}`), /elements/);
  });

  test('the engine default for ports without an address, unless the network or the binding says else', async () => {
    world.defaults = { bindAddress: '127.0.0.1' };
    await world.restart();
    const bound = async (name: string, mode: string, hostIp = ''): Promise<readonly string[]> => {
      const binding = { HostPort: '', HostIp: hostIp };
      const box = await world.run(name, { NetworkMode: mode, PortBindings: { '80/tcp': [binding] } });
      await world.stop(box);
      return box.record.ports.map((port) => port.hostIp);
    };
    await network('chosen', 6, { [bridgeOption.hostBinding]: '192.0.2.2' });
    assert.deepEqual(await bound('default', 'bridge'), ['127.0.0.1']);
    assert.deepEqual(await bound('chosen', 'chosen'), ['192.0.2.2']);
    assert.deepEqual(await bound('explicit', 'chosen', '0.0.0.0'), ['0.0.0.0']);
    const options = world.networks.inspect('bridge').network.options;
    assert.equal(options[bridgeOption.hostBinding], '127.0.0.1');
    world.defaults = {};
    await world.restart();
    assert.deepEqual(await bound('again', 'bridge'), ['0.0.0.0', '::']);
  });
});
