/** Containers on the real kernel through the built engine, driven by the docker CLI: what isolation and limits promise. */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, startEngine, type Engine } from '../scenarios/engine.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(async () => {
  await engine.close();
});

const run = async (...args: string[]): Promise<string> => await engine.ok('docker', ['run', '--rm', ...args]);
const fails = async (...args: string[]): Promise<{ code: number; stderr: string }> =>
  await engine.run('docker', args);
const inspect = async (name: string, format: string): Promise<string> =>
  await engine.ok('docker', ['inspect', name, '--format', format]);

for (const runtime of ['crun', 'runc']) {
  test(`${runtime}: the filter is on for the command and for an exec, with the default capabilities`, async () => {
    const name = `sec-${runtime}`;
    const status = ['grep', '-E', '^(Seccomp|CapEff|CapInh|CapAmb|NoNewPrivs):', '/proc/self/status'];
    await engine.ok('docker', ['run', '-d', '--name', name, '--runtime', runtime, 'busybox', 'sleep', '100']);
    const pid = await inspect(name, '{{.State.Pid}}');
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Seccomp:\t2$/m);
    const inside = await engine.ok('docker', ['exec', name, ...status]);
    assert.match(inside, /^Seccomp:\t2$/m);
    assert.match(inside, /^CapEff:\t00000000a80425fb$/m);
    assert.match(inside, /^CapInh:\t0+$/m);
    assert.match(inside, /^CapAmb:\t0+$/m);
    // The filter is this profile and no other: what it forbids fails, what it allows works.
    const unshare = await fails('exec', name, 'unshare', '-n', 'true');
    assert.notEqual(unshare.code, 0);
    await engine.ok('docker', ['exec', name, 'chown', '1:1', '/tmp']);
    await engine.ok('docker', ['rm', '-f', name]);
  });

  test(`${runtime}: unconfined and privileged have no filter`, async () => {
    const status = ['busybox', 'grep', 'Seccomp:', '/proc/self/status'];
    assert.match(
      await run('--runtime', runtime, '--security-opt', 'seccomp=unconfined', ...status),
      /Seccomp:\t0/,
    );
    assert.match(await run('--runtime', runtime, '--privileged', ...status), /Seccomp:\t0/);
  });

  test(`${runtime}: missing and not executable commands end with 127 and 126`, async () => {
    const missing = await fails('run', '--rm', '--runtime', runtime, 'busybox', 'nosuch');
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /exec: "nosuch": executable file not found in \$PATH/);
    const path = await fails('run', '--rm', '--runtime', runtime, 'busybox', '/nosuch');
    assert.equal(path.code, 127);
    assert.match(path.stderr, /stat \/nosuch: no such file or directory/);
    const plain = await fails('run', '--rm', '--runtime', runtime, 'busybox', '/etc/passwd');
    assert.equal(plain.code, 126);
    assert.match(plain.stderr, /permission denied/);
  });
}

test('an annotation that would replace the profile is refused', async () => {
  const { code, stderr } = await fails(
    'run',
    '--rm',
    '--annotation',
    'run.oci.seccomp_bpf_data=AAAA',
    'busybox',
    'true',
  );
  assert.equal(code, 125);
  assert.match(stderr, /is reserved for the engine/);
});

test('a profile of the user is obeyed', async () => {
  const folder = mkdtempSync('/tmp/slip-profile-');
  const file = join(folder, 'p.json');
  writeFileSync(
    file,
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
    }),
  );
  const { code, stderr } = await fails(
    'run',
    '--rm',
    '--security-opt',
    `seccomp=${file}`,
    'busybox',
    'mkdir',
    '/x',
  );
  assert.equal(code, 1);
  assert.match(stderr, /Operation not permitted/);
  rmSync(folder, { recursive: true });
});

