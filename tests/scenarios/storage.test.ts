// timeout: 900
/** S41 to S43: layers are read-only, volumes stay, and the database that crashed. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { mariadbImage, mariadbImageName } from '../helpers/images/mariadb.ts';
import { clients, eventually, startEngine, type Engine } from './engine.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine({ images: [await mariadbImage()] });
});
after(async () => await engine?.close());

for (const client of clients) {
  const ok = async (...args: string[]): Promise<string> => await engine.ok(client, args);
  const run = async (...args: string[]): ReturnType<Engine['run']> => await engine.run(client, args);

  describe(`by ${client}`, () => {
    test('S41 a change goes to the container alone and dies with it', async () => {
      await ok(
        'run',
        '--name',
        's41',
        'busybox',
        'sh',
        '-c',
        'echo changed > /www/index.html; echo new > /new',
      );
      assert.match(await ok('run', '--rm', 'busybox', 'cat', '/www/index.html'), /It works/);
      assert.equal((await run('run', '--rm', 'busybox', 'cat', '/new')).code, 1);
      await ok('start', 's41');
      assert.deepEqual((await ok('diff', 's41')).split('\n').toSorted(), [
        'A /new',
        'C /www',
        'C /www/index.html',
      ]);
      await ok('rm', 's41');
    });

    test('S42 volumes: made on demand, filled from the image, shared, bound, read-only', async () => {
      await ok('run', '--rm', '-v', 'data:/www', 'busybox', 'sh', '-c', 'echo kept > /www/kept');
      assert.equal(await ok('run', '--rm', '-v', 'data:/x', 'busybox', 'cat', '/x/kept'), 'kept');
      assert.match(await ok('run', '--rm', '-v', 'data:/x', 'busybox', 'cat', '/x/index.html'), /It works/);
      assert.match(await ok('volume', 'ls'), /local\s+data/);
      const mountpoint = await ok('volume', 'inspect', '-f', '{{.Mountpoint}}', 'data');
      assert.equal(readFileSync(join(mountpoint, 'kept'), 'utf8'), 'kept\n');
      await ok('run', '-d', '--name', 'user', '-v', 'data:/x', 'busybox', 'sleep', '1000');
      const busy = await run('volume', 'rm', 'data');
      assert.equal(busy.code, 1);
      assert.match(busy.stderr, /volume is in use - \[[0-9a-f]{64}\]/);
      await ok('rm', '-f', 'user');
      await ok('volume', 'rm', 'data');

      const bound = join(engine.folder, `bound-${client}`);
      mkdirSync(bound);
      writeFileSync(join(bound, 'f'), 'host');
      assert.equal(
        await ok('run', '--rm', '-v', `${bound}:/b`, 'busybox', 'sh', '-c', 'cat /b/f; echo inside > /b/g'),
        'host',
      );
      assert.equal(readFileSync(join(bound, 'g'), 'utf8'), 'inside\n');
      const refused = await run('run', '--rm', '-v', `${bound}:/b:ro`, 'busybox', 'touch', '/b/h');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /Read-only file system/);
      const absent = await run(
        'run',
        '--rm',
        '--mount',
        `type=bind,source=${bound}/absent,target=/b`,
        'busybox',
        'true',
      );
      assert.equal(absent.code, 125);
      assert.match(absent.stderr, /bind source path does not exist/);
      assert.match(
        await ok('run', '--rm', '--mount', 'type=tmpfs,target=/t,tmpfs-size=1m', 'busybox', 'df', '-k', '/t'),
        /tmpfs\s+1024/,
      );
      const anonymous = (await ok('volume', 'ls', '-q')).split('\n').filter((name) => name !== '');
      assert.deepEqual(anonymous, []);
      assert.ok(statSync(bound).isDirectory());
    });

    test('S43 a real MariaDB: rows are gone without a volume, stay with a bind and with a volume, also through a daemon crash', async () => {
      const start = async (...mount: string[]): Promise<void> => {
        await ok('run', '-d', '--name', 'db', ...mount, mariadbImageName);
        await eventually(
          'the database answers',
          async () => ((await run('exec', 'db', 'mariadb', '-e', 'SELECT 1')).code === 0 ? true : undefined),
          60_000,
        );
      };
      const fill = async (): Promise<void> => {
        const rows = Array.from({ length: 30 }, (_, n) => `(${n})`).join(',');
        await ok(
          'exec',
          'db',
          'mariadb',
          '-e',
          `CREATE DATABASE school; CREATE TABLE school.pupils (n INT) ENGINE=InnoDB; INSERT INTO school.pupils VALUES ${rows}`,
        );
      };
      const count = async (): Promise<string> => {
        const outcome = await run('exec', 'db', 'mariadb', '-N', '-e', 'SELECT COUNT(*) FROM school.pupils');
        return outcome.code === 0 ? outcome.stdout.trim() : 'gone';
      };
      const crash = async (): Promise<void> => {
        await ok('kill', 'db');
        await ok('rm', '-f', 'db');
      };

      await start();
      await fill();
      assert.equal(await count(), '30');
      await crash();
      await start();
      assert.equal(await count(), 'gone');
      await crash();

      for (const source of [join(engine.folder, `mysql-${client}`), `mysql-${client}`]) {
        await start('-v', `${source}:/var/lib/mysql`);
        await fill();
        await engine.kill();
        await engine.start();
        assert.equal(await count(), '30', 'through a crash of the daemon');
        await crash();
        await start('-v', `${source}:/var/lib/mysql`);
        assert.equal(await count(), '30', source);
        await crash();
      }
      assert.ok(readdirSync(join(engine.folder, `mysql-${client}`)).includes('school'));
      await ok('volume', 'rm', `mysql-${client}`);
    });
  });
}
