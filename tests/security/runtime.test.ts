/**
 * Attacks on what sets a container up, tried on the real kernel with both OCI runtimes: each must leave the host as it was,
 * whether the start is refused or the attack comes to nothing.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeDockerArchive } from '../../scripts/images/docker-archive.ts';
import { eventually, type Outcome } from '../scenarios/engine.ts';
import { openWorld } from '../containers/options/world.ts';

const world = openWorld();
const { cli } = world;
const runtimes = ['crun', 'runc'];
const secret = 'only the host has this';
let marker = '';

/** `run --rm`, whatever comes of it. */
const attempt = (...args: string[]): Promise<Outcome> =>
  world.engine().run('slipway', ['run', '--rm', ...args]);

/** An image of busybox whose tree was changed. */
async function image(name: string, change: (tree: string) => void, settings = {}): Promise<void> {
  const tree = join(world.folder(), `tree-${name}`);
  for (const folder of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp'])
    mkdirSync(join(tree, folder), { recursive: true });
  execFileSync('cp', ['/bin/busybox', join(tree, 'bin/busybox')]);
  for (const applet of ['sh', 'cat', 'ls', 'true', 'id']) symlinkSync('busybox', join(tree, 'bin', applet));
  change(tree);
  const target = join(world.folder(), `${name}.tar`);
  await writeDockerArchive({ tree, target, name: `${name}:1`, settings });
  await world.engine().ok('docker', ['load', '-i', target]);
}

const replace = (tree: string, name: string, target: string): void => {
  rmSync(join(tree, name), { recursive: true, force: true });
  symlinkSync(target, join(tree, name));
};

world.onOpen(() => {
  marker = join(world.folder(), 'marker');
  writeFileSync(marker, secret);
});

const programs = (): string[] =>
  ['/usr/bin/crun', '/usr/sbin/runc'].map((path) =>
    createHash('sha256').update(readFileSync(path)).digest('hex'),
  );

test('case 1: no container writes to the runtime through /proc/PID/exe', async () => {
  const intact = programs();
  // Tries every process that enters the container, and says WON if it could open what that one runs.
  const attack =
    'while :; do for p in /proc/[0-9]*; do case "$(readlink $p/exe)" in */busybox|"") ;; *) echo tried; (echo pwned >> $p/exe) 2>/dev/null && echo WON; esac; done; done';
  for (const runtime of runtimes) {
    await cli('run', '-d', '--name', `exe-${runtime}`, `--runtime=${runtime}`, 'busybox', 'sh', '-c', attack);
    for (let i = 0; i < 5; i += 1) await cli('exec', `exe-${runtime}`, 'true');
    const started = await attempt(`--runtime=${runtime}`, 'busybox', '/proc/self/exe', '--version');
    assert.doesNotMatch(started.stdout, /crun|runc version/);
    assert.doesNotMatch(await cli('logs', `exe-${runtime}`), /WON/);
    await cli('rm', '-f', `exe-${runtime}`);
  }
  assert.deepEqual(programs(), intact);
});

test('case 2: a working directory in /proc/self/fd leads nowhere, at the start and for an exec', async () => {
  const up = '../'.repeat(12);
  for (const runtime of runtimes) {
    for (const fd of [3, 7, 8]) {
      const { stdout } = await attempt(
        `--runtime=${runtime}`,
        '-w',
        `/proc/self/fd/${fd}`,
        'busybox',
        'cat',
        up + marker.slice(1),
      );
      assert.doesNotMatch(stdout, /only the host/, `${runtime}, descriptor ${fd}`);
    }
    await cli('run', '-d', '--name', `wd-${runtime}`, `--runtime=${runtime}`, 'busybox', 'sleep', '1000');
    for (const fd of [3, 7]) {
      const args = ['exec', '-w', `/proc/self/fd/${fd}`, `wd-${runtime}`, 'cat', up + marker.slice(1)];
      assert.doesNotMatch((await world.engine().run('slipway', args)).stdout, /only the host/);
    }
    await cli('rm', '-f', `wd-${runtime}`);
  }
});

test('case 3: a mount’s target that another container swaps for a link never lands on the host', async () => {
  const folder = world.folder();
  const swap = `cd /v; while :; do rm -rf t; mkdir t; rm -rf t; ln -s / t; rm -f t; ln -s ${folder} t; rm -f t; done`;
  await cli('run', '-d', '--name', 'swapper', '-v', 'race:/v', 'busybox', 'sh', '-c', swap);
  const before = readdirSync(folder).sort();
  for (const runtime of runtimes) {
    for (let i = 0; i < 3; i += 1) {
      const mounts = ['-v', 'race:/v', '--tmpfs', '/v/t/inner', '-v', 'other:/v/t'];
      const { stdout } = await attempt(
        `--runtime=${runtime}`,
        ...mounts,
        'busybox',
        'sh',
        '-c',
        `cat /v/t${marker} /v/t/marker 2>/dev/null; ls /v/t`,
      );
      assert.doesNotMatch(stdout, /only the host/);
    }
  }
  await cli('rm', '-f', 'swapper');
  assert.deepEqual(readdirSync(folder).sort(), before, 'nothing was made in the host folder');
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${folder}/inner `), false);
});

test('cases 4 and 5: a volume on /dev chooses neither what hides paths nor where the terminal is', async () => {
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
  const links: readonly (readonly [string, string])[] = [
    ['null', '/proc/sys/kernel/core_pattern'],
    ['null', '/proc/sysrq-trigger'],
    ['console', '/proc/sys/kernel/core_pattern'],
  ];
  for (const [name, target] of links) {
    const volume = join(world.folder(), `dev-${name}-${target.length}`);
    mkdirSync(volume);
    symlinkSync(target, join(volume, name));
    if (name === 'console') execFileSync('mknod', ['-m', '666', join(volume, 'null'), 'c', '1', '3']);
    for (const runtime of runtimes) {
      const write =
        'for f in /proc/keys /proc/kcore /dev/console; do echo "|/pwned" > $f; done; cat /proc/keys';
      const tty = name === 'console' ? ['-t'] : [];
      const { code, stdout } = await attempt(
        `--runtime=${runtime}`,
        ...tty,
        '-v',
        `${volume}:/dev`,
        'busybox',
        'sh',
        '-c',
        write,
      );
      assert.notEqual(code, 0);
      assert.doesNotMatch(stdout, /^core/m);
      assert.equal(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'), pattern);
    }
  }
  assert.equal(
    await world.run('-v', '/dev:/dev', 'busybox', 'sh', '-c', 'echo x > /dev/null; cat /proc/keys | wc -c'),
    '0',
  );
});

test('case 6: nothing is mounted over /proc, where the runtime would write for the container', async () => {
  await image('sly', (tree) => {
    symlinkSync('/proc', join(tree, 'data'));
    symlinkSync('/', join(tree, 'slash'));
  });
  const fake = join(world.folder(), 'fake-proc');
  mkdirSync(join(fake, 'self/attr'), { recursive: true });
  writeFileSync(join(fake, 'self/attr/exec'), '');
  for (const runtime of runtimes) {
    const refusals: readonly (readonly [string, string])[] = [
      ['busybox', '/proc'],
      ['busybox', '/proc/self/attr'],
      ['busybox', '/proc/sys/net'],
      ['sly:1', '/data'],
      ['sly:1', '/data/sys'],
      ['sly:1', '/slash/proc'],
    ];
    for (const [name, place] of refusals) {
      const { code, stderr } = await attempt(
        `--runtime=${runtime}`,
        '-v',
        `${fake}:${place}`,
        name,
        '/bin/true',
      );
      assert.equal(code, 125);
      assert.match(stderr, /because it is inside \/proc/, place);
    }
    assert.match(
      (await attempt(`--runtime=${runtime}`, '--tmpfs=/proc', 'busybox', 'true')).stderr,
      /inside \/proc/,
    );
    // What lxcfs does stays possible.
    assert.match(
      await world.run(
        `--runtime=${runtime}`,
        '-v',
        '/proc/uptime:/proc/uptime:ro',
        'busybox',
        'cat',
        '/proc/uptime',
      ),
      /^\d/,
    );
  }
  assert.equal(readFileSync(join(fake, 'self/attr/exec'), 'utf8'), '');
});

test('case 7: an image whose /dev, /proc or /sys is a link edits no file of the host', async () => {
  const folder = join(world.folder(), 'victim');
  mkdirSync(folder);
  writeFileSync(join(folder, 'null'), 'a file of the host\n');
  for (const name of ['dev', 'proc', 'sys']) {
    await image(`link-${name}`, (tree) => replace(tree, name, folder));
    for (const runtime of runtimes) {
      const { code, stderr } = await attempt(`--runtime=${runtime}`, `link-${name}:1`, '/bin/true');
      assert.equal(code, 125);
      assert.match(stderr, new RegExp(`/${name} is not a directory`));
    }
  }
  assert.deepEqual(readdirSync(folder), ['null']);
  assert.equal(readFileSync(join(folder, 'null'), 'utf8'), 'a file of the host\n');
  // The same by a former run of the container itself.
  await cli('create', '--name', 'turncoat', 'busybox', 'sh', '-c', 'true');
  await cli('start', '-a', 'turncoat');
  const merged = await world.inspect('turncoat', '{{.GraphDriver.Data.UpperDir}}');
  const root = join(merged, '../merged');
  await eventually('the run is cleared up', async () =>
    readFileSync('/proc/mounts', 'utf8').includes(root) ? undefined : true,
  );
  replace(merged, 'dev', folder);
  const again = await world.engine().run('slipway', ['start', 'turncoat']);
  assert.match(again.stderr, /\/dev is not a directory/);
  assert.deepEqual(readdirSync(folder), ['null']);
});

test('case 24: accounts without end in the image cost neither memory nor time', async () => {
  const pid = world.engine().pid();
  const resident = (): number =>
    Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const before = resident();
  const big = (path: string): void => {
    writeFileSync(path, 'root:x:0:0:root:/root:/bin/sh\n');
    execFileSync('truncate', ['-s', '16M', path]);
  };
  await image('sparse', (tree) => big(join(tree, 'etc/passwd')));
  await image('endless', (tree) => symlinkSync('/dev/zero', join(tree, 'etc/passwd')));
  await image('fifo', (tree) => execFileSync('mkfifo', [join(tree, 'etc/group')]));
  await image('long', (tree) => writeFileSync(join(tree, 'etc/group'), `x:x:5:${'a,'.repeat(1_500_000)}\n`));
  await image('outside', (tree) => symlinkSync('/../../../../../../etc/passwd', join(tree, 'etc/passwd')));
  const huge = await attempt('-u', 'nobody', 'sparse:1', '/bin/true');
  assert.match(huge.stderr, /larger than 4194304 bytes/);
  for (const name of ['endless', 'fifo', 'long', 'outside']) {
    const { stderr } = await attempt('-u', 'nobody', `${name}:1`, '/bin/true');
    assert.match(stderr, /unable to find user nobody: no matching entries in passwd file/, name);
    const own = await attempt('-u', '7', `${name}:1`, '/bin/cat', '/proc/self/status');
    assert.match(own.stdout, /^Uid:\t7\t/m, name);
  }
  assert.ok(resident() - before < 150_000, `grew by ${resident() - before} kB`);
});

test('case 27: nothing is inheritable, for the command, an exec and a privileged exec', async () => {
  for (const runtime of runtimes) {
    const name = `caps-${runtime}`;
    const look = ['grep', '-E', '^Cap(Inh|Amb)', '/proc/self/status'];
    const none = /^CapInh:\t0{16}\nCapAmb:\t0{16}$/;
    await cli(
      'run',
      '-d',
      '--name',
      name,
      `--runtime=${runtime}`,
      '--cap-add=ALL',
      'busybox',
      'sleep',
      '1000',
    );
    assert.match(await cli('exec', name, ...look), none);
    assert.match(await cli('exec', '--privileged', name, ...look), none);
    assert.match(await cli('exec', '-u', '1000', name, ...look), none);
    const status = readFileSync(`/proc/${await world.inspect(name, '{{.State.Pid}}')}/status`, 'utf8');
    assert.match(status, /^CapInh:\t0{16}$/m);
    await cli('rm', '-f', name);
  }
});

test('case 28: AF_ALG and AF_VSOCK are refused, through 32-bit socketcall too', async () => {
  const program = join(world.folder(), 'families');
  execFileSync('musl-gcc', ['-static', '-O1', '-o', program, join(import.meta.dirname, 'socket-families.c')]);
  const refusedAll = process.arch === 'x64' ? 'ynnnn' : 'ynn--';
  for (const runtime of runtimes) {
    const bound = [`--runtime=${runtime}`, '-v', `${program}:/families:ro`, 'busybox', '/families'];
    assert.equal(await world.run(...bound), refusedAll, runtime);
  }
  const name = 'families';
  await cli('run', '-d', '--name', name, '-v', `${program}:/families:ro`, 'busybox', 'sleep', '1000');
  assert.equal(await cli('exec', name, '/families'), refusedAll);
  await cli('rm', '-f', name);
});

test('the versions of the runtimes are in info, with what is open in them', async () => {
  const { body } = await world.api('GET', '/info');
  const { Runtimes, Warnings } = body as { Runtimes: Record<string, unknown>; Warnings: string[] | null };
  assert.deepEqual(Object.keys(Runtimes).sort(), ['crun', 'runc']);
  const version = (program: string): string =>
    /version (\S+)/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[1] ?? '';
  const old = version('runc').startsWith('1.1.');
  const named = (Warnings ?? []).some((words) => words.includes('runc') && words.includes('CVE-2025-31133'));
  assert.equal(named, old, JSON.stringify(Warnings));
});

test('a container that tried is gone with all it had', async () => {
  await eventually('no container is left', async () =>
    (await cli('ps', '-aq')).split('\n').length <= 1 ? true : undefined,
  );
});
