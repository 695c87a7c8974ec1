/**
 * `--userns-remap` on the real kernel: which ids containers have and which their files have, on disk, in images, volumes and copies;
 * what a container's root still cannot do to the host; what dockerd refuses is refused; nothing is left.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { encodeHeader, simpleHeader, tarEnd, tarEntries, tarPadding } from '../../src/core/tar/index.ts';
import { eventually, runProgram, type Outcome } from '../scenarios/engine.ts';
import { startRemapped, type Remapped } from './userns-world.ts';

const runtimes = ['crun', 'runc'];
const first = 100_000;
let world: Remapped;
let folder = '';

before(async () => {
  world = await startRemapped('--userns-remap=default');
  folder = world.engine.folder;
});
after(async () => {
  await world.close();
});

const cli = (...args: string[]): Promise<string> => world.engine.ok('slipway', args);
const attempt = (...args: string[]): Promise<Outcome> => world.engine.run('slipway', args);
const run = (...args: string[]): Promise<string> => cli('run', '--rm', ...args);
const sh = (script: string): string[] => ['busybox', 'sh', '-c', script];

/** `uid gid` of files, as `stat` prints them, run on the host in the engine's mount namespace. */
const ownersOnHost = (...paths: string[]): string[] => {
  const [program = '', ...args] = [...world.inside, 'stat', '-c', '%u %g', ...paths];
  return execFileSync(program, args, { encoding: 'utf8' }).trim().split('\n');
};

/** As `a/b`, a path for each line that tar's list has. */
async function listed(archive: Buffer): Promise<readonly string[]> {
  const { stdout } = await runProgram('tar', ['--numeric-owner', '-tvf', '-'], archive);
  return stdout.split('\n').map((line) => line.replace(/^\S+\s+(\S+)\s+\d+\s+\S+\s+\S+\s+/, '$1 '));
}

async function archiveFrom(...args: string[]): Promise<Buffer> {
  const [program, base] = ['docker', ['-H', `unix://${world.engine.socket}`]];
  return execFileSync(program, [...base, ...args], { maxBuffer: 64 << 20 });
}

test('the daemon makes dockremap and tells that users are remapped', async () => {
  const made = execFileSync(world.inside[0] ?? '', [
    ...world.inside.slice(1),
    'cat',
    '/etc/subuid',
  ]).toString();
  assert.match(made, /^dockremap:100000:65536$/m);
  assert.match(await cli('info', '--format', '{{json .SecurityOptions}}'), /"name=userns"/);
});