test('limits stand in the cgroup, change live and hold', async () => {
  await engine.ok('docker', [
    'run',
    '-d',
    '--name',
    'limits',
    '-m',
    '64m',
    '--pids-limit',
    '20',
    '--cpus',
    '.5',
    '--cpuset-cpus',
    '0',
    'busybox',
    'sleep',
    '100',
  ]);
  const pid = await inspect('limits', '{{.State.Pid}}');
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const path = (controller: string): string => {
    const line = lines.find((one) => one.split(':')[1]?.split(',').includes(controller) === true);
    return line === undefined
      ? join('/sys/fs/cgroup', lines[0]?.split(':')[2] ?? '')
      : join('/sys/fs/cgroup', controller, line.split(':')[2] ?? '');
  };
  const v1 = existsSync(join(path('memory'), 'memory.limit_in_bytes'));
  const read = (controller: string, file: string): string =>
    readFileSync(join(path(controller), file), 'utf8').trim();
  assert.equal(read('memory', v1 ? 'memory.limit_in_bytes' : 'memory.max'), String(64 * 1024 * 1024));
  assert.equal(read('pids', 'pids.max'), '20');
  assert.equal(v1 ? read('cpu', 'cpu.cfs_quota_us') : read('cpu', 'cpu.max'), v1 ? '50000' : '50000 100000');
  assert.equal(read('cpuset', 'cpuset.cpus'), '0');
  await engine.ok('docker', [
    'update',
    '-m',
    '100m',
    '--memory-swap',
    '200m',
    '--pids-limit',
    '30',
    'limits',
  ]);
  assert.equal(read('memory', v1 ? 'memory.limit_in_bytes' : 'memory.max'), String(100 * 1024 * 1024));
  assert.equal(read('pids', 'pids.max'), '30');
  await engine.ok('docker', ['rm', '-f', 'limits']);
});

test('a memory hog is killed: 137 and OOMKilled', async () => {
  const { code } = await fails(
    'run',
    '--name',
    'hog',
    '-m',
    '16m',
    '--memory-swap',
    '16m',
    'busybox',
    'dd',
    'if=/dev/zero',
    'of=/dev/null',
    'bs=64M',
    'count=2',
  );
  assert.equal(code, 137);
  assert.equal(await inspect('hog', '{{.State.OOMKilled}}'), 'true');
  await engine.ok('docker', ['rm', 'hog']);
});

test('namespaces are shared on request and only then', async () => {
  await engine.ok('docker', [
    'run',
    '-d',
    '--name',
    'owner',
    '--ipc',
    'shareable',
    'busybox',
    'sleep',
    '100',
  ]);
  const pid = await inspect('owner', '{{.State.Pid}}');
  const links = async (...args: string[]): Promise<string[]> => {
    const text = await run(
      ...args,
      'busybox',
      'sh',
      '-c',
      'for n in mnt pid net ipc uts; do readlink /proc/self/ns/$n; done',
    );
    return text.split('\n').map((line) => line.trim());
  };
  const host = ['mnt', 'pid', 'net', 'ipc', 'uts'].map((name) => readlinkSync(`/proc/self/ns/${name}`));
  const own = await links();
  own.forEach((link, index) => assert.notEqual(link, host[index]));
  const [, pidLink, netLink, ipcLink] = await links(
    '--pid',
    'container:owner',
    '--network',
    'container:owner',
    '--ipc',
    'container:owner',
  );
  assert.equal(pidLink, readlinkSync(`/proc/${pid}/ns/pid`));
  assert.equal(netLink, readlinkSync(`/proc/${pid}/ns/net`));
  assert.equal(ipcLink, readlinkSync(`/proc/${pid}/ns/ipc`));
  const [, hostPid, hostNet, hostIpc, hostUts] = await links(
    '--pid',
    'host',
    '--network',
    'host',
    '--ipc',
    'host',
    '--uts',
    'host',
  );
  assert.deepEqual([hostPid, hostNet, hostIpc, hostUts], host.slice(1));
  await engine.ok('docker', ['exec', 'owner', 'sh', '-c', 'echo shared > /dev/shm/f']);
  assert.equal(await run('--ipc', 'container:owner', 'busybox', 'cat', '/dev/shm/f'), 'shared');
  await engine.ok('docker', ['rm', '-f', 'owner']);
  assert.doesNotMatch(readFileSync('/proc/self/mounts', 'utf8'), new RegExp(`${engine.folder}/run/shm/`));
  const gone = await fails('run', '--rm', '--network', 'container:owner', 'busybox', 'true');
  assert.match(gone.stderr, /No such container: owner/);
});

