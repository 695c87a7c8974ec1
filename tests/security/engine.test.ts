/** Attacks on the engine itself: names that become paths, its own environment, tags against digests, reused process ids. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isErrno } from '../../src/core/errors.ts';
import { eventually } from '../scenarios/engine.ts';
import { openWorld } from '../containers/options/world.ts';

const secret = 'NEVER_IN_A_CONTAINER';
process.env['SLIPWAY_SECRET'] = secret;
process.env['AWS_SECRET_ACCESS_KEY'] = secret;
const world = openWorld();
const { cli } = world;

const nasty: readonly (readonly [string, string])[] = [
  ['parent folders', '../../../../tmp/evil'],
  ['a slash', 'a/b'],
  ['a NUL', 'a\0b'],
  ['two dots', '..'],
  ['a leading dot', '.hidden'],
  ['300 bytes', 'x'.repeat(300)],
  ['a newline', 'a\nb'],
  ['an option', '--privileged'],
  ['a blank', 'a b'],
  ['not UTF-8', 'a\uFFFDb'],
];

/** Everything below the engine's roots whose name is one of these, or that lies outside. */
function strays(folder = world.engine().folder): string[] {
  let entries: Dirent[] = [];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    // The engine makes and deletes layers of mount points meanwhile.
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    const own = /evil|hidden|x{255}/.test(entry.name) ? [path] : [];
    return entry.isDirectory() ? [...own, ...strays(path)] : own;
  });
}

test('case 11: names that would become paths are refused, whatever they name', async () => {
  const container = { Image: 'busybox', Cmd: ['true'] };
  await cli('create', '--name', 'good', 'busybox', 'true');
  await cli('run', '-d', '--name', 'running', 'busybox', 'sleep', '1000');
  for (const [what, name] of nasty) {
    const text = encodeURIComponent(name);
    const refusedBy = async (
      kind: string,
      answer: Promise<{ status: number; body: unknown }>,
      statuses = [400, 404],
    ): Promise<void> => {
      const { status, body } = await answer;
      assert.ok(statuses.includes(status), `${kind} named with ${what}: ${status} ${JSON.stringify(body)}`);
    };
    // Docker allows a container's name any length.
    if (what !== '300 bytes')
      await refusedBy('container', world.api('POST', `/containers/create?name=${text}`, container));
    if (what !== '300 bytes')
      await refusedBy('rename', world.api('POST', `/containers/good/rename?name=${text}`));
    await refusedBy('volume', world.api('POST', '/volumes/create', { Name: name }));
    await refusedBy(
      'volume of a container',
      world.api('POST', '/containers/create', {
        ...container,
        HostConfig: { Mounts: [{ Type: 'volume', Source: name, Target: '/v' }] },
      }),
    );
    await refusedBy('exec', world.api('POST', `/exec/${text}/start`, { Detach: true }));
    await refusedBy(
      'checkpoint',
      world.api('POST', '/containers/running/checkpoints', { CheckpointID: name }),
    );
    await refusedBy(
      'start from a checkpoint',
      world.api('POST', `/containers/good/start?checkpoint=${text}`),
    );
    await refusedBy('removal of a checkpoint', world.api('DELETE', `/containers/good/checkpoints/${text}`));
    await refusedBy('plugin', world.api('GET', `/plugins/${text}/json`), [400, 404, 501]);
    await refusedBy('container looked up', world.api('GET', `/containers/${text}/json`));
    await refusedBy('volume looked up', world.api('GET', `/volumes/${text}`));
    await refusedBy('image looked up', world.api('GET', `/images/${text}/json`));
  }
  assert.equal(existsSync('/tmp/evil'), false);
  assert.deepEqual(strays(), []);
  assert.equal(await world.inspect('good', '{{.Name}}'), '/good');
});

test('case 11: ids that are handed over in bodies do not lead out of their folders', async () => {
  const subpath = {
    Type: 'volume',
    Source: 'vol',
    Target: '/v',
    VolumeOptions: { Subpath: '../../../../etc' },
  };
  const body = { Image: 'busybox', Cmd: ['true'], HostConfig: { Mounts: [subpath] } };
  assert.equal((await world.api('POST', '/containers/create', body)).status, 400);
  const parent = { Image: 'busybox', Cmd: ['true'], HostConfig: { CgroupParent: '../../../../../etc' } };
  const made = await world.api('POST', '/containers/create', parent);
  assert.equal(made.status, 201);
  const { Id } = made.body as { Id: string };
  await world.engine().run('slipway', ['start', '-a', Id]);
  assert.equal(existsSync(join('/etc', Id)), false);
  assert.equal(existsSync(join('/sys/fs/cgroup/etc', Id)), false);
});

