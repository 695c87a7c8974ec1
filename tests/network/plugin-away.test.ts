/** Plugins that are away, come back, forget, stand behind TLS or belong to a cluster: what is told, and that nothing is leaked. */

import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isKind } from '#src/core/errors.ts';
import { eventually } from '../scenarios/engine.ts';
import { isolated } from './isolated.ts';
import { ctx, inside, World } from './world.ts';

const program = join(import.meta.dirname, 'ipam-program.ts');

interface Plugin {
  readonly child: ChildProcess;
  /** What it printed when it was up: the port, where it listens on one. */
  readonly up: string;
  /** What it was asked since the last look, as `METHOD BODY`, when it was asked for something with these words. */
  until(words: string): Promise<readonly string[]>;
}

isolated(import.meta.filename, () => {
  let world: World;

  const launch = async (args: readonly string[]): Promise<Plugin> => {
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    child.stdout.on('data', (chunk: Buffer) => lines.push(...chunk.toString().trim().split('\n')));
    await once(child.stdout, 'data');
    world.keep(child);
    const up = lines.shift() ?? '';
    const until = (words: string): Promise<readonly string[]> =>
      eventually(`it is asked for ${words}`, async () =>
        lines.some((call) => call.includes(words)) ? lines.splice(0) : undefined,
      );
    return { child, up, until };
  };
  const start = (listen: string, ...settings: string[]): Promise<Plugin> =>
    launch([program, listen, ...settings]);
  const end = async ({ child }: Plugin, socket?: string): Promise<void> => {
    child.kill('SIGKILL');
    await once(child, 'exit');
    if (socket !== undefined) rmSync(socket);
  };
  const socketOf = (name: string): string => join(world.runRoot, `plugins/${name}.sock`);
  const create = (name: string, driver: string, subnet: string, options = {}) =>
    world.networks.create(ctx, { name, ipam: { driver, options, config: [{ subnet }] } });
  const wanting = (network: string, address: string) => ({
    EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: address } } },
  });

  before(async () => {
    world = new World();
    await world.start();
    mkdirSync(join(world.runRoot, 'plugins'));
    mkdirSync(join(world.runRoot, 'specs'));
  });
  after(() => world.end());

  test('away at a start: told, and nothing is left of it; away at a stop: nobody waits, and the address goes back later', async () => {
    let plugin = await start(socketOf('fixed'));
    await create('leased', 'fixed', '10.71.0.0/24');
    const kept = await world.run('kept', { NetworkMode: 'leased' }, wanting('leased', '10.71.0.9'));
    assert.match(inside(kept, 'ip', 'addr', 'show', 'eth0'), /10\.71\.0\.9\/24/);
    await end(plugin, socketOf('fixed'));
    await assert.rejects(
      world.run('late', { NetworkMode: 'leased' }),
      (error) => isKind(error, 'unavailable') && /plugin fixed does not answer/.test(error.message),
    );
    await assert.rejects(create('more', 'fixed', '10.72.0.0/24'), /plugin fixed does not answer/);
    assert.deepEqual(world.networks.list({ name: ['more'] }), []);
    await world.stop(kept);
    assert.deepEqual(world.networks.inspect('leased').members, []);
    // This program forgets its pools when it ends: it refuses what it does not know, and that ends the debt.
    plugin = await start(socketOf('fixed'));
    await plugin.until('IpamDriver.ReleaseAddress {"PoolID":"pool-1","Address":"10.71.0.9"}');
    await world.networks.remove(ctx, 'leased');
    await end(plugin, socketOf('fixed'));
  });

  test('what is owed outlives the daemon: the next one gives it back, once, and forgets it with the network', async () => {
    let plugin = await start(socketOf('fixed'));
    await create('leased', 'fixed', '10.71.0.0/24');
    const boxes = [
      await world.run('one', { NetworkMode: 'leased' }, wanting('leased', '10.71.0.9')),
      await world.run('two', { NetworkMode: 'leased' }, wanting('leased', '10.71.0.10')),
    ];
    await end(plugin, socketOf('fixed'));
    for (const box of boxes) await world.stop(box);
    await world.restart();
    assert.equal((await world.records.list('debt'))[0]?.addresses.length, 2);
    plugin = await start(socketOf('fixed'));
    const told = await plugin.until('IpamDriver.ReleaseAddress {"PoolID":"pool-1","Address":"10.71.0.10"}');
    assert.deepEqual(
      told.filter((call) => call.includes('ReleaseAddress')),
      ['9', '10'].map((last) => `IpamDriver.ReleaseAddress {"PoolID":"pool-1","Address":"10.71.0.${last}"}`),
    );
    await eventually('nothing is owed', async () =>
      (await world.records.list('debt')).length === 0 ? true : undefined,
    );
    const last = await world.run('last', { NetworkMode: 'bridge' });
    await world.stop(last);
    await end(plugin, socketOf('fixed'));
    await world.networks.remove(ctx, 'leased');
    assert.deepEqual(await world.records.list('debt'), []);
  });

  test('an address that goes back is back before the next one is asked for', async () => {
    const plugin = await start(socketOf('fixed'));
    await create('leased', 'fixed', '10.71.0.0/24');
    for (let round = 0; round < 3; round++) {
      const box = await world.run('same', { NetworkMode: 'leased' }, wanting('leased', '10.71.0.9'));
      await world.stop(box);
    }
    await assert.rejects(
      (async () => {
        const box = await world.run('one', { NetworkMode: 'leased' }, wanting('leased', '10.71.0.9'));
        try {
          await world.run('two', { NetworkMode: 'leased' }, wanting('leased', '10.71.0.9'));
        } finally {
          await world.stop(box);
        }
      })(),
      /remote: 10\.71\.0\.9 is taken/,
    );
    await world.networks.remove(ctx, 'leased');
    const asked = (await plugin.until('IpamDriver.ReleasePool')).map((call) => call.split(' ')[0]);
    const count = (method: string): number => asked.filter((one) => one === method).length;
    assert.equal(count('IpamDriver.ReleaseAddress'), 5, 'four of containers and the gateway');
    assert.equal(count('IpamDriver.RequestAddress'), 6, 'one of them was refused');
    await end(plugin, socketOf('fixed'));
  });

  test('with the network its pool goes back, or the network alone where nobody takes it', async () => {
    const plugin = await start(socketOf('fixed'));
    await create('leased', 'fixed', '10.71.0.0/24');
    await end(plugin, socketOf('fixed'));
    await world.networks.remove(ctx, 'leased');
    assert.deepEqual(world.networks.list({ name: ['leased'] }), []);
  });

  test('a daemon that comes back asks nothing again of a plugin that keeps its books, and gives back what ended meanwhile', async () => {
    const plugin = await start(socketOf('fixed'));
    await create('leased', 'fixed', '10.71.0.0/24');
    const stays = await world.run('stays', { NetworkMode: 'leased' });
    const ends = await world.run('ends', { NetworkMode: 'leased' });
    world.ended.set(ends.record.id, ends.record);
    world.boxes.delete(ends.record.id);
    await world.restart();
    const { ipv4 } = ends.record.endpoints['leased'] ?? { ipv4: '' };
    await plugin.until(`IpamDriver.ReleaseAddress {"PoolID":"pool-1","Address":"${ipv4}"}`);
    world.ended.clear();
    const next = await world.run('next', { NetworkMode: 'leased' });
    assert.equal(next.record.endpoints['leased']?.ipv4, ipv4);
    for (const box of [stays, next]) await world.stop(box);
    await world.networks.remove(ctx, 'leased');
    const asked = await plugin.until('IpamDriver.ReleasePool');
    assert.ok(!asked.some((call) => call.startsWith('IpamDriver.RequestPool')));
    world.host.closeFd(ends.namespace.fd);
    await end(plugin, socketOf('fixed'));
  });

  test('a plugin that keeps nothing is told all that is in use, also when it comes up after the daemon', async () => {
    let plugin = await start(socketOf('forgets'), 'replay=true', 'mac=true');
    await create('other', 'forgets', '10.74.0.0/24');
    await world.networks.create(ctx, {
      name: 'leased',
      ipam: {
        driver: 'forgets',
        config: [{ subnet: '10.73.0.0/24', auxAddresses: { router: '10.73.0.5' } }],
      },
    });
    const box = await world.run('box', { NetworkMode: 'leased' });
    const mac = box.record.endpoints['leased']?.macAddress;
    await plugin.until(`"com.docker.network.endpoint.macaddress":"${mac}"`);
    await end(plugin, socketOf('forgets'));
    await world.networks.remove(ctx, 'other');
    await world.restart();
    plugin = await start(socketOf('forgets'), 'replay=true', 'mac=true');
    const next = await world.run('next', { NetworkMode: 'leased' });
    assert.equal(next.record.endpoints['leased']?.ipv4, '10.73.0.3');
    const told = await plugin.until('"Address":""');
    const asked = told.map((call) => call.replace(/"Options":.*$/, ''));
    assert.deepEqual(asked.slice(3), [
      'IpamDriver.RequestPool {"AddressSpace":"here","Pool":"10.73.0.0/24","SubPool":"",',
      // It called the pool otherwise before: the other network's was its first.
      'IpamDriver.RequestAddress {"PoolID":"pool-1","Address":"10.73.0.1",',
      'IpamDriver.RequestAddress {"PoolID":"pool-1","Address":"10.73.0.5",',
      'IpamDriver.RequestAddress {"PoolID":"pool-1","Address":"10.73.0.2",',
      'IpamDriver.RequestAddress {"PoolID":"pool-1","Address":"",',
    ]);
    for (const each of [box, next]) await world.stop(each);
    await world.networks.remove(ctx, 'leased');
    await plugin.until('IpamDriver.ReleasePool {"PoolID":"pool-1"}');
    await end(plugin, socketOf('forgets'));
  });

  test('behind TLS: who it is and who we are is checked; without what that needs the network is refused', async () => {
    const folder = mkdtempSync('/tmp/slip-tls-');
    const openssl = (text: string): unknown =>
      execFileSync('openssl', text.split(' '), { cwd: folder, stdio: 'pipe' });
    const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2';
    for (const name of ['own', 'other']) {
      openssl(`req -x509 ${key} -keyout ${name}-ca.key -out ${name}-ca.crt -subj /CN=${name}`);
      const by = `-CA ${name}-ca.crt -CAkey ${name}-ca.key -addext subjectAltName=IP:127.0.0.1`;
      openssl(
        `req -x509 ${key} -keyout ${name}.key -out ${name}.crt -subj /CN=peer ${by} -addext basicConstraints=CA:FALSE`,
      );
    }
    const plugin = await start('127.0.0.1:0', `tls=${folder}`);
    const port = plugin.up.split(' ')[1];
    const announce = (name: string, ca: string, own: string, scheme = 'https', more = {}): void => {
      const [CAFile, CertFile, KeyFile] = [ca, `${own}.crt`, `${own}.key`].map((file) => join(folder, file));
      const spec = {
        Name: name,
        Addr: `${scheme}://127.0.0.1:${port}`,
        TLSConfig: { InsecureSkipVerify: false, CAFile, CertFile, KeyFile, ...more },
      };
      writeFileSync(join(world.runRoot, `specs/${name}.json`), JSON.stringify(spec));
    };
    announce('safe', 'own-ca.crt', 'own');
    await create('secured', 'safe', '10.75.0.0/24');
    await world.networks.remove(ctx, 'secured');
    await plugin.until('ReleasePool {"PoolID":"pool-1"}');
    announce('plainly', 'own-ca.crt', 'own', 'tcp');
    await create('secured', 'plainly', '10.75.0.0/24');
    await world.networks.remove(ctx, 'secured');
    await plugin.until('ReleasePool {"PoolID":"pool-2"}');
    announce('stranger', 'other-ca.crt', 'own');
    await assert.rejects(create('bad', 'stranger', '10.75.0.0/24'), /plugin stranger does not answer/);
    announce('unknown', 'own-ca.crt', 'other');
    await assert.rejects(create('bad', 'unknown', '10.75.0.0/24'), /plugin unknown does not answer/);
    announce('nofile', 'own-ca.crt', 'nowhere');
    await assert.rejects(create('bad', 'nofile', '10.75.0.0/24'), /nowhere\.crt cannot be read/);
    writeFileSync(join(world.runRoot, 'specs/bare.spec'), `tcp://127.0.0.1:${port}`);
    await assert.rejects(create('bad', 'bare', '10.75.0.0/24'), /plugin bare does not answer/);
    writeFileSync(join(world.runRoot, 'specs/broken.json'), '{');
    await assert.rejects(create('bad', 'broken', '10.75.0.0/24'), /broken\.json is no JSON/);
    announce('careless', 'other-ca.crt', 'own', 'https', { InsecureSkipVerify: true });
    await create('secured', 'careless', '10.75.0.0/24');
    const heard = await plugin.until('RequestAddress');
    assert.equal(heard.length, 5, 'nobody of those before was listened to');
    await world.networks.remove(ctx, 'secured');
    await end(plugin);
    rmSync(folder, { recursive: true });
  });

  test('a network of a cluster is refused in Docker s words, whoever makes it', async () => {
    const plugin = await start(socketOf('globe'), 'implements=NetworkDriver', 'scope=global');
    const noSwarm =
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
    const refused = (request: object, message: string) =>
      assert.rejects(
        world.networks.create(ctx, { name: 'wide', ...request }),
        (error) => isKind(error, 'forbidden') && error.message === message,
      );
    await refused({ driver: 'globe' }, noSwarm);
    await refused({ driver: 'globe', attachable: true }, noSwarm);
    await refused({ driver: 'overlay' }, noSwarm);
    await refused({ driver: 'overlay', attachable: true }, noSwarm);
    await refused({ driver: 'overlay', scope: 'swarm', options: { encrypted: '' } }, noSwarm);
    await refused({ driver: 'overlay', ingress: true }, noSwarm);
    await refused({ scope: 'swarm' }, 'cannot create a swarm scoped network when swarm is not active');
    await refused({ ingress: true }, 'Ingress network can only be global scope network');
    const asked = (await plugin.until('GetCapabilities')).map((call) => call.split(' ')[0]);
    assert.deepEqual([...new Set(asked)], ['Plugin.Activate', 'NetworkDriver.GetCapabilities']);
    await end(plugin, socketOf('globe'));
  });

  test('a plugin s network may do without addresses; the engine s own drivers may not', async () => {
    const plugin = await start(socketOf('bare'), 'implements=NetworkDriver');
    const bare = { name: 'bare', ipam: { driver: 'null' } };
    await assert.rejects(
      world.networks.create(ctx, bare),
      (error) => isKind(error, 'invalid') && error.message === 'ipv4 pool is empty',
    );
    await world.networks.create(ctx, { ...bare, driver: 'bare' });
    const [call] = (await plugin.until('CreateNetwork')).filter((one) => one.includes('CreateNetwork'));
    assert.match(call ?? '', /"IPv4Data":\[\{[^\]]*"Pool":"0\.0\.0\.0\/0","Gateway":""/);
    const planned = world.plan('box', { NetworkMode: 'bare' });
    const { endpoints } = await world.networks.reserve(planned);
    const { ipv4, ipv6, macAddress } = endpoints['bare'] ?? { ipv4: '?', ipv6: '?', macAddress: '' };
    assert.deepEqual([ipv4, ipv6], ['', '']);
    assert.match(macAddress, /^02:42:/);
    world.networks.release(planned.id);
    // Everything is in its pool, and that keeps no other network from one.
    await world.networks.create(ctx, { name: 'beside' });
    await world.networks.remove(ctx, 'beside');
    await world.networks.remove(ctx, 'bare');
    await end(plugin, socketOf('bare'));
  });

  const weave = async (): Promise<Plugin> => {
    const bridge = join(import.meta.dirname, 'plugin-program.ts');
    return launch([bridge, socketOf('weave'), 'plugbr']);
  };
  const weaveNetwork = () =>
    world.networks.create(ctx, {
      name: 'woven',
      driver: 'weave',
      ipam: { config: [{ subnet: '10.76.0.0/24' }] },
    });
  const farewells = (calls: readonly string[]): readonly string[] =>
    calls.filter((call) => /Leave|DeleteEndpoint/.test(call));

  test('a driver that is away when its endpoints end hears of it when it is back, whichever daemon is there by then', async () => {
    let plugin = await weave();
    await weaveNetwork();
    const [stopped, left, later] = [
      await world.run('stopped', { NetworkMode: 'woven' }),
      await world.run('left', { NetworkMode: 'woven' }),
      await world.run('later', { NetworkMode: 'woven' }),
    ];
    await plugin.until('NetworkDriver.Join');
    await end(plugin, socketOf('weave'));
    await world.stop(stopped);
    await world.networks.disconnect(ctx, 'woven', 'left', false);
    assert.doesNotMatch(inside(left, 'ip', 'link'), /eth0/, 'the interface is gone from it');
    await world.restart();
    // This daemon never knew the plugin.
    await world.stop(later);
    const ended = [stopped, left, later].map(({ record }) => record.endpoints['woven']?.endpointId ?? '');
    plugin = await weave();
    const told = farewells(await plugin.until(`NetworkDriver.DeleteEndpoint ${ended[2]}`));
    assert.deepEqual(
      told,
      ended.flatMap((id) => [`NetworkDriver.Leave ${id}`, `NetworkDriver.DeleteEndpoint ${id}`]),
    );
    await eventually('nothing is owed', async () =>
      (await world.records.list('debt')).length === 0 ? true : undefined,
    );
    await world.stop(world.boxes.get(left.record.id) ?? left);
    await world.networks.remove(ctx, 'woven');
    await end(plugin, socketOf('weave'));
  });

  test('a network goes only when its driver has heard of all endpoints', async () => {
    let plugin = await weave();
    await weaveNetwork();
    const box = await world.run('box', { NetworkMode: 'woven' });
    await end(plugin, socketOf('weave'));
    await world.stop(box);
    await assert.rejects(world.networks.remove(ctx, 'woven'), /plugin weave does not answer/);
    plugin = await weave();
    await world.networks.remove(ctx, 'woven');
    const told = await plugin.until('NetworkDriver.DeleteNetwork');
    assert.deepEqual(
      told.map((call) => call.split(' ')[0]).filter((method) => method?.startsWith('NetworkDriver.')),
      ['NetworkDriver.Leave', 'NetworkDriver.DeleteEndpoint', 'NetworkDriver.DeleteNetwork'],
    );
    await end(plugin, socketOf('weave'));
  });

  test('a network whose driver is away when the daemon comes back is still there, and serves when it is back', async () => {
    const plugin = await weave();
    await weaveNetwork();
    await end(plugin);
    await world.restart();
    assert.equal(world.networks.inspect('woven').network.driver, 'weave');
    assert.match(world.networks.status().join('\n'), /the plugin weave of network woven does not serve/);
    await assert.rejects(world.run('late', { NetworkMode: 'woven' }), /plugin weave does not answer/);
    const other = await world.run('other');
    await assert.rejects(world.networks.connect(ctx, 'woven', 'other', {}), /plugin weave does not answer/);
    await assert.rejects(world.networks.remove(ctx, 'woven'), /plugin weave does not answer/);
    rmSync(socketOf('weave'));
    await weave();
    await world.networks.connect(ctx, 'woven', 'other', {});
    assert.match(inside(other, 'ip', 'addr', 'show', 'eth1'), /10\.76\.0\.2\/24/);
    assert.deepEqual(world.networks.status(), [], 'and that is no longer told');
    await world.stop(world.boxes.get(other.record.id) ?? other);
    await world.networks.remove(ctx, 'woven');
  });
});