for (const runtime of runtimes) {
  test(`${runtime}: root inside is nobody outside, and the image's files are root's inside`, async () => {
    const script =
      'cat /proc/self/uid_map /proc/self/gid_map; stat -c "%n %u %g" / /bin/busybox /etc/hosts /etc/resolv.conf /dev /dev/shm; grep Seccomp: /proc/self/status; echo again > /dev/stdout; ping -c1 -W5 127.0.0.1 | grep -c "0% packet"';
    const said = (await run(`--runtime=${runtime}`, ...sh(script))).split('\n');
    const map = said.slice(0, 2).map((line) => line.trim().split(/\s+/).map(Number));
    assert.deepEqual(map, [
      [0, first, 65_536],
      [0, first, 65_536],
    ]);
    const paths = ['/', '/bin/busybox', '/etc/hosts', '/etc/resolv.conf', '/dev', '/dev/shm'];
    assert.deepEqual(said.slice(2), [...paths.map((path) => `${path} 0 0`), 'Seccomp:\t2', 'again', '1']);
  });

  test(`${runtime}: streams, terminals, execs and health checks; the host's /dev/null stays root's`, async () => {
    const name = `streams-${runtime}`;
    const health = ['--health-cmd', 'test "$(stat -c %u /etc/hosts)" = 0', '--health-interval', '100ms'];
    await cli(
      'run',
      '-d',
      '--name',
      name,
      `--runtime=${runtime}`,
      ...health,
      '-t',
      '-u',
      '1000',
      'busybox',
      'cat',
    );
    await eventually('healthy', async () =>
      (await cli('inspect', '--format', '{{.State.Health.Status}}', name)) === 'healthy' ? true : undefined,
    );
    const pid = await cli('inspect', '--format', '{{.State.Pid}}', name);
    assert.equal(statSync(`/proc/${pid}`).uid, first + 1000);
    const identity = 'id -u; id -g; grep CapEff /proc/self/status; cat';
    const exec = await world.engine.ok(
      'docker',
      ['exec', '-i', '-u', '7:8', name, 'sh', '-c', identity],
      'from stdin\n',
    );
    assert.deepEqual(exec.split('\n'), ['7', '8', 'CapEff:\t0000000000000000', 'from stdin']);
    const terminal = await cli('exec', '-t', name, 'sh', '-c', 'tty; stat -c "%u %g" $(tty)');
    assert.deepEqual(terminal.split(/\r?\n/), ['/dev/pts/1', '1000 5']);
    await cli('exec', '-d', name, 'true');
    assert.match(
      await cli('exec', '--privileged', '-u', '0', name, 'grep', 'CapEff', '/proc/self/status'),
      /ffffff$/,
    );
    // The runtime gives the descriptors that a process starts with to that process's user.
    assert.deepEqual([statSync('/dev/null').uid, statSync('/dev/null').gid], [0, 0]);
    await cli('rm', '-f', name);
  });

  test(`${runtime}: what a container's root cannot do to the host`, async () => {
    const secret = join(folder, `secret-${runtime}`);
    mkdirSync(secret);
    writeFileSync(join(secret, 'file'), 'the host’s', { mode: 0o600 });
    const attacks = [
      'cat /secret/file',
      'echo x > /secret/file',
      'rm /secret/file',
      'touch /secret/new',
      'chmod 777 /secret',
      'chown 0:0 /secret/file',
      'mknod /dev/sda b 8 0',
      'mknod /secret/null c 1 3',
      'chmod 000 /dev/null',
      'echo x > /proc/sys/kernel/core_pattern',
      'mount -t tmpfs none /mnt',
      'ip link set lo down',
    ];
    const script = attacks.map((attack) => `(${attack}) 2>/dev/null && echo "WON: ${attack}"`).join('; ');
    // With all capabilities of its own namespace, too.
    for (const more of [[], ['--cap-add=ALL', '--security-opt=seccomp=unconfined']]) {
      const options = [`--runtime=${runtime}`, '-v', `${secret}:/secret`, ...more];
      const { stdout } = await attempt('run', '--rm', ...options, ...sh(script));
      const won = stdout.split('\n').filter((line) => line.startsWith('WON'));
      // Its own mounts and network are its own.
      const own = ['WON: mount -t tmpfs none /mnt', 'WON: ip link set lo down'];
      assert.deepEqual(
        won.filter((line) => more.length === 0 || !own.includes(line)),
        [],
      );
    }
    assert.equal(readFileSync(join(secret, 'file'), 'utf8'), 'the host’s');
    assert.deepEqual([statSync(secret).mode & 0o777, statSync('/dev/null').mode & 0o777], [0o755, 0o666]);
  });

  test(`${runtime}: the network is the container's own, and can be shared with its processes`, async () => {
    const name = `net-${runtime}`;
    const options = ['--cap-add=NET_ADMIN', '--sysctl', 'net.ipv4.ip_forward=1', '--ipc=shareable'];
    await cli('run', '-d', '--name', name, `--runtime=${runtime}`, ...options, 'busybox', 'sleep', '1000');
    const set =
      'ip link set lo mtu 1400 && ip addr add 10.1.2.3/32 dev lo && cat /proc/sys/net/ipv4/ip_forward';
    assert.equal(await cli('exec', name, 'sh', '-c', set), '1');
    const joins = [`--network=container:${name}`, `--pid=container:${name}`, `--ipc=container:${name}`];
    const seen = 'ip addr show dev lo | grep -c 10.1.2.3; cat /proc/1/comm; touch /dev/shm/x; ls /dev/mqueue';
    assert.deepEqual((await run(`--runtime=${runtime}`, ...joins, ...sh(seen))).split('\n').slice(0, 2), [
      '1',
      'sleep',
    ]);
    assert.equal(await cli('exec', name, 'stat', '-c', '%u', '/dev/shm/x'), '0');
    // Its processes alone: the network is new, but must be of the same users.
    const alone = await run(
      `--runtime=${runtime}`,
      joins[1] ?? '',
      ...sh('ip addr show eth0 | grep -c inet; cat /proc/1/comm'),
    );
    assert.deepEqual(alone.split('\n'), ['1', 'sleep']);
    await cli('rm', '-f', name);
  });
}

