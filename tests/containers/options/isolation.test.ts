/** Namespaces, capabilities, security options: seen in /proc of the container and of the host, on both runtimes where it matters. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openWorld } from './world.ts';

const world = openWorld();
const { run, docker, refused, cli, inspect } = world;
const namespace = (kind: string): string => readlinkSync(`/proc/self/ns/${kind}`);
/** The container's namespaces, one a line. */
const own = (...kinds: string[]): string[] => [
  'busybox',
  'sh',
  '-c',
  kinds.map((kind) => `readlink /proc/self/ns/${kind}`).join('; '),
];

for (const runtime of ['crun', 'runc']) {
  test(`${runtime}: each namespace is the container's own, or the host's when that is asked for`, async () => {
    const kinds = ['pid', 'ipc', 'uts', 'net', 'mnt'];
    const fresh = (await run('--runtime', runtime, ...own(...kinds))).split('\n');
    for (const [i, kind] of kinds.entries()) assert.notEqual(fresh[i], namespace(kind), kind);
    const hosts = [
      '--pid=host',
      '--ipc=host',
      '--uts=host',
      '--network=host',
      '--cgroupns=host',
      '--userns=host',
    ];
    const shared = await run(
      '--runtime',
      runtime,
      ...hosts,
      ...own('pid', 'ipc', 'uts', 'net', 'cgroup', 'user'),
    );
    assert.deepEqual(shared.split('\n'), ['pid', 'ipc', 'uts', 'net', 'cgroup', 'user'].map(namespace));
    const cgroup = await run('--runtime', runtime, '--cgroupns=private', ...own('cgroup'));
    assert.notEqual(cgroup, namespace('cgroup'));
  });
}

test('ports that the host’s network makes needless are told of', async () => {
  const { stderr } = await world
    .engine()
    .run('docker', ['run', '--rm', '--network=host', '-p', '80', 'busybox', 'true']);
  assert.equal(stderr, 'WARNING: Published ports are discarded when using host network mode\n');
});

