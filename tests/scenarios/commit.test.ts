/** S22: install something in a container, look at what changed, make an image of it and run that; by both clients. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { clients, eventually, startEngine, type Engine } from './engine.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine.close());

interface ImageConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Cmd?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly OnBuild?: readonly string[] | null;
  readonly ExposedPorts?: object;
  readonly Volumes?: object | null;
  readonly Healthcheck?: object;
}

/** In seconds: a bare `0s` would be cut down to the whole second. */
const now = (): string => String(Date.now() / 1000);

for (const client of clients) {
  const ok = async (...args: string[]): Promise<string> => await engine.ok(client, args);

  describe(`by ${client}`, () => {
    test('S22 what a container changed becomes an image that runs', async () => {
      const install =
        'echo "echo tool works" >/bin/tool; chmod +x /bin/tool; rm /etc/group; mkdir -p /data/sub';
      await ok('run', '--name', 's22', 'busybox', 'sh', '-c', install);
      const changes = (await ok('diff', 's22')).split('\n');
      assert.deepEqual(
        ['A /bin/tool', 'D /etc/group', 'A /data', 'A /data/sub'].filter((line) => !changes.includes(line)),
        [],
        changes.join(' '),
      );
      const since = now();
      const id = await ok('commit', '-m', 'Added tool', '-a', 'Name', 's22', 'user/app:v1');
      assert.match(id, /^sha256:[0-9a-f]{64}$/);
      assert.equal(
        await ok('image', 'inspect', '-f', '{{.Id}} {{.Comment}} {{.Author}}', 'user/app:v1'),
        `${id} Added tool Name`,
      );
      const history = await ok(
        'history',
        '--no-trunc',
        '--format',
        '{{.CreatedBy}}|{{.Comment}}',
        'user/app:v1',
      );
      assert.equal(history.split('\n')[0], `sh -c ${install}|Added tool`);
      await ok('tag', 'user/app:v1', 'user/app:latest');
      const shown = await ok('run', '--rm', 'user/app', 'sh', '-c', 'tool; ls /etc/group /data 2>&1; true');
      assert.match(shown, /^tool works\nls: \/etc\/group: No such file.*\n\/data:\nsub$/);
      const events = await ok('events', '--since', since, '--until', now(), '--format', '{{json .}}');
      const commit = events
        .split('\n')
        .map((line) => JSON.parse(line) as { Action: string; Actor: { Attributes: Record<string, string> } })
        .find((event) => event.Action === 'commit');
      assert.deepEqual(commit?.Actor.Attributes, {
        comment: 'Added tool',
        image: 'busybox',
        imageID: id,
        imageRef: 'user/app:v1',
        name: 's22',
      });
      await ok('rm', 's22');
      await ok('rmi', 'user/app:v1', 'user/app:latest');
    });

    test('what the engine mounts into every container is not in the image', async () => {
      await ok('run', '--name', 's22b', 'busybox', 'true');
      const id = await ok('commit', 's22b');
      const layers = await ok('image', 'inspect', '-f', '{{len .RootFS.Layers}}', id);
      assert.equal(layers, await ok('image', 'inspect', '-f', '{{len .RootFS.Layers}}', 'busybox'));
      await ok('start', '-a', 's22b');
      await ok('rm', 's22b');
      await ok('run', '--name', 's22b', 'busybox', 'touch', '/etc/new');
      const touched = await ok('commit', 's22b', 'touched');
      await ok('rm', 's22b');
      assert.notEqual(touched, id);
      await ok('create', '--name', 's22c', 'touched', 'true');
      const file = join(engine.folder, 's22c.tar');
      await ok('export', '-o', file, 's22c');
      const { stdout } = await promisify(execFile)('tar', ['tf', file]);
      const names = stdout.split('\n').map((name) => name.replace(/^\.\//, ''));
      assert.ok(names.includes('etc/new'), stdout);
      assert.ok(!names.includes('etc/resolv.conf') && !names.includes('etc/hosts'), stdout);
      await ok('rm', 's22c');
      await ok('rmi', 'touched', id);
    });

    test('--change sets what the image says', async () => {
      await ok('run', '-d', '--name', 's22d', '-e', 'P=/p', 'busybox', 'sleep', '1000');
      const changes = [
        'ENV A=1 B=$P',
        'LABEL a="b c"',
        'EXPOSE 80 90-91/udp',
        'VOLUME /v',
        'WORKDIR /w',
        'USER 3:4',
        'STOPSIGNAL SIGINT',
        'ONBUILD RUN x',
        'HEALTHCHECK --interval=3s --retries=2 CMD true',
        'CMD ["sh", "-c", "echo $A $B; pwd; id -u"]',
      ];
      const options = changes.flatMap((change) => ['-c', change]);
      const id = await ok('commit', ...options, 's22d', 'changed');
      const config = JSON.parse(await ok('image', 'inspect', '-f', '{{json .Config}}', id)) as ImageConfig;
      assert.deepEqual(config.Cmd, ['sh', '-c', 'echo $A $B; pwd; id -u']);
      assert.ok(config.Env?.includes('B=/p') && config.Env.includes('A=1'), String(config.Env));
      assert.deepEqual(config.ExposedPorts, { '80/tcp': {}, '90/udp': {}, '91/udp': {} });
      assert.deepEqual(config.Volumes, { '/v': {} });
      assert.deepEqual(config.Healthcheck, {
        Test: ['CMD-SHELL', 'true'],
        Interval: 3_000_000_000,
        Retries: 2,
      });
      assert.deepEqual(
        [config.User, config.StopSignal, config.OnBuild, config.Labels?.['a'], config.WorkingDir],
        ['3:4', 'SIGINT', ['RUN x'], 'b c', '/w'],
      );
      assert.equal(await ok('run', '--rm', '--no-healthcheck', 'changed'), '1 /p\n/w\n3');
      const wrong = await engine.run(client, ['commit', '-c', 'RUN x', 's22d']);
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, /RUN is not a valid change command/);
      await ok('rmi', 'changed');
      await ok('rm', '-f', 's22d');
    });

    test('a running container is paused meanwhile, unless asked not to', async () => {
      await ok('run', '-d', '--name', 's22e', 'busybox', 'sleep', '1000');
      const actions = async (since: string): Promise<string[]> => {
        const filters = ['--filter', 'container=s22e', '--format', '{{.Action}}'];
        const text = await ok('events', '--since', since, '--until', now(), ...filters);
        return text === '' ? [] : text.split('\n');
      };
      const before = now();
      const first = await ok('commit', 's22e');
      assert.deepEqual(await actions(before), ['pause', 'commit', 'unpause']);
      assert.equal(await ok('inspect', '-f', '{{.State.Status}}', 's22e'), 'running');
      const between = now();
      const second = await ok('commit', '--pause=false', 's22e');
      assert.deepEqual(await actions(between), ['commit']);
      await ok('pause', 's22e');
      const third = await ok('commit', 's22e');
      assert.equal(await ok('inspect', '-f', '{{.State.Status}}', 's22e'), 'paused');
      await ok('rm', '-f', 's22e');
      await ok('rmi', first, second, third);
    });
  });
}

test('mount points count as changes, whether the runtime made them or they lay below', async () => {
  const ok = async (...args: string[]): Promise<string> => await engine.ok('docker', args);
  const mounts = ['-v', 'places:/data/sub', '--tmpfs', '/scratch'];
  const points = join(engine.folder, 'data/overlay2/points');
  for (const name of ['first', 'second']) await ok('run', '--name', name, ...mounts, 'busybox', 'true');
  await eventually('a layer of mount points', async () =>
    readdirSync(points).find((name) => existsSync(join(points, name, 'data/sub'))),
  );
  await ok('create', '--name', 'third', ...mounts, 'busybox', 'sh', '-c', 'sleep 1000');
  const upper = await ok('inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', 'third');
  assert.equal(await ok('diff', 'third'), '', 'it has not run yet');
  await ok('start', 'third');
  assert.deepEqual(readdirSync(upper), [], 'the runtime made nothing');
  const first = await ok('diff', 'first');
  assert.deepEqual(first.split('\n').sort(), ['A /data', 'A /data/sub', 'A /scratch']);
  assert.equal(await ok('diff', 'third'), first);
  const image = await ok('commit', 'third');
  assert.equal(await ok('run', '--rm', image, 'ls', '-d', '/data/sub', '/scratch'), '/data/sub\n/scratch');
  await ok('rm', '-f', 'first', 'second', 'third');
  await ok('rmi', image);
  await ok('volume', 'rm', 'places');
});
