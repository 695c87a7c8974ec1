/** Mounts: what `-v`, `--mount`, `--tmpfs` and their options make in the container, on both runtimes where they differ. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openWorld } from './world.ts';

const world = openWorld();
const { run, refused, cli } = world;
const runtimes = ['crun', 'runc'];

/** A folder with a file, and a tmpfs mounted below it. */
let source = '';
world.onOpen(() => {
  source = join(world.folder(), 'source');
  mkdirSync(join(source, 'below'), { recursive: true });
  writeFileSync(join(source, 'file'), 'from the host\n');
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'below')]);
  world.onClose(() => execFileSync('umount', [join(source, 'below')]));
});
const bind = (...more: string[]): string[] => [
  '--mount',
  [`type=bind,src=${source},dst=/m`, ...more].join(','),
];
/** `w` for each place that can be written, `-` for each that cannot. */
const writable = [
  'sh',
  '-c',
  'for d in /m /m/below; do touch $d/x 2>/dev/null && echo -n w || echo -n -; done',
];

for (const runtime of runtimes) {
  const on = (...args: string[]): Promise<string> => run('--runtime', runtime, ...args);

  test(`${runtime}: a bind is writable, read-only with all below it, or read-only alone`, async () => {
    assert.equal(await on(...bind(), 'busybox', ...writable), 'ww');
    assert.equal(await on(...bind('readonly'), 'busybox', ...writable), '--');
    assert.equal(await on(...bind('readonly', 'bind-recursive=writable'), 'busybox', ...writable), '-w');
    const forced = bind('readonly', 'bind-recursive=readonly', 'bind-propagation=rprivate');
    assert.equal(await on(...forced, 'busybox', ...writable), '--');
    assert.equal(await on('-v', `${source}:/m`, 'busybox', ...writable), 'ww');
    assert.equal(await on('-v', `${source}:/m:ro`, 'busybox', ...writable), '--');
    const one = [
      '-v',
      `${join(source, 'file')}:/one:ro`,
      'busybox',
      'sh',
      '-c',
      'cat /one; echo x >> /one || echo ro',
    ];
    assert.equal(await on(...one), 'from the host\nro');
  });

  test(`${runtime}: without recursion what is mounted below the source stays out`, async () => {
    const mounts = ['busybox', 'sh', '-c', 'grep -c " /m/below " /proc/self/mountinfo; cat /m/file'];
    assert.equal(await on(...bind(), ...mounts), '1\nfrom the host');
    assert.equal(await on(...bind('bind-recursive=disabled'), ...mounts), '0\nfrom the host');
  });

  test(`${runtime}: a tmpfs takes Docker's defaults, and the user's options over them`, async () => {
    const shown = ['busybox', 'sh', '-c', 'grep " /t " /proc/mounts; stat -c "%a %u" /t'];
    const plain = await on('--tmpfs', '/t', ...shown);
    assert.match(plain, /nosuid,nodev,noexec/);
    const own = await on('--tmpfs', '/t:exec,size=1m,mode=1770,uid=5', ...shown);
    assert.doesNotMatch(own, /noexec/);
    assert.match(own, /size=1024k/);
    assert.match(own, /1770 5$/);
    const mount = await on('--mount', 'type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=0700,readonly', ...shown);
    assert.match(mount, /\bro,/);
    assert.match(mount, /size=2048k/);
    assert.match(mount, /700 0$/);
  });

  test(`${runtime}: an image is mounted with what it holds, in part or as a whole`, async () => {
    const whole = await on(
      '--mount',
      'type=image,src=busybox,dst=/i',
      'busybox',
      'sh',
      '-c',
      'touch /i/new; ls /i',
    );
    assert.match(whole, /^bin$/m);
    assert.match(whole, /^new$/m);
    const part = 'type=image,src=busybox,dst=/i,readonly,image-subpath=bin';
    const listed = await on('--mount', part, 'busybox', 'sh', '-c', 'ls /i; touch /i/new 2>&1 || true');
    assert.match(listed, /^busybox$/m);
    assert.match(listed, /Read-only file system/);
  });
}

test('propagation reaches the container as asked', async () => {
  const shared = join(world.folder(), 'shared');
  mkdirSync(shared);
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', shared]);
  execFileSync('mount', ['--make-shared', shared]);
  try {
    const tags = ['busybox', 'sh', '-c', 'grep " /m " /proc/self/mountinfo'];
    const at = (mode: string): Promise<string> =>
      run('--mount', `type=bind,src=${shared},dst=/m,bind-propagation=${mode}`, ...tags);
    assert.match(await at('rslave'), / master:\d+ /);
    assert.match(await at('rshared'), / shared:\d+ /);
    assert.doesNotMatch(await at('rprivate'), / (master|shared):\d+ /);
    assert.match(await run('-v', `${shared}:/m:rslave`, ...tags), / master:\d+ /);
  } finally {
    execFileSync('umount', [shared]);
  }
});

test('sources: missing ones are made for -v and bind-create-src, and refused for --mount', async () => {
  const made = join(world.folder(), 'made/by/v');
  await run('-v', `${made}:/m`, 'busybox', 'true');
  assert.equal(existsSync(made), true);
  const missing = join(world.folder(), 'missing');
  const { code, stderr } = await refused('--mount', `type=bind,src=${missing},dst=/m`, 'busybox', 'true');
  assert.equal(code, 125);
  assert.match(stderr, /invalid mount config for type "bind": bind source path does not exist/);
  await run('--mount', `type=bind,src=${missing},dst=/m,bind-create-src`, 'busybox', 'true');
  assert.equal(existsSync(missing), true);
});

