/** Archives into and out of containers, running and stopped, as dockerd has them: names, owners, volumes, refusals. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';
import { archiveRequest, membersOf, tarOf, type ArchiveAnswer } from './archive-client.ts';

let engine: Engine;
let folder: string;
before(async () => {
  engine = await startEngine();
  folder = mkdtempSync('/tmp/slip-');
  mkdirSync(join(folder, 'shared'));
  const mounts = ['-v', 'data:/vol', '-v', `${folder}/shared:/bind`, '-v', `${folder}/shared:/robind:ro`];
  const common = ['--network', 'none', '-u', '1000:1001', ...mounts, 'busybox'];
  await engine.ok('docker', ['run', '-d', '--name', 'up', ...common, 'sleep', '1000']);
  await engine.ok('docker', ['create', '--name', 'down', ...common, 'true']);
  const links =
    'ln -s /vol /lnk; ln -s /robind /rolnk; mkdir /d1; echo one >/d1/f; ln -s /d1 /dlnk; ln -s d1/f /flnk; ln -s /nope /dead';
  await engine.ok('docker', ['exec', '-u', '0', 'up', 'sh', '-c', links]);
  await engine.ok('docker', [
    'run',
    '-d',
    '--name',
    'locked',
    '--network',
    'none',
    '--read-only',
    'busybox',
    'sleep',
    '1000',
  ]);
  await engine.ok('docker', [
    'create',
    '--name',
    'shut',
    '--network',
    'none',
    '--read-only',
    '-v',
    'other:/vol',
    'busybox',
  ]);
});
after(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

const put = async (name: string, path: string, body: Buffer, more: object = {}): Promise<ArchiveAnswer> =>
  await archiveRequest(engine.socket, 'PUT', name, { path, ...more }, body);
const get = async (name: string, path: string): Promise<ArchiveAnswer> =>
  await archiveRequest(engine.socket, 'GET', name, { path });
const exec = async (...command: string[]): Promise<string> =>
  await engine.ok('docker', ['exec', '-u', '0', 'up', ...command]);

/** Recorded from dockerd 26.1: path, name in the stat, first names in the archive, target of a link. */
const named: readonly (readonly [string, string, readonly string[], string])[] = [
  ['/d1', 'd1', ['d1/', 'd1/f'], ''],
  ['/d1/', 'd1', ['d1/', 'd1/f'], ''],
  ['/d1/.', '.', ['./', './f'], ''],
  ['d1', 'd1', ['d1/', 'd1/f'], ''],
  ['/d1/../d1', 'd1', ['d1/', 'd1/f'], ''],
  ['/dlnk', 'dlnk', ['dlnk'], '/d1'],
  ['/dlnk/', 'dlnk', ['dlnk/', 'dlnk/f'], ''],
  ['/dlnk/.', '.', ['./', './f'], ''],
  ['/dlnk/f', 'f', ['f'], ''],
  ['/lnk', 'lnk', ['lnk'], '/vol'],
  ['/flnk', 'flnk', ['flnk'], '/d1/f'],
  ['/d1/f', 'f', ['f'], ''],
];

test('stats and archives name what was asked for as dockerd does', async () => {
  for (const [path, name, entries, linkTarget] of named) {
    const answer = await get('up', path);
    assert.equal(answer.status, 200, `${path}: ${answer.message}`);
    assert.deepEqual([answer.stat?.name, answer.stat?.linkTarget], [name, linkTarget], path);
    const members = await membersOf(answer.body);
    assert.deepEqual(
      members.map((member) => member.name),
      entries,
      path,
    );
    const head = await archiveRequest(engine.socket, 'HEAD', 'up', { path });
    assert.deepEqual(head.stat, answer.stat);
  }
  const root = await membersOf((await get('down', '/')).body);
  assert.equal(root[0]?.name, '/');
  assert.ok(root.some((member) => member.name === '/bin/busybox'));
  const dot = await membersOf((await get('down', '/.')).body);
  assert.equal(dot[0]?.name, './');
});

test('missing paths, and files taken for directories', async () => {
  const missing = await get('up', '/nope');
  assert.deepEqual([missing.status, missing.message], [404, 'Could not find the file /nope in container up']);
  const file = await get('up', '/d1/f/');
  assert.deepEqual([file.status, file.message], [400, 'lstat /d1/f/: not a directory']);
  const archive = tarOf({ name: 'x' });
  const into = await put('up', '/flnk', archive);
  assert.deepEqual([into.status, into.message], [400, 'extraction point is not a directory']);
  for (const path of ['/nope', '/dead']) {
    const absent = await put('up', path, archive);
    assert.deepEqual(
      [absent.status, absent.message],
      [404, `Could not find the file ${path} in container up`],
    );
  }
});

