/** What every Host must do: the real one and the one in memory. Each test works in namespaces of its own. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Host } from '../../src/core/ports/host.ts';
import { fails } from './host-parts/helpers.ts';
import { links, programs } from './host-parts/links.ts';
import { sockets, tables } from './host-parts/tables.ts';

export function hostContract(name: string, make: () => Host): void {
  describe(`${name}: host contract`, () => {
    const host = make();
    const directory = mkdtempSync(join(tmpdir(), 'slip-host-'));
    after(async () => {
      await host.close();
      rmSync(directory, { recursive: true, force: true });
    });
    processes(host);
    mounts(host, directory);
    files(host, directory);
    links(host);
    programs(host);
    tables(host);
    sockets(host);
    facts(host);
  });
}

function processes(host: Host): void {
  const run = (path: string, ...args: string[]) =>
    host.spawn({ path, args: [path, ...args], env: [], fds: {} });

  it('tells exit codes, once', async () => {
    for (const [path, code] of [
      ['/bin/true', 0],
      ['/bin/false', 1],
    ] as const) {
      const { pid, pidfd } = await run(path);
      assert.equal(await host.waitChild(pid), code);
      assert.equal(await host.waitChild(pid), -1);
      assert.equal(host.signalPidfd(pidfd, 9), false);
      host.closeFd(pidfd);
    }
    assert.equal(await host.waitChild(1), -1);
  });

  it('refuses a program that is not there', async () => {
    await assert.rejects(run('/nonexistent/program'), fails('ENOENT'));
  });

  it('finds, checks and signals a process', async () => {
    const { pid, pidfd } = await run('/bin/sleep', '600');
    const stat = host.processStat(pid);
    assert.deepEqual([stat?.pid, stat?.ppid], [pid, process.pid]);
    assert.equal(host.openPidfd(pid, '1'), -1);
    const again = host.openPidfd(pid, stat?.startTicks);
    assert.ok(again >= 0);
    assert.equal(host.signalPidfd(again, 0), true);
    const both = Promise.all([host.waitChild(pid), host.waitChild(pid)]);
    assert.equal(host.signalPidfd(again, 15), true);
    assert.deepEqual(await both, [128 + 15, 128 + 15]);
    assert.equal(host.signalPidfd(pidfd, 15), false);
    assert.equal(host.openPidfd(pid), -1);
    assert.equal(host.processStat(pid), undefined);
    host.closeFd(again);
    host.closeFd(pidfd);
  });

  it('makes socket pairs', () => {
    const [a, b] = host.socketpair();
    assert.ok(a >= 0 && b >= 0 && a !== b);
    host.closeFd(a);
    host.closeFd(b);
  });
}

function mounts(host: Host, directory: string): void {
  const tmpfs = (target: string, ...flags: string[]) =>
    host.mount({ source: 'tmpfs', target, fstype: 'tmpfs', flags, data: 'size=64k' });

  it('mounts, lists below a path, and unmounts as often as one likes', async () => {
    const target = join(directory, 'mnt');
    mkdirSync(target);
    mkdirSync(`${target}2`);
    await tmpfs(target, 'nosuid', 'private');
    await tmpfs(`${target}2`);
    const listed = await host.mounts(target);
    assert.deepEqual(
      listed.map((mount) => [mount.target, mount.fstype, mount.source, mount.propagation]),
      [[target, 'tmpfs', 'tmpfs', 'private']],
    );
    await host.mount({ source: '', target, fstype: '', flags: ['shared'] });
    assert.equal((await host.mounts(target))[0]?.propagation, 'shared');
    await host.unmount(target);
    await host.unmount(target);
    await host.unmount(join(directory, 'never'), { detach: true });
    assert.deepEqual(await host.mounts(target), []);
    assert.equal((await host.mounts(directory)).length, 1);
    await host.unmount(`${target}2`, { detach: true });
  });

  it('mounts a directory under other ids', async () => {
    const [source, target] = [join(directory, 'ids-source'), join(directory, 'ids-target')];
    mkdirSync(source);
    mkdirSync(target);
    const ranges = [{ inside: 0, outside: 100_000, size: 10 }];
    const { user, network } = await host.createUserNamespace({ uids: ranges, gids: ranges });
    await host.mountIdMapped({ source, target, userNamespace: user.fd });
    assert.deepEqual(
      (await host.mounts(target)).map((mount) => [mount.target, mount.propagation]),
      [[target, 'private']],
    );
    await host.unmount(target);
    host.closeFd(user.fd);
    host.closeFd(network.fd);
  });

  it('refuses a mount on nothing, and a flag that is none', async () => {
    await assert.rejects(tmpfs(join(directory, 'nothing')), fails('ENOENT'));
    assert.deepEqual(await host.mounts(join(directory, 'nothing')), []);
  });

  it('binds', async () => {
    const [source, target] = [join(directory, 'bind-source'), join(directory, 'bind-target')];
    mkdirSync(source);
    mkdirSync(target);
    await host.mount({ source, target, fstype: '', flags: ['bind', 'ro'] });
    assert.equal((await host.mounts(target)).length, 1);
    await host.unmount(target);
    await assert.rejects(
      host.mount({ source: join(directory, 'nothing'), target, fstype: '', flags: ['bind'] }),
      fails('ENOENT'),
    );
  });
}

function files(host: Host, directory: string): void {
  it('opens below a root that cannot be left', async () => {
    const root = join(directory, 'root');
    mkdirSync(join(root, 'etc'), { recursive: true });
    writeFileSync(join(root, 'etc/name'), 'inside');
    symlinkSync('/etc/name', join(root, 'absolute'));
    symlinkSync('../../../../../../etc/name', join(root, 'etc/climbing'));
    for (const path of ['etc/name', '/etc/name', '../../etc/name', 'absolute', 'etc/climbing']) {
      host.closeFd(await host.openInRoot(root, path));
    }
    await assert.rejects(host.openInRoot(root, 'etc/passwd'), fails('ENOENT'));
    await assert.rejects(host.openInRoot(root, 'absolute', { noSymlinks: true }), fails('ELOOP'));
    await assert.rejects(host.openInRoot(join(directory, 'no-root'), '/'), fails('ENOENT'));
  });

  it('flushes the filesystem of a path', async () => {
    await host.syncfs(directory);
    await assert.rejects(host.syncfs(join(directory, 'nothing')), fails('ENOENT'));
  });
}

function facts(host: Host): void {
  it('tells about the machine', async () => {
    const told = await host.facts();
    assert.match(told.kernelVersion, /^\d+\.\d+/);
    assert.ok(told.cpus > 0 && told.memoryTotal > 0 && told.uplinkMtu >= 576);
    assert.ok(told.filesystems.includes('proc'));
    const layout = host.cgroupLayout();
    assert.ok(layout.version === 2 || Object.keys(layout.controllers).length > 0);
  });
}
