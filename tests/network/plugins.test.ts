/** A network driver that is another program, from the socket that announces it to the packets that pass. */

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually } from '../scenarios/engine.ts';
import { isolated } from './isolated.ts';
import { ctx, inside, servePage, World } from './world.ts';

const run = (command: string): string =>
  execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 15_000 });
const program = join(import.meta.dirname, 'plugin-program.ts');

isolated(import.meta.filename, () => {
  let world: World;
  let plugin: ChildProcess;
  const calls: string[] = [];
  const ipam = { config: [{ subnet: '10.90.0.0/24' }] };

  const startPlugin = async (socket: string): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [program, socket, 'plugbr'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.on('data', (chunk: Buffer) => calls.push(...chunk.toString().trim().split('\n')));
    await once(child.stdout, 'data');
    return world.keep(child);
  };

  before(async () => {
    world = new World();
    await world.addOutside();
    await world.start();
    mkdirSync(join(world.runRoot, 'plugins'));
    mkdirSync(join(world.runRoot, 'specs'));
    plugin = await startPlugin(join(world.runRoot, 'plugins/weave.sock'));
  });
  after(() => world.end());

  test('what is not announced, or not what it should be, is told', async () => {
    for (const driver of ['nowhere', '../weave', 'a/b', 'x'.repeat(300)])
      await assert.rejects(
        world.networks.create(ctx, { name: 'bad', driver, ipam }),
        /plugin ".*" not found/,
      );
    writeFileSync(join(world.runRoot, 'specs/dead.spec'), 'unix:///nonexistent/dead.sock');
    await assert.rejects(
      world.networks.create(ctx, { name: 'bad', driver: 'dead', ipam }),
      /plugin dead does not answer Plugin\.Activate/,
    );
    writeFileSync(join(world.runRoot, 'specs/odd.json'), '{"Name":"odd","Addr":"ftp://x"}');
    await assert.rejects(
      world.networks.create(ctx, { name: 'bad', driver: 'odd', ipam }),
      /is no address of a plugin/,
    );
    await assert.rejects(
      world.networks.create(ctx, { name: 'bad', driver: 'weave', ipam, options: { fail: 'no more room' } }),
      /NetworkDriver\.CreateNetwork: no more room/,
    );
    assert.deepEqual(world.networks.list({ name: ['bad'] }), []);
  });

  test('its containers have their interface, address, routes and names, live and from the start', async () => {
    await world.networks.create(ctx, { name: 'woven', driver: 'weave', ipam });
    const web = await world.run('web', { NetworkMode: 'woven' });
    const other = await world.run('other');
    await world.networks.connect(ctx, 'woven', 'other', {});
    world.keep(await servePage(web, 'web '));
    assert.match(inside(web, 'ip', 'addr', 'show', 'eth0'), /10\.90\.0\.2\/24/);
    assert.match(inside(web, 'ip', 'route'), /default via 10\.90\.0\.1[\s\S]*198\.51\.100\.0\/24 dev eth0/);
    assert.match(inside(other, 'curl', '-sS', '-m', '5', 'http://10.90.0.2/'), /^web/);
    const resolve = "require('dns').resolve4('web', (e, a) => console.log(e ?? a[0]))";
    const ask = `require('dns').setServers(['127.0.0.11']); ${resolve}`;
    assert.equal(inside(other, process.execPath, '-e', ask).trim(), '10.90.0.2');
    await world.networks.disconnect(ctx, 'woven', 'other', false);
    assert.doesNotMatch(inside(other, 'ip', 'link'), /eth1/);
    const asked = (): number => calls.filter((call) => call === 'NetworkDriver.CreateNetwork').length;
    const before = asked();
    await world.restart();
    assert.equal(asked(), before, 'not asked again');
    await assert.rejects(world.networks.remove(ctx, 'woven'), /has active endpoints/);
    await world.stop(world.boxes.get(other.record.id) ?? other);
    await world.stop(web);
    const left = calls.filter((call) => call.startsWith('NetworkDriver.Leave ')).length;
    const deleted = calls.filter((call) => call.startsWith('NetworkDriver.DeleteEndpoint ')).length;
    assert.deepEqual([left, deleted], [2, 2], 'also of the container that ended by itself');
    await world.networks.remove(ctx, 'woven');
    await eventually('nothing of the plugin is left', async () =>
      /plugbr|ph[0-9a-f]{8}/.test(run('ip link')) ? undefined : true,
    );
  });

  test('a plugin that is gone fails the start that needs it, and nothing is left of that', async () => {
    await world.networks.create(ctx, { name: 'woven', driver: 'weave', ipam });
    plugin.kill('SIGKILL');
    await once(plugin, 'exit');
    await assert.rejects(world.run('late', { NetworkMode: 'woven' }), /plugin weave does not answer/);
    assert.equal(world.networks.inspect('woven').subnets[0]?.inUse, 3n);
    run(`rm -f ${world.runRoot}/plugins/weave.sock`);
    plugin = await startPlugin(join(world.runRoot, 'plugins/weave.sock'));
    await world.networks.remove(ctx, 'woven');
  });
});
