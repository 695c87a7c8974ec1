/** The process: user, groups, working directory, environment, init, limits of its own, how it ends; and the flags of the client. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../scenarios/engine.ts';
import { openWorld } from './world.ts';

const world = openWorld();
const { run, docker, refused, cli, inspect } = world;
const file = (name: string, text: string): string => {
  const path = join(world.folder(), name);
  writeFileSync(path, text);
  return path;
};

test('user and groups: numbers, names of the image, added groups', async () => {
  assert.equal(await run('--user=5:6', 'busybox', 'id'), 'uid=5 gid=6 groups=6');
  const ids = ['busybox', 'sh', '-c', 'id -u; id -g; id -G'];
  assert.equal(await run('--user=nobody', ...ids), '65534\n65534\n65534');
  assert.equal(await run('--user=1000', ...ids), '1000\n0\n0');
  assert.equal(await run('--user=0:7', '--group-add=8', '--group-add=nogroup', ...ids), '0\n7\n7 8 65534');
  assert.match(
    (await refused('--user=ghost', 'busybox', 'true')).stderr,
    /unable to find user ghost: no matching entries in passwd file/,
  );
  assert.match((await refused('--user=0:ghost', 'busybox', 'true')).stderr, /unable to find group ghost/);
  assert.match((await refused('--group-add=ghost', 'busybox', 'true')).stderr, /Unable to find group ghost/);
  assert.match(
    (await refused('--user=-5', 'busybox', 'true')).stderr,
    /uids and gids must be in range 0-2147483647/,
  );
});

test('working directory: made, with its parents; a relative one is refused', async () => {
  assert.equal(
    await run('--workdir=/made/by/us', 'busybox', 'sh', '-c', 'pwd; stat -c %a%u /made'),
    '/made/by/us\n7550',
  );
  assert.match(
    (await refused('-w', 'somewhere', 'busybox', 'true')).stderr,
    /is invalid, it needs to be an absolute path/,
  );
  assert.match((await refused('-w', '/etc/passwd', 'busybox', 'true')).stderr, /not a directory/i);
});

test('environment: flags over files, names without a value from the client', async () => {
  const env = file('env', '# comment\nONE=file\nTWO=file\nPATH_OF_CLIENT_MISSING\n');
  const show = ['busybox', 'sh', '-c', 'echo $ONE $TWO $HOSTNAME $HOME'];
  assert.equal(await run(`--env-file=${env}`, '-e', 'TWO=flag', '-h', 'box', ...show), 'file flag box /root');
  assert.match((await refused('-e', '=x', 'busybox', 'true')).stderr, /invalid environment variable: =x/);
  const odd = file('odd', 'A B=1\n');
  assert.match((await refused(`--env-file=${odd}`, 'busybox', 'true')).stderr, /contains whitespaces/);
});

test('labels, annotations and the id file', async () => {
  const labels = file('labels', 'from=file\nboth=file\n');
  const id = join(world.folder(), 'id');
  const args = [
    `--label-file=${labels}`,
    '-l',
    'both=flag',
    `--cidfile=${id}`,
    '--annotation=org.example.x=y',
  ];
  await cli('run', '-d', '--name', 'labelled', ...args, 'busybox', 'sleep', '1000');
  assert.equal(await inspect('labelled', '{{json .Config.Labels}}'), '{"both":"flag","from":"file"}');
  assert.equal(readFileSync(id, 'utf8'), await inspect('labelled', '{{.Id}}'));
  assert.equal(await inspect('labelled', '{{json .HostConfig.Annotations}}'), '{"org.example.x":"y"}');
  // The OCI runtime, and whoever hooks into it, sees them in its own configuration.
  const bundle = join(world.engine().folder, 'run/bundles', readFileSync(id, 'utf8'), 'config.json');
  const config = JSON.parse(readFileSync(bundle, 'utf8')) as { annotations: Record<string, string> };
  assert.equal(config.annotations['org.example.x'], 'y');
  assert.match((await refused(`--cidfile=${id}`, 'busybox', 'true')).stderr, /container ID file found/);
  await cli('rm', '-f', 'labelled');
});

test('init: tini is the first process, reaps, and passes signals on', async () => {
  const ps = await run('--init', 'busybox', 'ps', '-o', 'pid,args');
  assert.match(ps, /^\s*1 \/sbin\/docker-init -- ps/m);
  assert.doesNotMatch(await run('busybox', 'ps', '-o', 'pid,args'), /docker-init/);
});

test('ulimits', async () => {
  const limits = ['busybox', 'sh', '-c', 'ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -u'];
  const set = ['--ulimit=nofile=100:200', '--ulimit=core=-1', '--ulimit=nproc=5000'];
  assert.equal(await run(...set, ...limits), '100\n200\nunlimited\n5000');
  assert.match(
    (await refused('--ulimit=nofile=5:2', 'busybox', 'true')).stderr,
    /soft limit must be less than or equal to hard limit: 5 > 2/,
  );
  assert.match((await refused('--ulimit=fun=5', 'busybox', 'true')).stderr, /invalid ulimit type: fun/);
});

test('out-of-memory score, with the kernel’s range', async () => {
  assert.equal(await run('--oom-score-adj=500', 'busybox', 'cat', '/proc/self/oom_score_adj'), '500');
  assert.match(
    (await refused('--oom-score-adj=5000', 'busybox', 'true')).stderr,
    /range for oom score adj is \[-1000, 1000\]/,
  );
});

test('a read-only root, but for tmpfs and volumes', async () => {
  const write = 'touch /x 2>/dev/null || echo -n ro; touch /t/x /v/x && echo rw';
  assert.equal(await run('--read-only', '--tmpfs=/t', '-v', '/v', 'busybox', 'sh', '-c', write), 'rorw');
});

test('stop signal and stop timeout', async () => {
  const trap = [
    'busybox',
    'sh',
    '-c',
    'trap "exit 5" USR1; trap "" TERM; echo up; while :; do sleep 0.1; done',
  ];
  await cli('run', '-d', '--name', 'usr', '--stop-signal=USR1', ...trap);
  await eventually('the trap is set', async () => ((await cli('logs', 'usr')) === 'up' ? true : undefined));
  await cli('stop', 'usr');
  assert.equal(await inspect('usr', '{{.State.ExitCode}}'), '5');
  await cli('run', '-d', '--name', 'deaf', '--stop-timeout=1', ...trap);
  await eventually('the trap is set', async () => ((await cli('logs', 'deaf')) === 'up' ? true : undefined));
  await cli('stop', 'deaf');
  assert.equal(await inspect('deaf', '{{.State.ExitCode}} {{.Config.StopTimeout}}'), '137 1');
  assert.match((await refused('--stop-signal=BANG', 'busybox', 'true')).stderr, /invalid signal: BANG/i);
  await cli('rm', 'usr', 'deaf');
});

test('entrypoint, tty, interactive, attach, exit codes', async () => {
  const { engine } = world;
  assert.equal(await run('--entrypoint=echo', 'busybox', 'hello'), 'hello');
  assert.equal(await run('-t', 'busybox', 'sh', '-c', 'test -t 1 && echo tty'), 'tty');
  assert.equal(await engine().ok('slipway', ['run', '--rm', '-i', 'busybox', 'cat'], 'typed'), 'typed');
  const only = await engine().run('slipway', [
    'run',
    '--rm',
    '-a',
    'stderr',
    'busybox',
    'sh',
    '-c',
    'echo out; echo err >&2',
  ]);
  assert.deepEqual([only.stdout, only.stderr], ['', 'err\n']);
  assert.equal((await engine().run('docker', ['run', '--rm', 'busybox', 'sh', '-c', 'exit 7'])).code, 7);
});

test('runtime, platform and pull', async () => {
  await cli('create', '--name', 'on-runc', '--runtime=runc', 'busybox', 'true');
  assert.equal(await inspect('on-runc', '{{.HostConfig.Runtime}}'), 'runc');
  await cli('start', '-a', 'on-runc');
  await cli('rm', 'on-runc');
  assert.match(
    (await refused('--runtime=gvisor', 'busybox', 'true')).stderr,
    /unknown or invalid runtime name: gvisor/,
  );
  assert.equal(await run('--platform=linux/amd64', 'busybox', 'echo', 'here'), 'here');
  const other = await refused('--platform=linux/s390x', '--pull=never', 'busybox', 'true');
  assert.match(other.stderr, /does not match the specified platform|No such image/);
  assert.match(
    (await refused('--pull=never', 'no-such-image', 'true')).stderr,
    /No such image: no-such-image:latest/,
  );
  assert.match(
    (await refused('--pull=sometimes', 'busybox', 'true')).stderr,
    /invalid pull option: 'sometimes'/,
  );
});

test('what is not for this system is refused, or warned about, and never passed over', async () => {
  const says = async (words: RegExp, ...args: string[]): Promise<void> => {
    assert.match((await refused(...args, 'busybox', 'true')).stderr, words);
  };
  await says(/--storage-opt is supported only for overlay over xfs with 'pquota'/, '--storage-opt=size=10m');
  await says(/Unknown option colour/, '--storage-opt=colour=red');
  const create = async (host: object): Promise<{ status: number; body: unknown }> =>
    await world.api('POST', '/containers/create', { Image: 'busybox', Cmd: ['true'], HostConfig: host });
  const percent = await create({ CpuPercent: 5, CpuCount: 1 });
  assert.deepEqual((percent.body as { Warnings: string[] }).Warnings, [
    'linux does not support CPU percent. Percent discarded.',
    'linux does not support CPU count. Count discarded.',
  ]);
  assert.match(JSON.stringify((await create({ IOMaximumIOps: 5 })).body), /Invalid QoS settings/);
  assert.match(JSON.stringify((await create({ IOMaximumBandwidth: 5 })).body), /Invalid QoS settings/);
  await says(/only supported on .* windows/, '--cpu-count=1');
  await says(/only supported on .* windows/, '--cpu-percent=1');
  await says(/only supported on .* windows/, '--io-maxiops=1');
  await says(/only supported on .* windows/, '--io-maxbandwidth=1m');
});

test('what is of the past or of the image alone changes nothing', async () => {
  const past = await world
    .engine()
    .run('slipway', [
      'run',
      '--rm',
      '--kernel-memory=10m',
      '--disable-content-trust=false',
      'busybox',
      'true',
    ]);
  assert.equal(past.code, 0);
  assert.match(past.stderr, /content trust is not verified/);
  const socket = await run(
    '--use-api-socket',
    'busybox',
    'sh',
    '-c',
    'test -S /var/run/docker.sock && echo socket',
  );
  assert.equal(socket, 'socket');
  const ofImage = {
    Image: 'busybox',
    Cmd: ['echo', 'ran'],
    ArgsEscaped: true,
    OnBuild: ['RUN x'],
    Shell: ['/bin/sh'],
    HostConfig: { Cgroup: '' },
  };
  const made = await world.api('POST', '/containers/create', ofImage);
  assert.equal(made.status, 201);
  assert.equal(await cli('start', '-a', (made.body as { Id: string }).Id), 'ran');
  assert.match((await world.engine().run('slipway', ['run', '--help'])).stdout, /--use-api-socket/);
});

test('the docker CLI’s flags of the same names', async () => {
  const id = join(world.folder(), 'docker-id');
  assert.equal(
    await docker('--user=nobody', '-w', '/made', `--cidfile=${id}`, 'busybox', 'sh', '-c', 'id -u; pwd'),
    '65534\n/made',
  );
  assert.equal(existsSync(id), true);
});
