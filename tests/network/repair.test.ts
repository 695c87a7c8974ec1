/** What someone takes away from under a running engine comes back without a restart. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
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
  let box: Box;
  const answers = (): Promise<string> =>
    eventually('the published port answers', async () => {
      try {
        return inside(outside, 'curl', '-sS', '-m', '1', 'http://192.0.2.2:8080/');
      } catch {
        return undefined;
      }
    });

  before(async () => {
    world = new World();
    outside = await world.addOutside();
    await world.start();
    await world.networks.create(ctx, { name: 'app' });
    box = await world.run('web', {
      NetworkMode: 'app',
      PortBindings: { '80/tcp': [{ HostPort: '8080' }] },
    });
    world.keep(await servePage(box, 'web '));
    world.keep(await servePage(outside, 'outside '));
  });
  after(() => world.end());

  test('a flushed ruleset', async () => {
    assert.match(await answers(), /^web/);
    run('nft flush ruleset');
    await eventually('the table is back', async () => {
      try {
        return run('nft list map inet sliptest ports').includes('8080') ? true : undefined;
      } catch {
        return undefined;
      }
    });
    assert.match(await answers(), /^web/);
  });

  test('a rule, a chain, and the table', async () => {
    for (const command of [
      'nft flush chain inet sliptest forward',
      'nft flush table inet sliptest',
      'nft delete table inet sliptest',
    ]) {
      run(command);
      await eventually(`rules are back after: ${command}`, async () => {
        try {
          return run('nft list chain inet sliptest forward').includes('unpublished ports') ? true : undefined;
        } catch {
          return undefined;
        }
      });
      assert.match(await answers(), /^web/, command);
    }
  });

  test('elements of our sets: taken away, or added by someone else', async () => {
    const listed = (what: string, words: string, wanted: boolean): Promise<true> =>
      eventually(`${what} is ${wanted ? 'back' : 'gone'}`, async () =>
        run(`nft list ${what}`).includes(words) === wanted ? true : undefined,
      );
    run('nft flush map inet sliptest ports');
    await listed('map inet sliptest ports', '8080', true);
    assert.match(await answers(), /^web/);
    const { network } = world.networks.inspect('app');
    run(`nft 'delete element inet sliptest bridges { "${network.bridgeName}" }'`);
    await listed('set inet sliptest bridges', `${network.bridgeName}`, true);
    run(`nft 'add element inet sliptest unprotected { "${network.bridgeName}" }'`);
    await listed('set inet sliptest unprotected', `${network.bridgeName}`, false);
    assert.match(await answers(), /^web/);
  });

  test('our own changes of sets wake nobody, and neither does what others do in theirs', async () => {
    const heard: string[] = [];
    const end = world.host.watchNetwork((changes) => heard.push(...changes.map((change) => change.kind)));
    const ports = { '80/tcp': [{ HostPort: '8090' }] };
    const box = await world.run('quiet', { NetworkMode: 'app', PortBindings: ports });
    await world.stop(box);
    assert.deepEqual(
      heard.filter((kind) => kind === 'elements' || kind === 'rules'),
      [],
    );
    run('nft "add table inet other; add set inet other s { type mark; }; add element inet other s { 5 }"');
    await eventually('the other table is heard of', async () => (heard.includes('rules') ? true : undefined));
    end();
    run('nft delete table inet other');
  });

  test('a firewall that loads itself anew, with a chain that drops: let through once more', async () => {
    const load =
      'nft "add table inet wall; delete table inet wall; add table inet wall; add chain inet wall gate { type filter hook forward priority 10; policy drop; }"';
    for (let round = 0; round < 2; round++) {
      run(load);
      await eventually('accept rules stand in the chain', async () =>
        run('nft list chain inet wall gate').includes('accept comment "sliptest: in') ? true : undefined,
      );
      assert.match(await answers(), /^web/);
    }
    assert.match(world.networks.status().join('\n'), /inet wall gate drops forwarded packets/);
    run('nft delete table inet wall');
    await eventually('it is no longer told', async () =>
      world.networks.status().length === 0 ? true : undefined,
    );
  });

  test('a bridge, with its endpoints; and the interface of a running container', async () => {
    const { network } = world.networks.inspect('app');
    run(`ip link delete ${network.bridgeName}`);
    assert.match(await answers(), /^web/);
    run(`ip link delete ${box.record.endpoints['app']?.hostInterfaceName}`);
    assert.match(await answers(), /^web/);
    assert.match(inside(box, 'curl', '-sS', '-m', '5', 'http://192.0.2.1/'), /^outside/, 'its way out too');
  });

  test('a container that is taken off is not joined again', async () => {
    const other = await world.run('other', { NetworkMode: 'app' });
    const name = other.record.endpoints['app']?.hostInterfaceName ?? '';
    await world.networks.disconnect(ctx, 'app', 'other', false);
    run('nft delete table inet sliptest');
    assert.match(await answers(), /^web/);
    assert.doesNotMatch(run('ip link'), new RegExp(name));
    await world.stop(world.boxes.get(other.record.id) ?? other);
  });
});
