// timeout: 400
/** dockerd 20.10 and 26.1, podman and skopeo read what this engine pushed and saved, and it reads what they did. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import type { TestRegistry } from '../helpers/images/registry.ts';
import { dockerdVersions, startDockerd } from '../peers/dockerd.ts';
import { openPodman } from '../peers/podman.ts';
import type { Peer } from '../peers/process.ts';
import { openRegistryWorld, type RegistryWorld } from '../peers/registry-world.ts';
import { startSlipwayd } from '../peers/slipwayd.ts';
import { busyboxArchive, runProgram } from '../scenarios/engine.ts';
import { tarOf } from './engine.ts';
import { Layout, multiPlatform, sha256, types, type Entry } from './layouts.ts';

type Run = (...args: string[]) => Promise<string>;

/** On loopback inside the namespace: no engine asks for TLS there. */
const host = '127.0.0.1:5000';
const names = {
  single: `${host}/team/single:v1`,
  multi: `${host}/team/multi:v1`,
  zstd: `${host}/team/zstd:v1`,
  list: `${host}/team/list:v1`,
};

let folder: string;
let world: RegistryWorld;
let peer: Peer;
let registry: TestRegistry;
let slipway: Run;
/** Ids that this engine shows for this host's platform. */
const ids: Record<string, string> = {};
const digests: Record<string, string> = {};

async function checked(program: string, args: readonly string[], input?: Buffer): Promise<string> {
  const done = await runProgram(program, args, input);
  assert.equal(done.code, 0, `${program} ${args.join(' ')}\n${done.stdout}${done.stderr}`);
  return done.stdout.trim();
}

/** Large enough that a layer is no trifle, and the same in each run. */
const files = tarOf([
  { name: 'etc/', type: 'directory', mode: 0o755 },
  { name: 'etc/two', text: 'two', mode: 0o640, uid: 7, gid: 8 },
  { name: 'etc/link', type: 'symlink', linkName: 'two' },
  { name: 'etc/numbers', text: Array.from({ length: 50_000 }, (_, i) => i).join('\n') },
]);

function zstdLayout(): Buffer {
  const layout = new Layout();
  const config = layout.add(types.config, {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [sha256(files)] },
  });
  const layer = layout.add('application/vnd.oci.image.layer.v1.tar+zstd', zstdCompressSync(files));
  const manifest = { schemaVersion: 2, mediaType: types.manifest, config, layers: [layer] };
  const entry: Entry = layout.add(types.manifest, manifest);
  return layout.archive([{ entry, name: names.zstd }]);
}

