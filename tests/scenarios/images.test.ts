// timeout: 600
/** S20, S23 and S24: tag, list, history and remove; save, load, export and import, also between this engine and dockerd; disk use. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { tarOf } from '../images/engine.ts';
import { multiPlatform } from '../images/layouts.ts';
import { startDockerd } from '../peers/dockerd.ts';
import { busyboxArchive, clients, runProgram, startEngine, type Engine } from './engine.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => await engine?.close());

interface Usage {
  readonly Type: string;
  readonly TotalCount: string;
  readonly Size: string;
}

for (const client of clients) {
  const ok = async (...args: string[]): Promise<string> => await engine.ok(client, args);
  const run = async (...args: string[]): ReturnType<Engine['run']> => await engine.run(client, args);
  const id = async (name: string): Promise<string> => await ok('image', 'inspect', '-f', '{{.Id}}', name);

  describe(`by ${client}`, () => {
    test('S20 names come and go; an image in use stays', async () => {
      const busybox = await id('busybox');
      await ok('tag', 'busybox', 's20/app:v1');
      await ok('tag', 's20/app:v1', 's20/app:v2');
      const listed = await ok('images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}', 's20/*');
      assert.deepEqual(listed.split('\n').toSorted(), [
        `s20/app:v1 ${busybox.slice(7, 19)}`,
        `s20/app:v2 ${busybox.slice(7, 19)}`,
      ]);
      assert.equal(await ok('rmi', 's20/app:v1'), 'Untagged: s20/app:v1');
      const several = await run('rmi', busybox.slice(7, 19));
      assert.equal(several.code, 1);
      assert.match(several.stderr, /\(must be forced\) - image is referenced in multiple repositories/);
      await ok('rmi', 's20/app:v2');

      const made = await engine.ok(
        client,
        ['import', '-c', 'CMD ["/bin/x"]', '-m', 'made', '-', 's20/made'],
        tiny,
      );
      await ok('create', '--name', 's20', 's20/made');
      const used = await run('rmi', 's20/made');
      assert.equal(used.code, 1);
      assert.match(
        used.stderr,
        /conflict: unable to remove repository reference "s20\/made" \(must force\) - container [0-9a-f]{12} is using its referenced image/,
      );
      // A newer image of that name: the old one is dangling, and stays for its container.
      await engine.ok(client, ['import', '-m', 'newer', '-', 's20/made'], tiny);
      assert.equal(await ok('images', '-q', '--no-trunc', '-f', 'dangling=true'), made);
      assert.match(await ok('image', 'prune', '-f'), /Total reclaimed space: 0B/);
      await ok('rm', 's20');
      assert.match(await ok('image', 'prune', '-f'), new RegExp(`deleted: ${made}`));
      await ok('create', '--name', 's20', 's20/made', '/x');
      assert.match(await ok('rmi', '-f', 's20/made'), /^Untagged: s20\/made:latest\nDeleted: sha256:/);
      await ok('rm', 's20');
      assert.equal((await run('image', 'inspect', made)).code, 1);
      const history = await ok('history', '--format', '{{.Size}} {{.CreatedBy}}', '--human=false', 'busybox');
      const sizes = history.split('\n').map((line) => Number(line.split(' ')[0]));
      const size = Number(await ok('image', 'inspect', '-f', '{{.Size}}', 'busybox'));
      assert.equal(
        sizes.reduce((sum, each) => sum + each, 0),
        size,
      );
    });

    test('S23 saved, removed and loaded again it is the same image; exported and imported the same files', async () => {
      const file = join(engine.folder, `saved-${client}.tar`);
      await ok('tag', 'busybox', 's23/a');
      await ok('tag', 'busybox', 's23/b:v1');
      const before = await id('s23/a');
      await ok('save', '-o', file, 's23/a', 's23/b:v1');
      await ok('rmi', 's23/a', 's23/b:v1');
      const said = await ok('load', '-i', file);
      assert.deepEqual(said.split('\n').toSorted(), ['Loaded image: s23/a:latest', 'Loaded image: s23/b:v1']);
      assert.equal(await id('s23/b:v1'), before);
      await ok('run', '--name', 's23', 's23/a', 'sh', '-c', 'echo kept > /kept');
      const exported = join(engine.folder, `exported-${client}.tar`);
      await ok('export', '-o', exported, 's23');
      await ok('rm', 's23');
      await ok('import', '-c', 'ENV COLOUR=green', '-c', 'CMD cat /kept', exported, 's23/flat');
      assert.equal(await ok('run', '--rm', 's23/flat'), 'kept');
      assert.equal(await ok('run', '--rm', 's23/flat', 'sh', '-c', 'echo $COLOUR'), 'green');
      await ok('rmi', 's23/a', 's23/b:v1', 's23/flat');
    });

    test('S24 disk use counts a shared layer once', async () => {
      const usage = async (): Promise<Usage> => {
        const lines = (await ok('system', 'df', '--format', '{{json .}}')).split('\n');
        return lines.map((line) => JSON.parse(line) as Usage).find(({ Type }) => Type === 'Images') as Usage;
      };
      const alone = await usage();
      await ok('run', '--name', 's24', 'busybox', 'sh', '-c', 'echo small > /small');
      const child = await ok('commit', 's24', 's24/child');
      await ok('rm', 's24');
      const both = await usage();
      assert.equal(Number(both.TotalCount), Number(alone.TotalCount) + 1);
      assert.equal(both.Size, alone.Size, 'six bytes more do not show');
      const verbose = await ok('system', 'df', '-v');
      const row = verbose.split('\n').find((line) => line.startsWith('s24/child')) ?? '';
      assert.match(row, new RegExp(`${child.slice(7, 19)} .* 6B +0$`));
      await ok('system', 'prune', '-af');
      assert.equal((await run('image', 'inspect', 's24/child')).code, 1);
      assert.equal((await run('image', 'inspect', 'busybox')).code, 1);
      await ok('load', '-i', await busyboxArchive());
    });
  });
}

const tiny = tarOf([{ name: 'x', text: 'x', mode: 0o755 }]);

test('S23 what dockerd saves this engine loads, and the other way round; skopeo reads both forms', async () => {
  const folder = mkdtempSync('/tmp/slip-peer-');
  const peer = await startDockerd({ folder: join(folder, 'docker'), name: `slip-s23-${process.pid}` });
  const docker = async (...args: string[]): Promise<string> => {
    const done = await runProgram('docker', ['-H', `unix://${peer.socket}`, ...args]);
    assert.equal(done.code, 0, done.stderr);
    return done.stdout.trim();
  };
  try {
    const ours = join(folder, 'ours.tar');
    await engine.ok('slipway', ['run', '--name', 'layered', 'busybox', 'sh', '-c', 'echo two > /two']);
    await engine.ok('slipway', ['commit', 'layered', 'two/layers:v1']);
    await engine.ok('slipway', ['rm', 'layered']);
    await engine.ok('slipway', ['save', '-o', ours, 'two/layers:v1', 'busybox']);
    await docker('load', '-i', ours);
    const id = await engine.ok('slipway', ['image', 'inspect', '-f', '{{.Id}}', 'two/layers:v1']);
    assert.equal(await docker('image', 'inspect', '-f', '{{.Id}}', 'two/layers:v1'), id);
    assert.equal(await docker('run', '--rm', '--network', 'none', 'two/layers:v1', 'cat', '/two'), 'two');
    const theirs = join(folder, 'theirs.tar');
    await docker('tag', 'two/layers:v1', 'back/again:v2');
    await docker('save', '-o', theirs, 'back/again:v2');
    await engine.ok('slipway', ['rmi', 'two/layers:v1']);
    assert.equal(await engine.ok('slipway', ['load', '-i', theirs]), 'Loaded image: back/again:v2');
    assert.equal(await engine.ok('slipway', ['image', 'inspect', '-f', '{{.Id}}', 'back/again:v2']), id);
    assert.equal(await engine.ok('slipway', ['run', '--rm', 'back/again:v2', 'cat', '/two']), 'two');
    for (const [index, source] of [
      `docker-archive:${ours}:two/layers:v1`,
      `oci-archive:${ours}:v1`,
    ].entries()) {
      const target = join(folder, `copy${index}`);
      const copied = await runProgram('skopeo', ['copy', '--insecure-policy', source, `dir:${target}`]);
      assert.equal(copied.code, 0, copied.stderr);
      assert.ok(statSync(join(target, 'manifest.json')).size > 0);
    }
    // What skopeo writes comes back too, compressed or not.
    const copy = join(folder, 'oci.tar');
    const archived = await runProgram('skopeo', [
      'copy',
      '--insecure-policy',
      `docker-archive:${ours}:two/layers:v1`,
      `oci-archive:${copy}:skopeo/copy:v1`,
    ]);
    assert.equal(archived.code, 0, archived.stderr);
    assert.equal(await engine.ok('slipway', ['load', '-i', copy]), 'Loaded image: skopeo/copy:v1');
    assert.equal(await engine.ok('slipway', ['run', '--rm', 'skopeo/copy:v1', 'cat', '/two']), 'two');
    writeFileSync(join(folder, 'done'), '');
  } finally {
    await peer.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a container is of the platform that is asked for; without one a foreign image is warned of', async () => {
  const { layout, amd64, arm64, index } = multiPlatform();
  await engine.ok('docker', ['load'], layout.archive([{ entry: index, name: 'docker.io/library/app:v1' }]));
  const imageOf = async (...args: string[]): Promise<string> => {
    const container = await engine.ok('docker', ['create', ...args]);
    const image = await engine.ok('docker', ['inspect', '-f', '{{.Image}}', container]);
    await engine.ok('docker', ['rm', container]);
    return image;
  };
  const host = process.arch === 'arm64' ? arm64 : amd64;
  const other = host === amd64 ? arm64 : amd64;
  const otherName = host === amd64 ? 'arm64' : 'amd64';
  assert.equal(await imageOf('app:v1'), host.id);
  assert.equal(await imageOf('--platform', `linux/${otherName}`, 'app:v1'), other.id);
  assert.equal(await imageOf('--platform', otherName, 'app:v1'), other.id);
  const words = 'was found but does not match the specified platform: wanted linux/s390x, actual: linux/';
  const none = await engine.run('slipway', [
    'create',
    '--pull',
    'never',
    '--platform',
    'linux/s390x',
    'app:v1',
  ]);
  assert.ok(none.code !== 0 && none.stderr.includes(words), none.stderr);
  await engine.ok('docker', [
    'rmi',
    '--platform',
    `linux/${process.arch === 'arm64' ? 'arm64' : 'amd64'}`,
    'app:v1',
  ]);
  for (const client of clients) {
    const { code, stderr, stdout } = await engine.run(client, ['create', 'app:v1']);
    assert.equal(code, 0, stderr);
    const warning = `The requested image's platform (linux/${otherName}) does not match the detected host platform (linux/`;
    assert.ok(stderr.includes(warning), stderr);
    await engine.ok('docker', ['rm', stdout.trim()]);
  }
  await engine.ok('docker', ['rmi', 'app:v1']);
});
