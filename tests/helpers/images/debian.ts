/** Debian trees made with debootstrap from the mirror that this machine's apt uses: for test images and the test VM. */

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { madeOnce, withLock } from '../made-once.ts';
import { debianMirror, downloadWithDependencies } from './apt.ts';

const run = promisify(execFile);
const cache = join(import.meta.dirname, '../../../.cache');

/** A minimal Debian 12 that the other trees begin with, debootstrapped once. */
async function baseTree(): Promise<string> {
  const target = join(cache, 'images/debian-base');
  return await madeOnce(target, async () => {
    const temporary = `${target}.tmp`;
    await rm(temporary, { recursive: true, force: true });
    await mkdir(join(temporary, 'etc/dpkg/dpkg.cfg.d'), { recursive: true });
    // A tree that a power failure cuts off is made anew: no need to wait for the disk after each file.
    await writeFile(join(temporary, unsafeIo), 'force-unsafe-io\n');
    try {
      // In a mount namespace of its own: the /proc that it mounts in the tree goes with it, however it ends.
      const debootstrap = ['debootstrap', '--variant=minbase', 'bookworm', temporary, debianMirror()];
      await run('unshare', ['--mount', ...debootstrap], { maxBuffer: 64 << 20 });
    } catch (error) {
      throw new Error(`debootstrap failed, its log is ${temporary}/debootstrap/debootstrap.log`, {
        cause: error,
      });
    }
    await rm(join(temporary, 'var/cache/apt/archives'), { recursive: true, force: true });
    await rm(join(temporary, 'var/lib/apt/lists'), { recursive: true, force: true });
    await rename(temporary, target);
  });
}

const unsafeIo = 'etc/dpkg/dpkg.cfg.d/force-unsafe-io';
const policy = 'usr/sbin/policy-rc.d';

/** Installs packages from this host's apt in a tree, which needs no network for that; none of their services is started. */
async function installInto(tree: string, packages: readonly string[]): Promise<void> {
  const archives = join(tree, 'var/cache/apt/archives');
  const status = join(tree, 'var/lib/dpkg/status');
  const files = await downloadWithDependencies('bookworm', packages, archives, status);
  await writeFile(join(tree, policy), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const script = `mount -t proc proc "$1/proc" && exec chroot "$@"`;
  const inside = files.map((file) => join('/var/cache/apt/archives', basename(file)));
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', '--no-download', ...inside];
  await run('unshare', ['--mount', 'sh', '-c', script, 'sh', tree, ...install], {
    maxBuffer: 64 << 20,
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      DEBIAN_FRONTEND: 'noninteractive',
      LC_ALL: 'C.UTF-8',
    },
  });
  await rm(join(tree, policy));
  await rm(archives, { recursive: true });
}

/** Makes a tree of Debian 12 at `target` in one step: a tree that stands is whole. Needs root. */
export async function makeDebianTree(target: string, include: readonly string[]): Promise<void> {
  const temporary = `${target}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await run('cp', ['-a', await baseTree(), temporary]);
  if (include.length > 0) await installInto(temporary, include);
  await rm(join(temporary, unsafeIo));
  await rm(target, { recursive: true, force: true });
  await rename(temporary, target);
}

/** Fetches a package's file into `folder` without installing it; returns its path. */
export async function downloadPackage(name: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const fetched = (): string | undefined => readdirSync(folder).find((file) => file.startsWith(`${name}_`));
  const partial = join(folder, 'partial');
  const fetch = async (): Promise<void> => {
    await mkdir(partial, { recursive: true });
    // apt fetches as its own user where it can; a folder that only root may enter is no error, only a warning.
    await run('apt-get', ['download', '-o', 'APT::Sandbox::User=root', name], { cwd: partial });
    for (const file of readdirSync(partial)) await rename(join(partial, file), join(folder, file));
  };
  // One at a time: apt's lists are shared, and so is the folder.
  if (fetched() === undefined) {
    await withLock(`${folder}.lock`, async () => {
      if (fetched() !== undefined) return;
      await fetch().catch(async () => {
        await run('apt-get', ['update', '-o', 'DPkg::Lock::Timeout=300']);
        await fetch();
      });
    });
  }
  const file = fetched();
  if (file === undefined) throw new Error(`apt-get download brought no file for ${name}`);
  return join(folder, file);
}

/** Unpacks packages into `.cache/NAME` once, without installing them; returns that folder. */
export async function unpackPackages(name: string, packages: readonly string[]): Promise<string> {
  const target = join(cache, name);
  return await madeOnce(target, async () => {
    const temporary = `${target}.tmp`;
    await rm(temporary, { recursive: true, force: true });
    for (const each of packages)
      await run('dpkg-deb', ['-x', await downloadPackage(each, join(cache, 'packages')), temporary]);
    await rename(temporary, target);
  });
}
