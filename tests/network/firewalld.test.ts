/** Beside firewalld with a default zone that drops: what goes in and out, a reload, and what a clean leaves. */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startFirewalld, unpackFirewalld } from '../peers/firewalld.ts';
import { eventually } from '../scenarios/engine.ts';
import { isolated } from './isolated.ts';
import { ctx, inside, instance, servePage, World, type Box } from './world.ts';

type Place = Pick<Box, 'namespace'>;
const run = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8' });
const here: Place = { namespace: { fd: -1, path: '/proc/self/ns/net' } };
const firewalldRules = (): string =>
  run("nft list table inet firewalld | sed 's/counter packets [0-9]* bytes [0-9]*//'");

/** Asked all at once: each is waited for. */
function refused(from: Place, urls: readonly string[], why: string): void {
  const curl = ['curl', '-gs', '-Z', '-m', '1', ...urls];
  const { stdout } = spawnSync('nsenter', [`--net=${from.namespace.path}`, ...curl], { encoding: 'utf8' });
  assert.equal(stdout, '', why);
}
const answers = (from: Place, url: string, text: RegExp): Promise<string> =>
  eventually(
    `${url} answers`,
    () => {
      try {
        const page = inside(from, 'curl', '-gsS', '-m', '2', url);
        return Promise.resolve(text.test(page) ? page : undefined);
      } catch {
        return Promise.resolve(undefined);
      }
    },
    60_000,
  );

/** Whether firewalld keeps its table to itself (its default from 2.3 on), and what is told of our bridges then. */
const ways = [
  { owner: 'yes', told: /firewalld drops forwarded packets: the engine's bridges are in its zone trusted/ },
  { owner: 'no', told: /inet firewalld filter_FORWARD drops forwarded packets: accept rules/ },
];

await unpackFirewalld();
isolated(import.meta.filename, () => {
  for (const { owner, told } of ways)
    test(`a zone that drops, NftablesTableOwner=${owner}`, async () => {
      const world = new World();
      const outside = await world.addOutside();
      const folder = join(world.runRoot, 'firewalld');
      mkdirSync(folder);
      const firewalld = await startFirewalld(folder, { DefaultZone: 'drop', NftablesTableOwner: owner });
      process.env['DBUS_SYSTEM_BUS_ADDRESS'] = firewalld.bus;
      try {
        inside(outside, 'ip', 'route', 'add', '172.16.0.0/12', 'via', '192.0.2.2');
        world.keep(await servePage(outside, 'outside '));
        world.keep(await servePage(here, 'host ', 9099));
        const rules = firewalldRules();
        await world.start();
        await world.networks.create(ctx, { name: 'app' });
        const web = await world.run('web', {
          NetworkMode: 'app',
          PortBindings: { '80/tcp': [{ HostPort: '8080' }, { HostIp: '127.0.0.1', HostPort: '8081' }] },
        });
        world.keep(await servePage(web, 'web '));
        world.keep(await servePage(web, 'hidden ', 90));
        const address = web.record.endpoints['app']?.ipv4 ?? '';
        const everything = async (): Promise<void> => {
          await answers(outside, 'http://192.0.2.2:8080/', /^web /);
          await answers(here, 'http://127.0.0.1:8081/', /^web /);
          await answers(web, 'http://192.0.2.1/', /^outside /);
          const closed = ['192.0.2.2:8081', `${address}:90`, `${address}:80`, '192.0.2.2:9099'];
          const why =
            'on 127.0.0.1 alone; by a route, unpublished and past its publishing; a service of the host';
          refused(
            outside,
            closed.map((one) => `http://${one}/`),
            why,
          );
        };
        await everything();
        assert.match(world.networks.status().join(), told);
        firewalld.command('--reload');
        await everything();
        await world.stop(web);
        await world.networks.remove(ctx, 'app');
        await world.networks.removeAll(ctx);
        assert.doesNotMatch(run('nft list ruleset'), /sliptest/);
        // Its zone's own chains, once made, stay; nothing leads there any more.
        if (owner === 'yes') assert.doesNotMatch(firewalldRules(), /sliptest|br-[0-9a-f]{12}/);
        else assert.equal(firewalldRules(), rules);
        assert.equal(firewalld.command('--zone=trusted', '--list-interfaces').trim(), '');
      } finally {
        await firewalld.stop();
        await world.end();
        run('nft flush ruleset; ip link del uplink 2>/dev/null || true');
      }
    });

  test('a zone of the engine s name: containers get out and are reached, and see of the host what the zone allows', async () => {
    const world = new World();
    const outside = await world.addOutside();
    const folder = join(world.runRoot, 'firewalld');
    mkdirSync(folder);
    const firewalld = await startFirewalld(folder, { DefaultZone: 'drop', NftablesTableOwner: 'yes' });
    process.env['DBUS_SYSTEM_BUS_ADDRESS'] = firewalld.bus;
    const permanent = (...args: readonly string[]): string => firewalld.command('--permanent', ...args);
    try {
      // As docs/networking.md says it.
      permanent(`--new-zone=${instance}`);
      permanent(`--zone=${instance}`, '--add-port=9098/tcp');
      permanent('--new-policy=containers-out');
      permanent('--policy=containers-out', `--add-ingress-zone=${instance}`);
      permanent('--policy=containers-out', '--add-egress-zone=ANY');
      permanent('--policy=containers-out', '--set-target=ACCEPT');
      firewalld.command('--reload');
      world.keep(await servePage(outside, 'outside '));
      world.keep(await servePage(here, 'allowed ', 9098));
      world.keep(await servePage(here, 'host ', 9099));
      await world.start();
      const web = await world.run('web', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } });
      world.keep(await servePage(web, 'web '));
      assert.match(world.networks.status().join(), /the engine's bridges are in its zone sliptest$/);
      const gateway = web.record.endpoints['bridge']?.ipv4Gateway ?? '';
      await answers(outside, 'http://192.0.2.2:8080/', /^web /);
      await answers(web, 'http://192.0.2.1/', /^outside /);
      await answers(web, `http://${gateway}:9098/`, /^allowed /);
      refused(
        web,
        [`http://${gateway}:9099/`, 'http://192.0.2.2:9099/'],
        'services that the zone does not name',
      );
      await world.stop(web);
      await world.networks.removeAll(ctx);
      assert.equal(firewalld.command(`--zone=${instance}`, '--list-interfaces').trim(), '');
    } finally {
      await firewalld.stop();
      await world.end();
      run('nft flush ruleset; ip link del uplink 2>/dev/null || true');
    }
  });
});