test('volumes and binds are written and read, while it runs and while it does not', async () => {
  // Of this engine: others on the machine come and go.
  const mountsNow = (): readonly string[] =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(dirname(engine.socket)));
  const mounts = mountsNow();
  assert.ok(mounts.length > 0);
  for (const name of ['up', 'down']) {
    for (const path of ['/vol', '/bind']) {
      const answer = await put(name, path, tarOf({ name: `by-${name}`, content: `through ${name}` }));
      assert.equal(answer.status, 200, answer.message);
    }
    assert.equal(readFileSync(join(folder, `shared/by-${name}`), 'utf8'), `through ${name}`);
  }
  assert.equal(await exec('cat', '/vol/by-down', '/robind/by-up'), 'through downthrough up');
  for (const name of ['up', 'down']) {
    const members = await membersOf((await get(name, '/vol/.')).body);
    assert.deepEqual(members.map((member) => member.name).sort(), ['./', './by-down', './by-up']);
  }
  // A layer that was being laid down meanwhile may have gone; what has come has stayed.
  const stayed = mountsNow().filter((line) => !mounts.includes(line));
  assert.deepEqual(stayed, [], 'nothing stays mounted');
  // docker cp, both ways, and through a pipe.
  const target = join(folder, 'out');
  await engine.ok('docker', ['cp', 'down:/vol/.', target]);
  assert.deepEqual(readdirSync(target).sort(), ['by-down', 'by-up']);
  writeFileSync(join(folder, 'local'), 'from the host');
  await engine.ok('docker', ['cp', join(folder, 'local'), 'down:/vol/renamed']);
  assert.equal(await exec('cat', '/vol/renamed'), 'from the host');
  await engine.ok('slipway', ['cp', '-', 'up:/tmp'], tarOf({ name: 'piped', content: 'p' }));
  assert.equal(await exec('cat', '/tmp/piped'), 'p');
});

test('what is mounted read-only is refused, also behind a link and in a container that does not run', async () => {
  const archive = tarOf({ name: 'x' });
  const refusals: readonly (readonly [string, string, string])[] = [
    ['up', '/robind', 'mounted volume is marked read-only'],
    ['up', '/rolnk', 'mounted volume is marked read-only'],
    ['down', '/robind', 'mounted volume is marked read-only'],
    ['locked', '/', 'container rootfs is marked read-only'],
    ['shut', '/tmp', 'container rootfs is marked read-only'],
  ];
  for (const [name, path, message] of refusals) {
    const answer = await put(name, path, archive);
    assert.deepEqual([answer.status, answer.message], [403, message], `${name}:${path}`);
  }
  assert.equal((await put('shut', '/vol', archive)).status, 200);
  assert.equal((await put('up', '/lnk', archive)).status, 200);
});

test('owners, modes and times are those of the archive, or the container user where asked', async () => {
  const archive = tarOf(
    { name: 'own/', type: 'directory', mode: 0o750, uid: 7, gid: 8, mtime: 1_100_000_000 },
    { name: 'own/file', content: 'x', mode: 0o4711, uid: 5, gid: 6, mtime: 1_200_000_000 },
    { name: 'own/link', type: 'symlink', linkName: 'file', uid: 9, gid: 9 },
  );
  const shown = ['stat', '-c', '%u:%g %a %Y', '/tmp/own', '/tmp/own/file'];
  assert.equal((await put('up', '/tmp', archive)).status, 200);
  assert.equal(await exec(...shown), '7:8 750 1100000000\n5:6 4711 1200000000');
  assert.equal(await exec('stat', '-c', '%u:%g', '/tmp/own/link'), '9:9');
  assert.equal((await put('up', '/tmp', archive, { copyUIDGID: '1' })).status, 200);
  assert.equal(await exec(...shown), '1000:1001 750 1100000000\n1000:1001 4711 1200000000');
});

test('a directory is not replaced by a file, nor the other way round, where that is not wanted', async () => {
  await exec('sh', '-c', 'mkdir -p /tmp/dir/deep; echo x >/tmp/plain');
  const overDirectory = tarOf({ name: 'dir', content: 'file' });
  const overFile = tarOf({ name: 'plain/', type: 'directory', mode: 0o755 });
  const first = await put('up', '/tmp', overDirectory, { noOverwriteDirNonDir: '1' });
  assert.equal(first.status, 400);
  assert.match(first.message, /^cannot overwrite directory "dir" with non-directory/);
  const second = await put('up', '/tmp', overFile, { noOverwriteDirNonDir: 'true' });
  assert.match(second.message, /^cannot overwrite non-directory "plain\/?" with directory/);
  assert.equal(await exec('cat', '/tmp/plain'), 'x');
  for (const archive of [overDirectory, overFile])
    assert.equal((await put('up', '/tmp', archive)).status, 200);
  assert.equal(await exec('sh', '-c', 'cat /tmp/dir; test -d /tmp/plain && echo yes'), 'fileyes');
});