test('another container’s namespaces are joined, by name and after a rename', async () => {
  await cli(
    'run',
    '-d',
    '--name',
    'donor',
    '--ipc=shareable',
    '--hostname',
    'giver',
    'busybox',
    'sleep',
    '1000',
  );
  const pid = await inspect('donor', '{{.State.Pid}}');
  const theirs = ['pid', 'ipc', 'net'].map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`));
  const join = ['--pid=container:donor', '--ipc=container:donor', '--network=container:donor'];
  await cli('create', '--name', 'guest', ...join, ...own('pid', 'ipc', 'net'));
  await cli('rename', 'donor', 'giver');
  assert.deepEqual((await cli('start', '-a', 'guest')).split('\n'), theirs);
  const id = await inspect('giver', '{{.Id}}');
  assert.equal(await inspect('guest', '{{.HostConfig.PidMode}}'), `container:${id}`);
  await cli('exec', 'giver', 'sh', '-c', 'echo secret > /dev/shm/note');
  assert.equal(await docker('--ipc=container:giver', 'busybox', 'cat', '/dev/shm/note'), 'secret');
  assert.equal(await run('--network=container:giver', 'busybox', 'hostname'), 'giver');
  await cli('rm', '-f', 'giver');
  const gone = await world.engine().run('slipway', ['start', 'guest']);
  assert.match(gone.stderr, /No such container/);
});

test('what cannot be joined is refused in words', async () => {
  await cli('run', '-d', '--name', 'alone', '--ipc=private', 'busybox', 'sleep', '1000');
  await cli('create', '--name', 'still', '--ipc=shareable', 'busybox', 'true');
  const says = async (words: RegExp, ...args: string[]): Promise<void> => {
    assert.match((await refused(...args, 'busybox', 'true')).stderr, words);
  };
  await says(/can't join IPC of container [0-9a-f]{64}: non-shareable IPC/, '--ipc=container:alone');
  await says(
    /can't join IPC of container [0-9a-f]{64}: container [0-9a-f]{64} is not running/,
    '--ipc=container:still',
  );
  await says(/can't join PID namespace of container [0-9a-f]{64}/, '--pid=container:still');
  await says(/cannot join network of a non running container/, '--network=container:still');
  await says(/No such container: nobody/, '--pid=container:nobody');
  await says(/--pid: invalid PID mode/, '--pid=sideways');
  await says(/invalid IPC mode: sideways/i, '--ipc=sideways');
  await says(/--uts: invalid UTS mode/, '--uts=sideways');
  await says(/--userns: invalid USER mode/, '--userns=sideways');
  await says(/invalid CGROUP mode/, '--cgroupns=sideways');
  await says(/Invalid isolation: "hyperv" - linux only supports 'default'/, '--isolation=hyperv');
  await cli('rm', '-f', 'alone', 'still');
});

test('shared memory: its size, none, the host’s', async () => {
  assert.match(await run('--shm-size=2m', 'busybox', 'df', '-k', '/dev/shm'), /shm\s+2048 /);
  assert.match(await run('busybox', 'df', '-k', '/dev/shm'), /shm\s+65536 /);
  assert.equal(await run('--ipc=none', 'busybox', 'sh', '-c', 'test -e /dev/shm || echo none'), 'none');
});

test('hostname and domain', async () => {
  const names = ['busybox', 'sh', '-c', 'hostname; cat /proc/sys/kernel/domainname; cat /etc/hostname'];
  const named = await run('--hostname=web', '--domainname=example.org', ...names);
  assert.equal(named, 'web\nexample.org\nweb');
  assert.equal(await run('--uts=host', 'busybox', 'hostname'), hostname());
});

const capabilities = ['busybox', 'grep', '^Cap', '/proc/self/status'];
const sets = (bounding: string): string =>
  ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']
    .map((name) => `Cap${name}:\t${['Inh', 'Amb'].includes(name) ? '0'.repeat(16) : bounding}`)
    .join('\n');

test('capabilities: Docker’s fourteen, added, dropped, all and none', async () => {
  assert.equal(await run(...capabilities), sets('00000000a80425fb'));
  assert.equal(await run('--cap-drop=ALL', ...capabilities), sets('0000000000000000'));
  assert.equal(await run('--cap-drop=ALL', '--cap-add=NET_ADMIN', ...capabilities), sets('0000000000001000'));
  assert.equal(
    await run('--cap-add=cap_sys_admin', '--cap-drop=chown', ...capabilities),
    sets('00000000a82425fa'),
  );
  const all = /^CapBnd:\t([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  assert.match(await run('--cap-add=ALL', ...capabilities), new RegExp(`CapEff:\t${all}`));
  assert.match(
    (await refused('--cap-add=FLY', 'busybox', 'true')).stderr,
    /invalid CapAdd: unknown capability: "CAP_FLY"/,
  );
  assert.match(
    (await refused('--cap-drop=FLY', 'busybox', 'true')).stderr,
    /invalid CapDrop: unknown capability: "CAP_FLY"/,
  );
});

test('privileged: all capabilities, all devices, no filter, no masks, /sys writable', async () => {
  const look =
    'grep -E "CapEff|Seccomp:" /proc/self/status; ls /dev | grep -c loop; mount -t tmpfs x /tmp && echo mounted; grep " /sys sysfs" /proc/mounts';
  const seen = await run('--privileged', 'busybox', 'sh', '-c', look);
  const all = /^CapEff:\t([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  assert.match(seen, new RegExp(`CapEff:\t${all}\nSeccomp:\t0\n[1-9]\\d*\nmounted\n.* rw,`));
  assert.equal(
    await run('--privileged', 'busybox', 'sh', '-c', 'grep -c "^proc /proc/" /proc/mounts || true'),
    '0',
  );
});

test('security options: no-new-privileges, seccomp, system paths, cgroups, labels', async () => {
  const status = (field: string): string[] => ['busybox', 'grep', `^${field}:`, '/proc/self/status'];
  assert.match(await run('--security-opt=no-new-privileges', ...status('NoNewPrivs')), /1$/);
  assert.match(await run(...status('NoNewPrivs')), /0$/);
  assert.match(await run('--security-opt=seccomp=unconfined', ...status('Seccomp')), /0$/);
  assert.match(await run('--security-opt=seccomp=builtin', ...status('Seccomp')), /2$/);
  const profile = join(world.folder(), 'profile.json');
  const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 };
  writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
  const made = await refused(`--security-opt=seccomp=${profile}`, 'busybox', 'mkdir', '/x');
  assert.match(made.stderr, /Function not implemented/);
  const masked = ['busybox', 'sh', '-c', 'grep -c " /proc/" /proc/mounts || true'];
  assert.notEqual(await run(...masked), '0');
  assert.equal(await run('--security-opt=systempaths=unconfined', ...masked), '0');
  const cgroups = [
    'busybox',
    'sh',
    '-c',
    'grep "cgroup" /proc/mounts | grep -v "^cgroup /sys/fs/cgroup tmpfs" | cut -d" " -f4 | cut -d, -f1 | sort -u',
  ];
  assert.equal(await run(...cgroups), 'ro');
  assert.equal(await run('--security-opt=writable-cgroups=true', ...cgroups), 'rw');
  assert.match(
    (await refused('--security-opt=label=colour:red', 'busybox', 'true')).stderr,
    /bad label option/,
  );
  assert.match(
    (await refused('--security-opt=magic=on', 'busybox', 'true')).stderr,
    /invalid --security-opt 2: "magic=on"/,
  );
});

test('AppArmor and SELinux: a host without them says so', { skip: hasSecurityModule() }, async () => {
  const warned = async (option: string): Promise<string> => {
    const { code, stderr } = await world
      .engine()
      .run('slipway', ['run', '--rm', `--security-opt=${option}`, 'busybox', 'true']);
    assert.equal(code, 0, stderr);
    return stderr;
  };
  assert.match(
    await warned('apparmor=mine'),
    /does not support AppArmor or it is not enabled\. Profile mine discarded/,
  );
  assert.match(await warned('label=type:svirt_t'), /does not support SELinux or it is not enabled/);
  assert.equal(await warned('apparmor=unconfined'), '');
  assert.equal(await warned('label=disable'), '');
});

/** With one of them on, the test machine (`tests/vm`) looks at what it does. */
function hasSecurityModule(): string | false {
  const active =
    existsSync('/sys/fs/selinux/enforce') || existsSync('/sys/module/apparmor/parameters/enabled');
  return active ? 'this host has AppArmor or SELinux' : false;
}

test('sysctls of the container’s namespaces; others are refused, by the API too', async () => {
  const read = ['busybox', 'cat', '/proc/sys/net/ipv4/ip_default_ttl', '/proc/sys/kernel/msgmax'];
  const set = ['--sysctl=net.ipv4.ip_default_ttl=42', '--sysctl', 'kernel.msgmax=1234'];
  assert.equal(await run(...set, ...read), '42\n1234');
  const before = readFileSync('/proc/sys/kernel/domainname', 'utf8');
  const create = async (host: object): Promise<unknown> =>
    (await world.api('POST', '/containers/create', { Image: 'busybox', HostConfig: host })).body;
  assert.deepEqual(await create({ Sysctls: { 'kernel.core_pattern': '|/x' } }), {
    message: 'sysctl "kernel.core_pattern" is not in a separate kernel namespace',
  });
  assert.deepEqual(await create({ NetworkMode: 'host', Sysctls: { 'net.ipv4.ip_forward': '1' } }), {
    message: 'sysctl "net.ipv4.ip_forward" not allowed in host network namespace',
  });
  assert.equal(readFileSync('/proc/sys/kernel/domainname', 'utf8'), before);
});
