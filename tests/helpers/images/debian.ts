/** Debian trees made with debootstrap from the mirror that this machine's apt uses: for test images and the test VM. */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { madeOnce, withLock } from '../made-once.ts';

const run = promisify(execFile);
export const suite = 'bookworm';
const cache = join(import.meta.dirname, '../../../.cache');

/** What debootstrap and apt are told, not what a test prints. */
function aptSources(): string[] {
  const folder = '/etc/apt/sources.list.d';
  const files = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return ['/etc/apt/sources.list', ...files]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'));
}

/** The mirror that has the suite, from either form of apt's source lists. */
export function debianMirror(): string {
  for (const text of aptSources()) {
    for (const stanza of text.split(/\n\s*\n/)) {
      const uri = /^URIs:\s*(\S+)/m.exec(stanza)?.[1];
      const suites = /^Suites:\s*(.+)$/m.exec(stanza)?.[1]?.trim().split(/\s+/);
      if (uri !== undefined && suites?.includes(suite) === true) return uri;
    }
    const line = new RegExp(`^deb\\s+(?:\\[[^\\]]*\\]\\s+)?(\\S+)\\s+${suite}\\s`, 'm').exec(text)?.[1];
    if (line !== undefined) return line;
  }
  throw new Error(`no apt source has the suite ${suite}`);
}

/** Makes a Debian tree at `target` in one step: a tree that stands is whole. Needs root. */
export async function makeDebianTree(target: string, include: readonly string[]): Promise<void> {
  const temporary = `${target}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  const packages = include.length > 0 ? [`--include=${include.join(',')}`] : [];
  try {
    // In a mount namespace of its own: the /proc that it mounts in the tree goes with it, however it ends.
    const debootstrap = ['debootstrap', '--variant=minbase', ...packages, suite, temporary, debianMirror()];
    await run('unshare', ['--mount', ...debootstrap], { maxBuffer: 64 << 20 });
  } catch (error) {
    throw new Error(`debootstrap failed, its log is ${temporary}/debootstrap/debootstrap.log`, {
      cause: error,
    });
  }
  await rm(join(temporary, 'var/cache/apt/archives'), { recursive: true, force: true });
  await rm(join(temporary, 'var/lib/apt/lists'), { recursive: true, force: true });
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