test('names that climb are refused, absolute ones and links stay inside', async () => {
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'untouched');
  const climbing = await put('up', '/tmp', tarOf({ name: '../../escape' }));
  assert.equal(climbing.status, 400);
  const sneaky = tarOf(
    { name: 'way', type: 'symlink', linkName: folder },
    { name: 'way/secret', content: 'overwritten' },
    { name: '/absolute', content: 'inside' },
  );
  const nowhere = await put('up', '/tmp', sneaky);
  assert.deepEqual(
    [nowhere.status, nowhere.message],
    [400, 'invalid path in archive: /tmp/way is a link that leads nowhere'],
  );
  await exec('mkdir', '-p', folder);
  assert.equal((await put('up', '/tmp', sneaky)).status, 200);
  assert.equal(readFileSync(secret, 'utf8'), 'untouched');
  assert.equal(await exec('cat', `${folder}/secret`, '/tmp/absolute'), 'overwritteninside');
  const hard = await put('up', '/tmp', tarOf({ name: 'hard', type: 'hardlink', linkName: 'way/nothing' }));
  assert.equal(hard.status, 400);
  assert.equal((await put('up', '/tmp', Buffer.from('this is no archive'))).status, 400);
});

test('a decompressor that the container brings is not run', async () => {
  const marker = join(folder, 'ran');
  await exec(
    'sh',
    '-c',
    `for n in xz unxz gzip unpigz zstd; do printf '#!/bin/sh\\ntouch ${marker} /ran\\n' >/bin/$n; chmod 755 /bin/$n; done`,
  );
  for (const [program, name] of [
    ['xz', 'x'],
    ['gzip', 'g'],
    ['zstd', 'z'],
  ] as const) {
    const packed = execFileSync(program, ['-c'], { input: tarOf({ name, content: program }) });
    assert.equal((await put('up', '/tmp', packed)).status, 200);
  }
  assert.equal(await exec('cat', '/tmp/x', '/tmp/g', '/tmp/z'), 'xzgzipzstd');
  assert.equal(statSync(marker, { throwIfNoEntry: false }), undefined);
  assert.equal((await get('up', '/ran')).status, 404);
});

/** A GET whose body is left unread, so that the copy stays under way. */
function openCopy(name: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = {
      socketPath: engine.socket,
      path: `/containers/${name}/archive?path=${path}`,
      agent: false,
    };
    httpRequest(options, resolve).on('error', reject).end();
  });
}

const viewsMounted = (): boolean =>
  readFileSync('/proc/self/mountinfo', 'utf8').includes(`${engine.folder}/run/views/`);

test('a container starts and ends while it is copied from, and a killed daemon leaves no view', async () => {
  await exec('dd', 'if=/dev/zero', 'of=/vol/big', 'bs=1M', 'count=32');
  const copy = await openCopy('down', '/vol');
  assert.equal(viewsMounted(), true);
  await engine.ok('docker', ['start', '-a', 'down']);
  let length = 0;
  for await (const chunk of copy) length += (chunk as Buffer).length;
  assert.ok(length > 32 << 20);
  await eventually('the view is gone', async () => (viewsMounted() ? undefined : true));
  const left = await openCopy('down', '/vol');
  left.on('error', () => {});
  assert.equal(viewsMounted(), true);
  await engine.kill();
  await engine.start();
  assert.equal(viewsMounted(), false);
  await engine.ok('docker', ['start', '-a', 'down']);
});

test('export holds the layers without volumes, changes tell what was made of them', async () => {
  await engine.ok('docker', [
    'run',
    '--name',
    'changed',
    '--network',
    'none',
    '-v',
    'data:/vol',
    'busybox',
    'sh',
    '-c',
    'echo new >/etc/new; rm /bin/wget; chmod 700 /root; echo v >/vol/v',
  ]);
  const diff = await engine.ok('docker', ['diff', 'changed']);
  assert.deepEqual(
    diff
      .split('\n')
      .filter((line) => !/ \/(vol|tmp|d1)/.test(line))
      .sort(),
    ['A /etc/new', 'C /bin', 'C /etc', 'C /root', 'D /bin/wget'],
  );
  const file = join(folder, 'export.tar');
  await engine.ok('docker', ['export', '-o', file, 'changed']);
  const names = (await membersOf(readFileSync(file))).map((member) => member.name);
  assert.ok(names.includes('etc/new'));
  assert.ok(!names.includes('bin/wget') && !names.some((name) => name.startsWith('vol/') && name !== 'vol/'));
});