test('files: on disk and in images with the ids inside, in volumes and binds with those outside', async () => {
  const bind = join(folder, 'new', 'bind');
  const write =
    'echo hello > /f; chown 5:6 /f; mkdir /d; touch /d/g /v/x /b/y; rm -r /home; ln /f /l; chown 70:71 /v/x';
  const options = ['-v', 'own:/v', '-v', `${bind}:/b`, '-w', '/made/here', '--name', 'files'];
  await cli('run', ...options, ...sh(write));
  assert.deepEqual(
    ownersOnHost(join(folder, 'new'), bind, join(bind, 'y')),
    Array(3).fill(`${first} ${first}`),
  );
  const data = join(folder, 'data/volumes/own/_data');
  assert.deepEqual(ownersOnHost(data, join(data, 'x')), [`${first} ${first}`, `${first + 70} ${first + 71}`]);
  const upper = join(await cli('inspect', '--format', '{{.GraphDriver.Data.UpperDir}}', 'files'));
  const onDisk = ['f', 'd', 'd/g', 'made', 'made/here', '.'].map((path) => join(upper, path));
  assert.deepEqual(ownersOnHost(...onDisk), ['5 6', ...Array<string>(5).fill('0 0')]);
  assert.match(await cli('diff', 'files'), /^D \/home$/m);
  await cli('commit', 'files', 'committed');
  const script = 'stat -c "%n %u %g" /f /l /d/g /made/here; ls / | grep -c home';
  const expected = ['/f 5 6', '/l 5 6', '/d/g 0 0', '/made/here 0 0', '0'];
  for (const how of [[], ['--userns=host'], ['--runtime=runc']]) {
    const { stdout } = await attempt('run', '--rm', ...how, 'committed', 'sh', '-c', script);
    assert.deepEqual(stdout.trim().split('\n'), expected);
  }
  const mounted = '--mount=type=image,source=committed,target=/image';
  assert.equal(await run(mounted, ...sh('stat -c "%u %g" /image/f')), '5 6');
  // What an image has at a volume's place is copied with its owners.
  await cli('run', '--rm', '-v', 'filled:/d', 'committed', 'true');
  const filled = join(folder, 'data/volumes/filled/_data');
  assert.deepEqual(ownersOnHost(filled, join(filled, 'g')), Array(2).fill(`${first} ${first}`));
  assert.ok((await listed(await archiveFrom('export', 'files'))).includes('5/6 f'));
});

