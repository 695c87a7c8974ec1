/** Beside the firewalls that people have: iptables with its DOCKER-USER chain, and ufw, each the real program in a namespace. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { eventually } from '../scenarios/engine.ts';
import { isolated } from './isolated.ts';
import { ctx, inside, servePage, World, type Box } from './world.ts';

const run = (command: string): string =>
  execFileSync('sh', ['-c', command], {
    encoding: 'utf8',
    timeout: 60_000,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });

isolated(import.meta.filename, () => {
  let world: World;
  let outside: Pick<Box, 'namespace'>;
  let web: Box;
  const comesThrough = (): Promise<string> =>
    eventually('the published port answers', async () => {
      try {
        return inside(outside, 'curl', '-sS', '-m', '2', 'http://192.0.2.2:8080/');
      } catch {
        return undefined;
      }
    });
  const goesOut = (): Promise<string> =>
    eventually('the outside answers', async () => {
      try {
        return inside(web, 'curl', '-sS', '-m', '2', 'http://192.0.2.1/');
      } catch {
        return undefined;
      }
    });
  const start = async (): Promise<void> => {
    await world.restart();
    web = await world.run('web', { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } });
    world.keep(await servePage(web, 'web '));
  };
  /** All that the engine made goes; the other firewall stays as it is. */
  const clean = async (): Promise<void> => {
    await world.stop(web);
    await world.networks.removeAll(ctx);
    assert.doesNotMatch(run('nft list ruleset'), /sliptest/);
  };

  before(async () => {
    world = new World();
    outside = await world.addOutside();
    world.keep(await servePage(outside, 'outside '));
    // ufw writes below /etc: this namespace gets copies.
    run(
      `mkdir -p ${world.runRoot}/ufw ${world.runRoot}/default && cp -a /etc/ufw/. ${world.runRoot}/ufw && cp -a /etc/default/. ${world.runRoot}/default && mount --bind ${world.runRoot}/ufw /etc/ufw && mount --bind ${world.runRoot}/default /etc/default`,
    );
  });
  after(async () => {
    run('umount /etc/ufw /etc/default');
    await world.end();
  });

  test('iptables: a policy that drops and the chains of another engine, also after somebody reloads them', async () => {
    run('iptables-nft -P FORWARD DROP; iptables-nft -N DOCKER-USER; iptables-nft -A DOCKER-USER -j RETURN');
    run('iptables-nft -I FORWARD -j DOCKER-USER');
    await start();
    assert.match(await comesThrough(), /^web/);
    assert.match(await goesOut(), /^outside/);
    assert.match(run('iptables-nft -L FORWARD -v -n'), /ACCEPT .* sliptest0 +\* .*sliptest: in sliptest0/);
    assert.match(world.networks.status().join(), /ip filter FORWARD drops forwarded packets/);
    // Reloaded by someone else's script.
    run('iptables-nft -F FORWARD; iptables-nft -A FORWARD -j DOCKER-USER');
    assert.match(await comesThrough(), /^web/);
    await clean();
    assert.match(run('iptables-nft -S FORWARD'), /^-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n$/);
    run('iptables-nft -F; iptables-nft -X; iptables-nft -P FORWARD ACCEPT; nft delete table ip filter');
  });

  test('ufw: enabled, reloaded, disabled', async () => {
    run('ufw --force enable');
    await start();
    assert.match(await comesThrough(), /^web/);
    assert.match(await goesOut(), /^outside/);
    assert.match(world.networks.status().join(), /ip filter FORWARD drops/);
    run('ufw reload');
    assert.match(await comesThrough(), /^web/);
    assert.match(await goesOut(), /^outside/);
    run('ufw disable');
    assert.match(await comesThrough(), /^web/);
    run('ufw --force enable');
    assert.match(await comesThrough(), /^web/);
    await clean();
    run('ufw disable');
  });
});
