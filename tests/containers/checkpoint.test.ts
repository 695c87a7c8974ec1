/** Checkpoint and restore by real criu and runc, through the built engine and command. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { call } from '../crash/convergence.ts';
import { startRemapped } from '../security/userns-world.ts';
import { eventually, type Engine } from '../scenarios/engine.ts';
import { counted, reaches, runCounter, startCheckpointEngine } from './checkpoint-world.ts';

let engine: Engine;
before(async () => {
  // Without the flag the docker CLI shows none of its commands for checkpoints.
  engine = await startCheckpointEngine(['--experimental']);
});
after(async () => {
  await engine.close();
});

const cli = async (...args: string[]): Promise<string> => await engine.ok('slipway', args);
const inspect = async (name: string, format: string): Promise<string> =>
  await cli('inspect', name, '--format', format);
const post = async (path: string, body?: object): ReturnType<typeof call> =>
  await call(engine.socket, 'POST', path, body);

test('a counter is written, ends with 137, and counts on from there with log, exec and exit code', async () => {
  await runCounter(engine, 'counter', '--memory', '64m');
  assert.equal(await cli('checkpoint', 'create', 'counter', 'c1'), 'c1');
  assert.equal(
    await inspect('counter', '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}'),
    'exited 137 false',
  );
  const before = await counted(engine, 'counter');
  assert.equal(await cli('checkpoint', 'ls', 'counter'), 'CHECKPOINT NAME\nc1');
  const follower = engine.background('slipway', ['start', '-a', '--checkpoint', 'c1', 'counter']);
  let seen = '';
  follower.stdout?.on('data', (data: Buffer) => (seen += data.toString()));

  const last = before.at(-1) ?? 0;
  const numbers = await reaches(engine, 'counter', last + 3);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
    'no number is missing or said twice: it was frozen when its memory was written',
  );
  await eventually('the client that started it sees its output', async () =>
    seen.includes(`n ${last + 2}\n`) ? true : undefined,
  );
  assert.equal(await cli('exec', 'counter', 'echo', 'inside'), 'inside');
  const pid = await inspect('counter', '{{.State.Pid}}');
  assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(engine.instance));
  assert.match(await cli('stats', '--no-stream', '--format', '{{.MemUsage}}', 'counter'), / \/ 64MiB$/);
  await cli('kill', '-s', 'TERM', 'counter');
  assert.equal(await cli('wait', 'counter'), '7');
  await eventually('the client ends, too', async () => follower.exitCode ?? undefined);
  assert.equal(follower.exitCode, 7);
  await cli('checkpoint', 'rm', 'counter', 'c1');
  assert.equal(await cli('checkpoint', 'ls', 'counter'), 'CHECKPOINT NAME');
});

test('--leave-running leaves it running, paused or not, and the checkpoint can be restored later', async () => {
  await runCounter(engine, 'running');
  const pid = await inspect('running', '{{.State.Pid}}');
  await cli('checkpoint', 'create', '--leave-running', 'running', 'live');
  const at = (await counted(engine, 'running')).at(-1) ?? 0;
  await reaches(engine, 'running', at + 2);
  assert.equal(await inspect('running', '{{.State.Status}} {{.State.Pid}}'), `running ${pid}`);
  await cli('pause', 'running');
  await cli('checkpoint', 'create', '--leave-running', 'running', 'paused');
  assert.equal(await inspect('running', '{{.State.Status}}'), 'paused');
  await cli('unpause', 'running');
  assert.equal(await cli('checkpoint', 'ls', 'running'), 'CHECKPOINT NAME\nlive\npaused');
  await cli('rm', '-f', '-v', 'running');
});

test('stdin, volumes, tmpfs, health check and published port come back', async () => {
  await cli('volume', 'create', 'kept');
  const options = ['-i', '-v', 'kept:/kept', '--tmpfs', '/scratch', '--init', '-p', '127.0.0.1::80'];
  const health = ['--health-cmd', 'true', '--health-interval', '500ms'];
  const script = 'echo memory > /scratch/a; echo disk > /kept/a; read x; echo got $x; exit 5';
  const args = ['run', '-d', '--name', 'full', '--runtime', 'runc', ...options, ...health];
  await cli(...args, 'busybox', 'sh', '-c', script);
  await eventually('its files are there', async () =>
    (await engine.run('slipway', ['exec', 'full', 'cat', '/kept/a'])).stdout === 'disk\n' ? true : undefined,
  );
  await cli('checkpoint', 'create', 'full', 'c1');
  await cli('start', '--checkpoint', 'c1', 'full');
  assert.equal(await cli('exec', 'full', 'cat', '/scratch/a', '/kept/a'), 'memory\ndisk');
  assert.match(await cli('port', 'full'), /^80\/tcp -> 127\.0\.0\.1:\d+$/);
  await eventually('healthy again', async () =>
    (await inspect('full', '{{.State.Health.Status}}')) === 'healthy' ? true : undefined,
  );
  const attached = await engine.run('slipway', ['attach', 'full'], 'a line\n');
  assert.deepEqual([attached.code, attached.stdout], [5, 'got a line\n']);
  await cli('rm', 'full');
  await cli('volume', 'rm', 'kept');
});

test('a terminal comes back, with its size', async () => {
  await runCounter(engine, 'screen', '-t');
  await cli('checkpoint', 'create', 'screen', 'c1');
  const last = (await counted(engine, 'screen')).at(-1) ?? 0;
  await cli('start', '--checkpoint', 'c1', 'screen');
  await reaches(engine, 'screen', last + 2);
  assert.equal((await post('/containers/screen/resize?h=30&w=90')).status, 200);
  // By the terminal of the first process: the one that the shim holds the other end of.
  assert.equal(await cli('exec', 'screen', 'sh', '-c', 'stty size < /proc/1/fd/0'), '30 90');
  await cli('kill', '-s', 'TERM', 'screen');
  assert.equal(await cli('wait', 'screen'), '7');
  await cli('rm', 'screen');
});

test('a folder outside holds checkpoints that outlive the container, and can be started from', async () => {
  const directory = join(engine.folder, 'outside');
  await runCounter(engine, 'away');
  await cli('checkpoint', 'create', '--checkpoint-dir', directory, 'away', 'c1');
  assert.equal(await cli('checkpoint', 'ls', 'away'), 'CHECKPOINT NAME');
  assert.equal(await cli('checkpoint', 'ls', '--checkpoint-dir', directory, 'away'), 'CHECKPOINT NAME\nc1');
  const last = (await counted(engine, 'away')).at(-1) ?? 0;
  await cli('start', '--checkpoint', 'c1', '--checkpoint-dir', directory, 'away');
  await reaches(engine, 'away', last + 2);
  const id = await inspect('away', '{{.Id}}');
  const own = join(engine.folder, 'data/containers', id, 'checkpoints');
  assert.deepEqual(readdirSync(own), [], 'the copy that it was started from is gone');
  await cli('checkpoint', 'create', 'away', 'own');
  await cli('rm', 'away');
  assert.equal(existsSync(own), false, "the container's own go with it");
  assert.ok(existsSync(join(directory, 'c1/inventory.img')));
});

test('the docker CLI makes, lists, starts from and removes checkpoints', async () => {
  assert.equal(await engine.ok('docker', ['version', '--format', '{{.Server.Experimental}}']), 'true');
  await runCounter(engine, 'docker');
  assert.equal(await engine.ok('docker', ['checkpoint', 'create', 'docker', 'c1']), 'c1');
  assert.equal(await engine.ok('docker', ['checkpoint', 'ls', 'docker']), 'CHECKPOINT NAME\nc1');
  const last = (await counted(engine, 'docker')).at(-1) ?? 0;
  await engine.ok('docker', ['start', '--checkpoint', 'c1', 'docker']);
  await reaches(engine, 'docker', last + 1);
  await engine.ok('docker', ['checkpoint', 'rm', 'docker', 'c1']);
  assert.equal(await engine.ok('docker', ['checkpoint', 'ls', 'docker']), 'CHECKPOINT NAME');
  await cli('rm', '-f', 'docker');
});

test('events, and what is refused, in words of dockerd', async () => {
  const since = String(Math.floor(Date.now() / 1000) - 1);
  await runCounter(engine, 'words');
  const path = '/containers/words/checkpoints';
  const id = await inspect('words', '{{.Id}}');
  assert.equal((await post(path, { CheckpointID: 'c1', Exit: false })).status, 201);
  assert.deepEqual(await post(path, { CheckpointID: 'c1' }), {
    status: 500,
    body: {
      message:
        'cannot checkpoint container words: checkpoint with name c1 already exists for container words',
    },
  });
  assert.deepEqual((await post(path, { CheckpointID: '../c1' })).body, {
    message: 'Invalid checkpoint ID (../c1), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
  });
  assert.equal((await post('/containers/words/start?checkpoint=c1')).status, 304);
  await cli('pause', 'words');
  assert.deepEqual(await post('/containers/words/start?checkpoint=c1'), {
    status: 409,
    body: { message: 'cannot start a paused container, try unpause instead' },
  });
  await cli('unpause', 'words');
  assert.equal((await post(path, { CheckpointID: 'c2', Exit: true })).status, 201);
  assert.deepEqual(await post(path, { CheckpointID: 'c3' }), {
    status: 409,
    body: { message: `container ${id} is not running` },
  });
  const unknown = { message: 'checkpoint none does not exist for container /words' };
  assert.deepEqual(await post('/containers/words/start?checkpoint=none'), { status: 500, body: unknown });
  assert.equal(await inspect('words', '{{.State.Status}}: {{.State.Error}}'), `exited: ${unknown.message}`);
  assert.deepEqual(await call(engine.socket, 'DELETE', `${path}/none`), {
    status: 500,
    body: { message: 'checkpoint none does not exist for container words' },
  });
  assert.deepEqual((await call(engine.socket, 'GET', `${path}?dir=${join(engine.folder, 'none')}`)).body, {
    message: 'checkpoint  does not exist for container words',
  });
  for (const missing of ['/containers/none/checkpoints', '/containers/none/checkpoints/c1']) {
    const method = missing.endsWith('s') ? 'GET' : 'DELETE';
    assert.deepEqual(await call(engine.socket, method, missing), {
      status: 404,
      body: { message: 'No such container: none' },
    });
  }
  const until = String(Math.floor(Date.now() / 1000) + 1);
  const filters = ['--filter', 'container=words', '--filter', 'event=checkpoint', '--filter', 'event=die'];
  const events = await cli(
    'events',
    '--since',
    since,
    '--until',
    until,
    ...filters,
    '--format',
    '{{.Action}}',
  );
  assert.deepEqual(events.split('\n'), ['checkpoint', 'die', 'checkpoint']);
  await cli('rm', '-f', 'words');
});

test('what criu cannot write is told with its reason, and the container goes on; a runtime without criu is named', async () => {
  const script =
    '(nc -l -p 99 -e sleep 100 &); sleep 0.2; (sleep 100 | nc 127.0.0.1 99 &); echo up; sleep 100';
  await cli('run', '-d', '--name', 'talks', '--runtime', 'runc', 'busybox', 'sh', '-c', script);
  await eventually('connected', async () => {
    const sockets = await cli('exec', 'talks', 'cat', '/proc/net/tcp', '/proc/net/tcp6');
    return /:0063 \S+ 01 /.test(sockets) ? true : undefined;
  });
  const failed = await engine.run('slipway', ['checkpoint', 'create', 'talks', 'c1']);
  assert.equal(failed.code, 1);
  assert.match(
    failed.stderr,
    /Cannot checkpoint container talks: runc did not terminate successfully: exit status 1: criu failed: .*Connected TCP socket/,
  );
  assert.equal(await inspect('talks', '{{.State.Status}}'), 'running');
  assert.equal(await cli('exec', 'talks', 'echo', 'alive'), 'alive');
  assert.equal(await cli('checkpoint', 'ls', 'talks'), 'CHECKPOINT NAME');
  await cli('rm', '-f', 'talks');

  await cli('run', '-d', '--name', 'other', '--runtime', 'crun', 'busybox', 'sleep', '100');
  const refused = await post('/containers/other/checkpoints', { CheckpointID: 'c1' });
  assert.equal(refused.status, 501);
  assert.match(
    (refused.body as { message: string }).message,
    /^checkpoint and restore: the runtime crun \(.*\) does not do them on this host: create the container with --runtime runc$/,
  );
});

test('a container in a user namespace of its own is not written: it could not be restored', async () => {
  const world = await startRemapped('--userns-remap=default');
  try {
    const remapped = (...args: string[]): Promise<string> => world.engine.ok('slipway', args);
    for (const [name, ...options] of [['own'], ['hosts', '--userns=host']] as const)
      await remapped(
        'run',
        '-d',
        '--name',
        name,
        '--runtime',
        'runc',
        ...options,
        'busybox',
        'sleep',
        '1000',
      );
    const refused = await world.engine.run('slipway', ['checkpoint', 'create', 'own', 'c1']);
    assert.match(
      refused.stderr,
      /a container in a user namespace of its own cannot be restored: .* --userns=host$/m,
    );
    assert.equal(await remapped('inspect', 'own', '--format', '{{.State.Status}}'), 'running');
    await remapped('checkpoint', 'create', 'hosts', 'c1');
    await remapped('start', '--checkpoint', 'c1', 'hosts');
    assert.equal(await remapped('exec', 'hosts', 'echo', 'inside'), 'inside');
  } finally {
    await world.close();
  }
});