test('copies name the ids inside, of running and of stopped containers', async () => {
  const source = join(folder, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'u'), 'u');
  const archive = execFileSync('tar', ['--owner=7', '--group=8', '-C', source, '-cf', '-', 'u']);
  await cli('run', '-d', '--name', 'copies', '-v', 'copied:/v', 'busybox', 'sleep', '1000');
  for (const state of ['running', 'stopped']) {
    if (state === 'stopped') await cli('stop', '-t', '0', 'copies');
    for (const target of ['/tmp', '/v'])
      await world.engine.ok('docker', ['cp', '-a', '-', `copies:${target}`], archive);
    for (const path of ['/tmp/u', '/v/u'])
      assert.deepEqual((await listed(await archiveFrom('cp', `copies:${path}`, '-')))[0], '7/8 u', state);
    const data = join(folder, 'data/volumes/copied/_data');
    assert.deepEqual(ownersOnHost(join(data, 'u')), [`${first + 7} ${first + 8}`]);
    // What the host's root owns is nobody's inside.
    if (state === 'running')
      assert.ok(
        (await listed(await archiveFrom('cp', 'copies:/proc/version', '-')))[0]?.startsWith('65534/65534 '),
      );
  }
  const far = execFileSync('tar', ['--owner=70000', '--group=0', '-C', source, '-cf', '-', 'u']);
  const refused = await world.engine.run('docker', ['cp', '-a', '-', 'copies:/tmp'], far);
  assert.match(refused.stderr, /container ID 70000 cannot be mapped to a host ID/);
  await cli('start', 'copies');
  assert.equal(await cli('exec', 'copies', 'stat', '-c', '%u %g', '/tmp/u'), '7 8');
  await cli('rm', '-f', 'copies');
});

test('capabilities of a file hold inside, in the image of what was copied in, and in copies out of it', async () => {
  const program = readFileSync('/bin/busybox');
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
  const header = simpleHeader('cap/busybox', {
    mode: 0o755,
    size: program.length,
    xattrs: new Map([['security.capability', capability]]),
  });
  const archive = Buffer.concat([encodeHeader(header), program, tarPadding(program.length), tarEnd]);
  await cli('run', '-d', '--name', 'capable', 'busybox', 'sleep', '1000');
  await world.engine.ok('docker', ['cp', '-', 'capable:/'], archive);
  const effective = ['/cap/busybox', 'grep', 'CapEff', '/proc/self/status'];
  const raw = 'CapEff:\t0000000000002000';
  assert.equal(await cli('exec', '-u', '1000', 'capable', ...effective), raw);
  await cli('commit', 'capable', 'capable');
  for (const users of [[], ['--userns=host']])
    assert.equal(await run('-u', '1000', ...users, 'capable', ...effective), raw);
  for await (const { header: out } of tarEntries(
    Readable.from([await archiveFrom('cp', 'capable:/cap/busybox', '-')]),
  ))
    assert.deepEqual(out.xattrs.get('security.capability'), capability);
  await cli('rm', '-f', 'capable');
});

test('what needs the host’s users is refused in dockerd’s words, and runs with --userns=host', async () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    [
      '--privileged',
      /privileged mode is incompatible with user namespaces\. {2}You must run the container in the host namespace/,
    ],
    ['--network=host', /cannot share the host's network namespace when user namespaces are enabled/],
    ['--pid=host', /cannot share the host PID namespace when user namespaces are enabled/],
  ];
  for (const [option, words] of refusals) {
    const refused = await attempt('run', '--rm', option, 'busybox', 'true');
    assert.match(refused.stderr, words);
    const map = await run('--userns=host', option, 'busybox', 'cat', '/proc/self/uid_map');
    assert.match(map, /^\s*0\s+0\s+4294967295$/);
  }
  await cli('run', '-d', '--name', 'hosts', '--userns=host', 'busybox', 'sleep', '1000');
  assert.equal(await cli('inspect', '--format', '{{.HostConfig.UsernsMode}}', 'hosts'), 'host');
  const joined = await attempt('run', '--rm', '--network=container:hosts', 'busybox', 'true');
  assert.match(joined.stderr, /cannot join namespaces of container .*, which has the host's users/);
  await cli('rm', '-f', 'hosts');
  assert.equal(await cli('ps', '-aq', '--filter', 'status=created'), '');
});

