/** Debian trees made with debootstrap from the mirror that this machine's apt uses: for test images and the test VM. */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const suite = 'bookworm';

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
  if (fetched() === undefined) {
    // apt fetches as its own user where it can; a folder that only root may enter is no error, only a warning.
    await run('apt-get', ['download', '-o', 'APT::Sandbox::User=root', name], { cwd: folder }).catch(
      async () => {
        await run('apt-get', ['update']);
        await run('apt-get', ['download', '-o', 'APT::Sandbox::User=root', name], { cwd: folder });
      },
    );
  }
  const file = fetched();
  if (file === undefined) throw new Error(`apt-get download brought no file for ${name}`);
  return join(folder, file);
}