test('stop: the signal of the container, its timeout, then SIGKILL', async () => {
  const trap = `trap 'echo bye; exit 9' INT; echo up; while true; do sleep 0.05; done`;
  await engine.ok('docker', [
    'run',
    '-d',
    '--name',
    'polite',
    '--stop-signal',
    'SIGINT',
    'busybox',
    'sh',
    '-c',
    trap,
  ]);
  const isUp = async (): Promise<true | undefined> =>
    (await engine.ok('docker', ['logs', 'polite'])) === 'up' || undefined;
  await eventually('its trap is set', isUp);
  await engine.ok('docker', ['stop', 'polite']);
  assert.equal(await inspect('polite', '{{.State.ExitCode}}'), '9');
  assert.equal(await engine.ok('docker', ['logs', 'polite']), 'up\nbye');
  await engine.ok('docker', [
    'run',
    '-d',
    '--name',
    'rude',
    'busybox',
    'sh',
    '-c',
    `trap '' TERM; while true; do sleep 0.05; done`,
  ]);
  const begin = Date.now();
  await engine.ok('docker', ['stop', '-t', '1', 'rude']);
  assert.ok(Date.now() - begin >= 1000);
  assert.equal(await inspect('rude', '{{.State.ExitCode}}'), '137');
  await engine.ok('docker', ['rm', 'polite', 'rude']);
});

test('restart policies: on-failure counts, a stop ends it', async () => {
  await fails('run', '--name', 'twice', '--restart', 'on-failure:2', 'busybox', 'false');
  await eventually('two restarts', async () =>
    (await inspect('twice', '{{.RestartCount}} {{.State.Status}}')) === '2 exited' ? true : undefined,
  );
  await engine.ok('docker', [
    'run',
    '-d',
    '--name',
    'always',
    '--restart',
    'always',
    'busybox',
    'sh',
    '-c',
    'sleep 0.1; exit 1',
  ]);
  await eventually('a restart', async () =>
    Number(await inspect('always', '{{.RestartCount}}')) > 0 ? true : undefined,
  );
  await engine.ok('docker', ['stop', 'always']);
  assert.equal(await inspect('always', '{{.State.Status}}'), 'exited');
  await engine.ok('docker', ['rm', 'twice', 'always']);
});

test('volumes are filled from the image once, kept by name, and gone with rm -v when anonymous', async () => {
  await run('-v', 'filled:/etc', 'busybox', 'sh', '-c', 'echo more > /etc/own');
  assert.match(await run('-v', 'filled:/x', 'busybox', 'ls', '/x'), /own[\s\S]*passwd|passwd[\s\S]*own/);
  const missing = await fails(
    'run',
    '--rm',
    '--mount',
    'type=bind,source=/nosuch-source,target=/x',
    'busybox',
    'true',
  );
  assert.match(missing.stderr, /bind source path does not exist: \/nosuch-source/);
  await engine.ok('docker', ['run', '--name', 'anon', '-v', '/scratch', 'busybox', 'true']);
  const volume = await inspect('anon', '{{(index .Mounts 0).Name}}');
  await engine.ok('docker', ['rm', '-v', 'anon']);
  assert.notEqual((await fails('volume', 'inspect', volume)).code, 0);
  await engine.ok('docker', ['volume', 'rm', 'filled']);
});

test('a subpath of a volume must lie in it', async () => {
  await run('-v', 'parts:/v', 'busybox', 'sh', '-c', 'mkdir /v/in; echo x > /v/in/f; ln -s /etc /v/out');
  const mount = (subpath: string): string => `type=volume,source=parts,target=/p,volume-subpath=${subpath}`;
  assert.equal(await run('--mount', mount('in'), 'busybox', 'cat', '/p/f'), 'x');
  const link = await fails('run', '--rm', '--mount', mount('out'), 'busybox', 'ls', '/p');
  assert.equal(link.code, 125);
  assert.match(link.stderr, /cannot access subpath 'out' of volume parts/);
  await engine.ok('docker', ['volume', 'rm', 'parts']);
});