test('containers go on when the daemon is killed, and nothing is left in the end', async () => {
  await cli('rm', '-f', ...(await cli('ps', '-aq')).split('\n'));
  await cli('run', '-d', '--name', 'lasting', '--restart=always', 'busybox', 'sleep', '1000');
  const pid = await cli('inspect', '--format', '{{.State.Pid}}', 'lasting');
  await world.engine.kill();
  await world.engine.start();
  assert.equal(await cli('inspect', '--format', '{{.State.Pid}}', 'lasting'), pid);
  assert.equal(await cli('exec', 'lasting', 'sh', '-c', 'touch /z; stat -c %u /z'), '0');
  await world.engine.kill();
  process.kill(Number(pid), 'SIGKILL');
  await world.engine.start();
  await eventually('started again', async () => {
    const again = await cli('inspect', '--format', '{{.State.Running}} {{.State.Pid}}', 'lasting');
    return again.startsWith('true') && ![' 0', ` ${pid}`].some((end) => again.endsWith(end))
      ? true
      : undefined;
  });
  assert.match(await cli('exec', 'lasting', 'cat', '/proc/1/uid_map'), /100000/);
  await cli('rm', '-f', 'lasting');
  const mounts = (): string[] => {
    const [program, ...args] = [...world.inside, 'cat', '/proc/self/mountinfo'];
    const lines = execFileSync(program, args, { encoding: 'utf8' }).split('\n');
    return lines.filter((line) => line.includes(`${folder}/data`) && line.includes(' overlay '));
  };
  await eventually('no layers mounted', async () => (mounts().length === 0 ? true : undefined));
  const held = execFileSync('ls', ['-l', `/proc/${world.engine.pid()}/fd`], { encoding: 'utf8' });
  assert.equal(held.match(/user:\[/g), null);
});

test('the option may come and go: who runs keeps the ids, the next start has the new ones', async () => {
  const map = (name: string): Promise<string> => cli('exec', name, 'cat', '/proc/1/uid_map');
  const copied = async (): Promise<string | undefined> =>
    (await listed(await archiveFrom('cp', 'changing:/f', '-')))[0];
  await cli('run', '-d', '--name', 'changing', ...sh('echo x > /f; chown 5:6 /f; exec sleep 1000'));
  await world.engine.kill();
  await world.engine.start([]);
  assert.match(await map('changing'), /100000/);
  assert.equal(await copied(), '5/6 f');
  assert.ok((await listed(await archiveFrom('export', 'changing'))).includes('5/6 f'));
  await cli('stop', '-t', '0', 'changing');
  assert.equal(await copied(), '5/6 f');
  await cli('start', 'changing');
  assert.match(await map('changing'), /4294967295/);
  assert.equal(await cli('exec', 'changing', 'stat', '-c', '%u %g', '/f'), '5 6');
  await cli('create', '--name', 'mighty', '--privileged', 'busybox', 'true');
  await world.engine.kill();
  await world.engine.start();
  assert.match(await map('changing'), /4294967295/);
  assert.equal(await copied(), '5/6 f');
  await cli('restart', '-t', '0', 'changing');
  assert.match(await map('changing'), /100000/);
  assert.equal(await copied(), '5/6 f');
  assert.match(
    (await attempt('start', 'mighty')).stderr,
    /privileged mode is incompatible with user namespaces/,
  );
  await cli('rm', '-f', 'changing', 'mighty');
});

test('a data root whose way is closed to the containers’ root is named', async () => {
  const closed = join(folder, 'closed');
  mkdirSync(join(closed, 'data'), { recursive: true });
  chmodSync(closed, 0o700);
  const [program, ...args] = [
    ...world.inside,
    join(import.meta.dirname, '../../dist/bin/slipwayd'),
    '--userns-remap=default',
    `--data-root=${join(closed, 'data')}`,
    `--run-root=${join(closed, 'run')}`,
    '--instance=closed',
    `--host=unix://${closed}/s.sock`,
  ];
  const { code, stderr, stdout } = await runProgram(program, args);
  assert.notEqual(code, 0);
  assert.match(
    stderr + stdout,
    /restricts access to the remapped root uid\/gid; please fix by allowing 'o\+x'/,
  );
});
