/** User namespaces on the real kernel: their maps, whose network they have, what an idmapped mount shows. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createHost } from '../../src/host/index.ts';

const shimPath = join(import.meta.dirname, '../../dist/bin/slipway-shim');
const host = createHost({ shimPath });
const directory = mkdtempSync(join(tmpdir(), 'slip-userns-'));
chmodSync(directory, 0o711);
after(async () => {
  for (const { target } of await host.mounts(directory)) await host.unmount(target, { detach: true });
  await host.close();
  rmSync(directory, { recursive: true, force: true });
});

const mapping = {
  uids: [
    { inside: 0, outside: 200_000, size: 1000 },
    { inside: 1000, outside: 500_000, size: 10 },
  ],
  gids: [{ inside: 0, outside: 300_000, size: 1000 }],
};

/** Output of a command in both namespaces. */
const inside = (namespace: { user: { path: string }; network: { path: string } }, script: string): string => {
  const enter = [`--user=${namespace.user.path}`, `--net=${namespace.network.path}`];
  return execFileSync('nsenter', [...enter, 'sh', '-c', script], { encoding: 'utf8' });
};

test('the maps are as asked, and whoever is root inside may set up the network', async () => {
  const made = await host.createUserNamespace(mapping);
  const map = inside(made, 'cat /proc/self/uid_map /proc/self/gid_map').trim().split('\n');
  assert.deepEqual(
    map.map((line) => line.trim().split(/\s+/).map(Number)),
    [
      [0, 200_000, 1000],
      [1000, 500_000, 10],
      [0, 300_000, 1000],
    ],
  );
  inside(made, 'ip link add br0 type bridge && echo 1 > /proc/sys/net/ipv4/ip_forward');
  assert.ok((await host.links({ fd: made.network.fd })).some(({ name }) => name === 'br0'));
  const joined = await host.createUserNamespace({ join: made.user.path });
  assert.equal(statSync(joined.user.path).ino, statSync(made.user.path).ino);
  assert.notEqual(statSync(joined.network.path).ino, statSync(made.network.path).ino);
  for (const { fd } of [made.user, made.network, joined.user, joined.network]) host.closeFd(fd);
});

test('an idmapped mount shows the other ids, and files made there get the ids on disk', async () => {
  const [source, target] = [join(directory, 'source'), join(directory, 'target')];
  for (const path of [source, target]) mkdirSync(path);
  writeFileSync(join(source, 'root'), '');
  writeFileSync(join(source, 'somebody'), '');
  chownSync(join(source, 'somebody'), 1003, 5);
  const made = await host.createUserNamespace(mapping);
  await host.mountIdMapped({ source, target, userNamespace: made.user.fd });
  for (const { fd } of [made.user, made.network]) host.closeFd(fd);
  const owner = (path: string): readonly number[] => [statSync(path).uid, statSync(path).gid];
  assert.deepEqual(owner(join(target, 'root')), [200_000, 300_000]);
  assert.deepEqual(owner(join(target, 'somebody')), [500_003, 300_005]);
  const user = ['--reuid=200000', '--regid=300000', '--clear-groups'];
  execFileSync('setpriv', [...user, 'touch', join(target, 'new')]);
  assert.deepEqual(owner(join(source, 'new')), [0, 0]);
  // Who has no id there can make nothing.
  assert.throws(() => writeFileSync(join(target, 'mine'), ''), { code: 'EOVERFLOW' });
  await host.unmount(target);
});

test('a namespace that cannot be made leaves no process and no descriptor', async () => {
  const before = readdirSync('/proc/self/fd').length;
  const many = Array.from({ length: 400 }, (_, n) => ({ inside: n, outside: n + 1, size: 1 }));
  await assert.rejects(host.createUserNamespace({ uids: many, gids: many }));
  await assert.rejects(host.createUserNamespace({ join: '/proc/self/ns/user' }), {
    message: /the kernel makes no user namespace: /,
  });
  await assert.rejects(host.createUserNamespace({ join: join(directory, 'nothing') }), {
    message: /the kernel makes no user namespace: No such file or directory/,
  });
  const children = (): string =>
    execFileSync('ps', ['--ppid', String(process.pid), '-o', 'comm='], { encoding: 'utf8' });
  while (children().includes('slipway-shim')) await new Promise((done) => setTimeout(done, 20));
  // The waiter for children may hold one of its own by now.
  assert.ok(readdirSync('/proc/self/fd').length <= before + 2);
});
