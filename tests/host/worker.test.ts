/** Threads and namespaces: nothing of ours may stay in a foreign one, and a dead worker is replaced. */

import assert from 'node:assert/strict';
import { promises, readdirSync, readlinkSync } from 'node:fs';
import { after, test } from 'node:test';
import { createHost, createLightHost } from '../../src/host/index.ts';

const host = createHost();
after(() => host.close());

/** The network namespaces that this process's threads are in. */
function threadNamespaces(): string[] {
  const found = readdirSync('/proc/self/task').map((thread) =>
    readlinkSync(`/proc/self/task/${thread}/ns/net`),
  );
  return [...new Set(found)];
}
const home = readlinkSync('/proc/self/ns/net');

test('after many starts every thread is at home', async () => {
  const fds: number[] = [];
  for (let round = 0; round < 20; round++) {
    const made = await host.networkProgram({
      createNamespace: true,
      steps: [{ namespace: { created: true }, operations: [{ op: 'createBridge', name: 'br0', mtu: 1500 }] }],
    });
    assert.ok(made !== undefined);
    fds.push(made.fd);
    await Promise.all([
      host.links(made),
      host
        .openSocket(made, { type: 'udp', address: '127.0.0.1', port: 0 })
        .then(({ fd }) => host.closeFd(fd)),
      promises.readFile('/etc/hostname'),
      host.unmount('/nonexistent'),
    ]);
    assert.deepEqual(threadNamespaces(), [home]);
  }
  const failing = host.link({ fd: fds[0] ?? -1 }, [{ op: 'setLink', name: 'nix', up: true }]);
  await assert.rejects(failing);
  assert.deepEqual(threadNamespaces(), [home]);
  for (const fd of fds) host.closeFd(fd);
});

test('a new namespace is another one than ours', async () => {
  const { fd, path } = await host.createNetns();
  assert.notEqual(readlinkSync(path), home);
  assert.deepEqual(await host.links(), await host.links({ path: '/proc/self/ns/net' }));
  host.closeFd(fd);
});

const kind = (wanted: string) => (error: unknown) => (error as { kind?: string }).kind === wanted;

test('when the worker dies its calls are rejected and the next one finds a fresh worker', async () => {
  await host.links();
  const first = host.lane.threadId();
  const calls = Array.from({ length: 5 }, () => host.createNetns());
  const outcome = Promise.allSettled(calls);
  await host.lane.terminate();
  const settled = await outcome;
  assert.ok(settled.some(({ status }) => status === 'rejected'));
  for (const each of settled) {
    if (each.status === 'fulfilled') host.closeFd(each.value.fd);
    else assert.ok(kind('unavailable')(each.reason), String(each.reason));
  }
  assert.ok((await host.links()).some(({ name }) => name === 'lo'));
  assert.notEqual(host.lane.threadId(), first);
  assert.deepEqual(threadNamespaces(), [home]);
});

/** The worker's own descriptor of the host's namespace: closing it makes a return impossible. */
function homeDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === home;
      } catch {
        return false;
      }
    })
    .map(Number);
}

test('a worker that cannot return to the namespace of the host is replaced', async () => {
  const other = createHost();
  const before = new Set(homeDescriptors());
  await other.links();
  const own = homeDescriptors().filter((fd) => !before.has(fd));
  assert.equal(own.length, 1);
  const { fd } = await other.createNetns();
  for (const each of own) other.closeFd(each);
  await assert.rejects(other.links({ fd }), kind('unavailable'));
  assert.deepEqual(
    (await other.links({ fd })).map(({ name }) => name),
    ['lo'],
  );
  assert.deepEqual(threadNamespaces(), [home]);
  other.closeFd(fd);
  await other.close();
});

test('a closed host refuses network calls', async () => {
  const other = createHost();
  await other.close();
  await assert.rejects(other.links(), kind('unavailable'));
});

test('an idle host does not keep the process alive', async () => {
  const script = `
    const { createHost } = await import(${JSON.stringify(new URL('../../src/host/index.ts', import.meta.url).href)});
    const host = createHost();
    console.log((await host.links()).some(({ name }) => name === 'lo'));`;
  const { execFileSync } = await import('node:child_process');
  const args = ['--input-type=module', '-e', script];
  assert.equal(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 }), 'true\n');
});

test('the light host does the same on the main thread and comes back', async () => {
  const light = createLightHost();
  const { fd } = await host.createNetns();
  const opened = await light.openSocket({ fd }, { type: 'udp', address: '127.0.0.1', port: 53 });
  await assert.rejects(light.openSocket({ fd }, { type: 'udp', address: '127.0.0.1', port: 53 }));
  await light.nftApply({ fd }, [{ change: 'addTable', family: 'ip', table: 'light' }]);
  assert.deepEqual(await host.nftElements({ fd }, { family: 'ip', table: 'light', set: 'x' }), undefined);
  assert.deepEqual(
    (await light.links({ fd })).map(({ name }) => name),
    ['lo'],
  );
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
  assert.deepEqual(threadNamespaces(), [home]);
  for (const each of [opened.fd, fd]) light.closeFd(each);
  await light.close();
});