test('case 29: what is in the environment of the daemon reaches no container, exec, health check or hook', async () => {
  for (const runtime of ['crun', 'runc']) {
    const name = `env-${runtime}`;
    const check = ['--health-cmd=env', '--health-interval=1s', '--init', '-t'];
    await cli('run', '-d', '--name', name, `--runtime=${runtime}`, ...check, 'busybox', 'sleep', '1000');
    const pid = await world.inspect(name, '{{.State.Pid}}');
    const own = readFileSync(`/proc/${pid}/environ`, 'utf8');
    assert.doesNotMatch(own, new RegExp(secret));
    assert.match(own, /^PATH=/);
    assert.doesNotMatch(await cli('exec', name, 'env'), new RegExp(secret));
    // A process of a health check may end while it is looked at.
    const everybody = await cli('exec', name, 'sh', '-c', 'cat /proc/*/environ 2>/dev/null; true');
    assert.match(everybody, /PATH=.*PATH=/s);
    assert.doesNotMatch(everybody, new RegExp(secret));
    const said = await eventually('a health check ran', async () => {
      const log = await world.inspect(name, '{{json .State.Health.Log}}');
      return log.includes('PATH=') ? log : undefined;
    });
    assert.doesNotMatch(said, new RegExp(secret));
    await cli('rm', '-f', name);
  }
  // The daemon itself does have it: else the test would show nothing.
  assert.match(readFileSync(`/proc/${world.engine().pid()}/environ`, 'utf8'), new RegExp(secret));
});

test('case 30: a reference with tag and digest is the digest, never the tag', async () => {
  await cli('tag', 'busybox', 'victim:1');
  const other = `sha256:${'0'.repeat(64)}`;
  for (const args of [['create', '--pull=never'], ['inspect'], ['tag'], ['rmi']]) {
    const rest = args[0] === 'create' ? ['true'] : args[0] === 'tag' ? ['stolen:1'] : [];
    const { code, stdout, stderr } = await world
      .engine()
      .run('slipway', [...args, `victim:1@${other}`, ...rest]);
    assert.notEqual(code, 0, `${args.join(' ')}: ${stdout}`);
    assert.match(stderr, /no such|not found|invalid/i);
  }
  const images = await cli('images', '--format', '{{.Repository}}:{{.Tag}}');
  assert.match(images, /^victim:1$/m);
  assert.doesNotMatch(images, /stolen/);
});

/** Starts a process with a pid of choice; undefined when another process came between too often. */
async function strangerWith(pid: number): Promise<ReturnType<typeof spawn> | undefined> {
  for (let i = 0; i < 200; i += 1) {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    const child = spawn('/bin/sleep', ['1000'], { stdio: 'ignore' });
    if (child.pid === pid) return child;
    child.kill('SIGKILL');
  }
  return undefined;
}

test('case 31: a stranger with the process id of a dead container is never signalled', async () => {
  const { engine } = world;
  await cli('run', '-d', '--name', 'gone', 'busybox', 'sleep', '1000');
  const pid = Number(await world.inspect('gone', '{{.State.Pid}}'));
  const shim = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  await engine().kill();
  process.kill(shim, 'SIGKILL');
  process.kill(pid, 'SIGKILL');
  await eventually('the container is dead', async () => (existsSync(`/proc/${pid}`) ? undefined : true));
  const stranger = await strangerWith(pid);
  assert.ok(stranger !== undefined, 'no process with that id could be made');
  try {
    await engine().start();
    assert.equal(await world.inspect('gone', '{{.State.Running}}'), 'false');
    await engine().run('slipway', ['kill', 'gone']);
    await engine().run('slipway', ['stop', '-t', '0', 'gone']);
    await engine().run('slipway', ['exec', 'gone', 'true']);
    await cli('rm', '-f', 'gone');
    assert.equal(stranger.exitCode ?? stranger.signalCode, null, 'the stranger lives');
    assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /^\/bin\/sleep\0/);
  } finally {
    stranger.kill('SIGKILL');
  }
});

test('a program of an image or a volume that runs as root is out of reach for the other users of the host', async () => {
  await cli(
    'run',
    '--name',
    'setuid',
    '-v',
    'setuid:/data',
    'busybox',
    'sh',
    '-c',
    'cp /bin/busybox /data/su; chmod 4755 /data/su',
  );
  const { folder } = world.engine();
  const data = join(folder, 'data');
  // As open as /var/lib.
  chmodSync(folder, 0o755);
  const layers = join(data, 'overlay2/layers');
  const [layer = ''] = readdirSync(layers);
  for (const path of [join(data, 'volumes/setuid/_data/su'), join(layers, layer, 'diff/bin/busybox')]) {
    assert.ok(existsSync(path), path);
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', 'test', '-e', path];
    const child = spawn('setpriv', nobody, { stdio: 'inherit' });
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 1, path);
  }
});