test('files go in and out of running and stopped containers, links stay inside', async () => {
  const folder = mkdtempSync('/tmp/slip-cp-');
  writeFileSync(join(folder, 'in'), 'hello\n');
  await engine.ok('docker', [
    'run',
    '-d',
    '--name',
    'files',
    'busybox',
    'sh',
    '-c',
    'ln -s /etc /outside; sleep 100',
  ]);
  await engine.ok('docker', ['cp', join(folder, 'in'), 'files:/tmp/in']);
  assert.equal(await engine.ok('docker', ['exec', 'files', 'cat', '/tmp/in']), 'hello');
  await engine.ok('docker', ['cp', join(folder, 'in'), 'files:/outside/slip-was-here']);
  assert.equal(existsSync('/etc/slip-was-here'), false);
  assert.equal(await engine.ok('docker', ['exec', 'files', 'cat', '/etc/slip-was-here']), 'hello');
  await engine.ok('docker', ['kill', 'files']);
  await engine.ok('docker', ['cp', 'files:/tmp/in', join(folder, 'out')]);
  assert.equal(readFileSync(join(folder, 'out'), 'utf8'), 'hello\n');
  assert.deepEqual((await engine.ok('docker', ['diff', 'files'])).split('\n').sort(), [
    'A /etc/slip-was-here',
    'A /outside',
    'A /tmp/in',
    'C /etc',
    'C /tmp',
  ]);
  await engine.ok('docker', ['rm', 'files']);
  rmSync(folder, { recursive: true });
});

test('health goes from starting to healthy', async () => {
  await engine.ok('docker', [
    'run',
    '-d',
    '--name',
    'well',
    '--health-cmd',
    'test -f /ok',
    '--health-interval',
    '100ms',
    '--health-retries',
    '50',
    'busybox',
    'sh',
    '-c',
    'sleep 0.5; touch /ok; sleep 100',
  ]);
  assert.equal(await inspect('well', '{{.State.Health.Status}}'), 'starting');
  await eventually('healthy', async () =>
    (await inspect('well', '{{.State.Health.Status}}')) === 'healthy' ? true : undefined,
  );
  await engine.ok('docker', ['rm', '-f', 'well']);
});

test('the environment of the daemon does not leak', async () => {
  const names = (await run('busybox', 'env'))
    .split('\n')
    .map((line) => line.split('=')[0])
    .toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1));
  assert.deepEqual(names, ['HOME', 'HOSTNAME', 'PATH']);
});

test('hosts, hostname and resolv.conf can be read on the host from the first start until the removal', async () => {
  const paths = async (): Promise<string[]> => {
    const found = await inspect('files', '{{.HostsPath}} {{.HostnamePath}} {{.ResolvConfPath}}');
    return found.split(' ').filter((path) => path !== '');
  };
  await engine.ok('docker', ['create', '--name', 'files', '--hostname', 'filed', 'busybox', 'sleep', '1000']);
  assert.deepEqual(await paths(), []);
  await engine.ok('docker', ['start', 'files']);
  const running = await paths();
  await engine.ok('docker', ['kill', 'files']);
  await engine.ok('docker', ['wait', 'files']);
  assert.deepEqual(await paths(), running);
  const [hosts = '', hostname = '', resolv = ''] = running.map((path) => readFileSync(path, 'utf8'));
  assert.match(hosts, /\tfiled$/m);
  assert.equal(hostname, 'filed\n');
  assert.match(resolv, /^nameserver /m);
  await engine.ok('docker', ['rm', 'files']);
  assert.ok(running.every((path) => !existsSync(path)));
});

test('the first line of a log is not before the start that inspect tells', async () => {
  for (let turn = 0; turn < 5; turn++) {
    await engine.ok('docker', ['run', '-d', '--name', 'early', 'busybox', 'echo', 'first']);
    await engine.ok('docker', ['wait', 'early']);
    const started = await inspect('early', '{{.State.StartedAt}}');
    assert.equal(await engine.ok('docker', ['logs', '--since', started, 'early']), 'first');
    await engine.ok('docker', ['rm', 'early']);
  }
});