before(async () => {
  folder = mkdtempSync('/tmp/slip-peers-');
  world = await openRegistryWorld();
  registry = await world.registry(5000, { address: host });
  const name = `slip-pe${process.pid % 1000}`;
  peer = await startSlipwayd({ folder: join(folder, 'engine'), name, networkOf: world.pid });
  const program = join(import.meta.dirname, '../../dist/bin/slipway');
  slipway = async (...args) =>
    await checked(program, ['-H', `unix://${peer.socket}`, '--config', join(folder, 'config'), ...args]);
  const { layout, index } = multiPlatform();
  writeFileSync(join(folder, 'multi.tar'), layout.archive([{ entry: index, name: names.multi }]));
  writeFileSync(join(folder, 'zstd.tar'), zstdLayout());
  writeFileSync(join(folder, 'files.tar'), files);
  await slipway('load', '-i', await busyboxArchive());
  await slipway('load', '-i', join(folder, 'multi.tar'));
  await slipway('load', '-i', join(folder, 'zstd.tar'));
  await slipway('create', '--name', 'maker', 'busybox');
  await slipway('cp', join(folder, 'files.tar'), 'maker:/files');
  await slipway('commit', 'maker', names.single);
  for (const [key, image] of Object.entries(names)) {
    if (key === 'list') continue;
    digests[key] = /digest: (sha256:\w+)/.exec(await slipway('push', image))?.[1] ?? '';
    ids[key] = await slipway('image', 'inspect', '-f', '{{.Id}}', image);
  }
  await slipway('manifest', 'create', names.list, names.single, names.zstd);
  await slipway('manifest', 'annotate', names.list, names.zstd, '--arch', 'arm64');
  digests['list'] = (await slipway('manifest', 'push', names.list)).split('\n').at(-1) ?? '';
  ids['list'] = ids['single'] ?? '';
  await slipway('save', '-o', join(folder, 'single-saved.tar'), names.single, 'busybox');
  await slipway('save', '-o', join(folder, 'multi-saved.tar'), names.multi);
  await slipway('save', '-o', join(folder, 'zstd-saved.tar'), names.zstd);
});
after(async () => {
  await peer?.stop();
  await registry?.stop();
  await world?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const inspect = ['image', 'inspect', '-f', '{{.Id}}'];

for (const version of dockerdVersions)
  describe(`dockerd ${version}`, () => {
    let theirs: Peer;
    let docker: Run;
    before(async () => {
      theirs = await startDockerd(
        {
          folder: join(folder, `docker-${version}`),
          name: `slip-pd${process.pid % 1000}`,
          networkOf: world.pid,
          args: ['--bridge=none', '--iptables=false'],
        },
        version,
      );
      docker = async (...args) => await checked('docker', ['-H', `unix://${theirs.socket}`, ...args]);
    });
    after(async () => await theirs?.stop());
    // Layers in zstd came with 23.0.
    const pushed = (['single', 'multi', 'list', 'zstd'] as const).filter(
      (key) => key !== 'zstd' || version === '26.1',
    );

    test('pulls what was pushed: the same image, the same digest, the same files', async () => {
      for (const key of pushed) {
        const told = await docker('pull', names[key]);
        assert.ok(told.includes(`Digest: ${digests[key]}`), told);
        assert.equal(await docker(...inspect, names[key]), ids[key], key);
      }
      const run = ['run', '--rm', '--network', 'none', names.single];
      assert.equal(await docker(...run, 'sha256sum', '/files'), `${sha256(files).slice(7)}  /files`);
    });

    test('loads what was saved', async () => {
      await docker('rmi', ...pushed.map((key) => names[key]));
      for (const key of pushed.filter((each) => each !== 'list')) {
        const told = await docker('load', '-i', join(folder, `${key}-saved.tar`));
        assert.ok(told.includes(`Loaded image: ${names[key]}`), told);
        assert.equal(await docker(...inspect, names[key]), ids[key], key);
      }
      assert.match(await docker('images', '--format', '{{.Repository}}:{{.Tag}}'), /^busybox:latest$/m);
    });

    test('what it pushed and saved is read here, with the same digest and id', async () => {
      const image = `${host}/docker/app:${version}`;
      await docker('create', '--name', 'theirs', names.single, 'true');
      await docker('cp', join(folder, 'multi.tar'), 'theirs:/theirs');
      await docker('commit', 'theirs', image);
      const digest = /digest: (sha256:\w+)/.exec(await docker('push', image))?.[1];
      const id = await docker(...inspect, image);
      await docker('save', '-o', join(folder, 'theirs.tar'), image);
      assert.ok((await slipway('pull', image)).includes(`Digest: ${digest}`));
      assert.equal(await slipway(...inspect, image), id);
      await slipway('rmi', image);
      assert.equal(await slipway('load', '-i', join(folder, 'theirs.tar')), `Loaded image: ${image}`);
      assert.equal(await slipway(...inspect, image), id);
    });
  });

test('podman pulls what was pushed and loads what was saved; what it pushed and saved is read here', async () => {
  const run = await openPodman(join(folder, 'podman'), world.prefix);
  const podman: Run = async (...args) => {
    const done = await run(...args);
    assert.equal(done.code, 0, `podman ${args.join(' ')}\n${done.stdout}${done.stderr}`);
    return done.stdout.trim();
  };
  for (const key of ['single', 'multi', 'list', 'zstd'] as const) {
    await podman('pull', '-q', '--tls-verify=false', names[key]);
    assert.equal(`sha256:${await podman(...inspect, names[key])}`, ids[key], key);
    const digest = await podman('image', 'inspect', '-f', '{{.Digest}} {{.RepoDigests}}', names[key]);
    assert.ok(digest.includes(digests[key] ?? '?'), `${key}: ${digest}`);
  }
  await podman('rmi', '--all', '--force');
  for (const key of ['single', 'zstd'] as const) {
    await podman('load', '-q', '-i', join(folder, `${key}-saved.tar`));
    assert.equal(`sha256:${await podman(...inspect, names[key])}`, ids[key], key);
  }
  const image = `${host}/podman/app:v1`;
  await podman('tag', names.single, image);
  await podman('push', '-q', '--tls-verify=false', image);
  await slipway('pull', image);
  assert.equal(await slipway(...inspect, image), ids['single']);
  await slipway('rmi', image);
  for (const format of ['docker-archive', 'oci-archive']) {
    await podman('save', '-q', '--format', format, '-o', join(folder, `${format}.tar`), image);
    assert.equal(await slipway('load', '-i', join(folder, `${format}.tar`)), `Loaded image: ${image}`);
    await slipway('rmi', image);
  }
});

test('skopeo reads what was saved: as a docker-archive and as a layout, with all platforms', async () => {
  const copy = async (source: string, target: string, ...options: string[]): Promise<string> =>
    await checked('skopeo', ['copy', '--insecure-policy', ...options, source, `dir:${join(folder, target)}`]);
  await copy(`docker-archive:${join(folder, 'single-saved.tar')}:${names.single}`, 'archive');
  await copy(`oci-archive:${join(folder, 'multi-saved.tar')}`, 'layout', '--all');
  const manifest = join(folder, 'layout/manifest.json');
  assert.equal(await checked('skopeo', ['manifest-digest', manifest]), digests['multi']);
});