test('volumes: filled from the image, not with nocopy; a part by its subpath; options of the driver', async () => {
  await run('-v', 'filled:/bin', 'busybox', 'true');
  assert.match(await run('-v', 'filled:/v', 'busybox', 'ls', '/v'), /^busybox$/m);
  await cli('create', '--name', 'nocopy', '-v', 'empty:/bin:nocopy', 'busybox', 'true');
  assert.equal(await run('--mount', 'type=volume,src=empty,dst=/v,volume-nocopy', 'busybox', 'ls', '/v'), '');
  await run(
    '-v',
    'parts:/v',
    'busybox',
    'sh',
    '-c',
    'mkdir /v/a /v/b; echo here > /v/a/file; ln -s /etc /v/link',
  );
  const part = (path: string): string[] => ['--mount', `type=volume,src=parts,dst=/p,volume-subpath=${path}`];
  assert.equal(await run(...part('a'), 'busybox', 'cat', '/p/file'), 'here');
  assert.match((await refused(...part('nothing'), 'busybox', 'true')).stderr, /cannot access/);
  assert.match((await refused(...part('link'), 'busybox', 'true')).stderr, /cannot access/);
  assert.match((await refused(...part('../parts'), 'busybox', 'true')).stderr, /must be a relative path/);
  const options = 'volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-opt=o=size=1m';
  const sized = `type=volume,src=sized,dst=/v,${options},volume-label=team=blue`;
  assert.match(await run('--mount', sized, 'busybox', 'df', '-k', '/v'), /tmpfs\s+1024 /);
  assert.equal(await cli('volume', 'inspect', 'sized', '--format', '{{.Labels.team}}'), 'blue');
});

test('volumes-from takes binds, volumes and images over, in the part that was mounted', async () => {
  await cli('volume', 'create', 'shared');
  await run('-v', 'shared:/v', 'busybox', 'sh', '-c', 'mkdir /v/a; echo part > /v/a/file');
  const mounts = ['type=volume,src=shared,dst=/p,volume-subpath=a', 'type=image,src=busybox,dst=/i'];
  const all = mounts.flatMap((mount) => ['--mount', mount]);
  await cli('create', '--name', 'donor', ...all, ...bind(), 'busybox', 'true');
  const look = [
    'busybox',
    'sh',
    '-c',
    'cat /p/file /m/file; ls /i/bin/busybox; touch /p/x && echo w || echo -',
  ];
  const seen = 'part\nfrom the host\n/i/bin/busybox\n';
  assert.equal(await run('--volumes-from', 'donor', ...look), `${seen}w`);
  assert.equal(await run('--volumes-from', 'donor:ro', ...look), `${seen}-`);
  await cli('rm', 'donor');
});

test('a mounted image stays: it cannot be removed, and what was written in it lasts until the container goes', async () => {
  const { engine } = world;
  await cli('tag', 'busybox', 'data:1');
  const touch = 'test -e /i/seen && echo again; touch /i/seen';
  await cli(
    'create',
    '--name',
    'twice',
    '--mount',
    'type=image,src=data:1,dst=/i',
    'busybox',
    'sh',
    '-c',
    touch,
  );
  assert.equal(await cli('start', '-a', 'twice'), '');
  assert.equal(await cli('start', '-a', 'twice'), 'again');
  await cli('rmi', 'busybox');
  const inUse = await engine().run('slipway', ['rmi', 'data:1']);
  assert.match(inUse.stderr, /conflict/);
  await cli('tag', 'data:1', 'busybox');
  const id = await world.inspect('twice', '{{.Id}}');
  const key = join(engine().folder, 'data/overlay2/snapshots', `${id}.image-0`);
  assert.equal(existsSync(key), true);
  assert.equal(
    readFileSync('/proc/mounts', 'utf8').includes(key),
    false,
    'unmounted when the container stopped',
  );
  await engine().kill();
  await engine().start();
  assert.equal(await cli('start', '-a', 'twice'), 'again', 'a restart of the daemon keeps it');
  await cli('rm', 'twice');
  assert.equal(existsSync(key), false);
});

test('what cannot be mounted is refused in words', async () => {
  const says = async (words: RegExp, ...args: string[]): Promise<void> => {
    const { code, stderr } = await refused(...args, 'busybox', 'true');
    assert.equal(code, 125, stderr);
    assert.match(stderr, words);
  };
  await says(/invalid propagation mode: sideways/, ...bind('bind-propagation=sideways'));
  await says(/invalid tmpfs option "sticky"/, '--tmpfs', '/t:sticky');
  await says(
    /invalid mount config for type "volume": must not set Subpath when using anonymous volumes/,
    '--mount',
    'type=volume,dst=/x,volume-subpath=a',
  );
  await says(/mount type unknown/, '--mount', 'type=npipe,src=a,dst=/b');
  await says(
    /cannot access path nope of the image/,
    '--mount',
    'type=image,src=busybox,dst=/i,image-subpath=nope',
  );
  await says(
    /create some: .* plugin "nope" not found/,
    '--pull=never',
    '--volume-driver=nope',
    '-v',
    'some:/v',
  );
  await says(/Duplicate mount point: \/m/, ...bind(), '-v', `${source}:/m`);
});

test('a client from before API 1.44 gets what is mounted below a read-only bind as it was', async () => {
  const create = async (version: string): Promise<string> => {
    const Mounts = [{ Type: 'bind', Source: source, Target: '/m', ReadOnly: true }];
    const body = { Image: 'busybox', Cmd: writable, HostConfig: { Mounts } };
    const made = await world.api('POST', `/v${version}/containers/create`, body);
    assert.equal(made.status, 201);
    return await cli('start', '-a', (made.body as { Id: string }).Id);
  };
  assert.equal(await create('1.43'), '-w');
  assert.equal(await create('1.44'), '--');
});
