/** `/.dockerenv` and `/etc/mtab`, by which programs learn where they are: in every container, in nobody's changes, with each storage driver. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, runProgram, startEngine, type Engine } from '../scenarios/engine.ts';

for (const driver of ['overlay2', 'vfs']) {
  describe(`files that every container has (${driver})`, () => {
    let engine: Engine;
    before(async () => {
      engine = await startEngine({ args: [`--storage-driver=${driver}`] });
    });
    after(() => engine.close());
    const docker = (...args: string[]): Promise<string> => engine.ok('docker', args);
    const look = 'stat -c "%n %s %a %u:%g %F" /.dockerenv; readlink /etc/mtab; grep -c " / " /etc/mtab';
    const expected = '/.dockerenv 0 755 0:0 regular empty file\n/proc/mounts\n1';

    it('the first container of an image has them, and later ones', async () => {
      const run = (name: string) => docker('run', '--name', name, 'busybox', 'sh', '-c', look);
      assert.equal(await run('first'), expected);
      // The layer of mount points is there meanwhile, or is not: it makes no difference.
      for (const name of ['second', 'third']) assert.equal(await run(name), expected);
      await eventually('a container that has changed nothing', async () =>
        (await docker('diff', 'first')) === '' ? true : undefined,
      );
      for (const name of ['first', 'third']) {
        assert.equal(await docker('diff', name), '');
        assert.equal(await docker('inspect', '-s', '-f', '{{.SizeRootFs}}', name), await imageSize());
        const names = (await tar(name)).split('\n');
        assert.ok(names.includes('.dockerenv') && names.includes('etc/mtab'), name);
      }
    });

    const imageSize = (): Promise<string> => docker('image', 'inspect', '-f', '{{.Size}}', 'busybox');
    const tar = async (name: string): Promise<string> => {
      await docker('export', '-o', `${engine.folder}/${name}.tar`, name);
      return (await runProgram('tar', ['-tf', `${engine.folder}/${name}.tar`])).stdout;
    };

    it('a commit leaves them out, and what someone removed or has instead stays as it is', async () => {
      await docker('commit', 'first', 'same');
      const layers = (image: string) => docker('image', 'inspect', '-f', '{{json .RootFS.Layers}}', image);
      assert.equal(await layers('same'), await layers('busybox'));
      await docker('run', '-d', '--name', 'own', 'busybox', 'sh', '-c', 'rm /.dockerenv; sleep 100000');
      const own = 'rm /etc/mtab; echo mine > /etc/mtab';
      await docker('exec', 'own', 'sh', '-c', own);
      assert.match(await docker('diff', 'own'), /^C \/etc\/mtab$/m);
      await docker('restart', '-t', '0', 'own');
      assert.equal(
        await docker('exec', 'own', 'sh', '-c', 'ls /.dockerenv 2>&1; cat /etc/mtab'),
        ['ls: /.dockerenv: No such file or directory', 'mine'].join('\n'),
      );
      await docker('commit', 'own', 'changed');
      assert.equal(await docker('run', '--rm', 'changed', 'cat', '/etc/mtab'), 'mine');
    });
  });
}
