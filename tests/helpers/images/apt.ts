/**
 * Debian packages with all that they depend on, chosen and fetched by this host's apt, with lists and an installed set that are
 * not this host's.
 */

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { madeOnce } from '../made-once.ts';

const run = promisify(execFile);
const cache = join(import.meta.dirname, '../../../.cache');

export type DebianSuite = 'bookworm' | 'trixie';

/** What debootstrap and apt are told, not what a test prints. */
function aptSources(): string[] {
  const folder = '/etc/apt/sources.list.d';
  const files = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return ['/etc/apt/sources.list', ...files]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'));
}

/** The mirror of this host's apt, from either form of its source lists: where it has Debian 12, it has all of Debian. */
export function debianMirror(): string {
  for (const text of aptSources()) {
    for (const stanza of text.split(/\n\s*\n/)) {
      const uri = /^URIs:\s*(\S+)/m.exec(stanza)?.[1];
      const suites = /^Suites:\s*(.+)$/m.exec(stanza)?.[1]?.trim().split(/\s+/);
      if (uri !== undefined && suites?.includes('bookworm') === true) return uri;
    }
    const line = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+bookworm\s/m.exec(text)?.[1];
    if (line !== undefined) return line;
  }
  throw new Error('no apt source has the suite bookworm');
}

const settings = (folder: string): string[] =>
  [
    `Dir::Etc::sourcelist=${join(folder, 'sources.list')}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${join(folder, 'lists')}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    'APT::Sandbox::User=root',
    'APT::Install-Recommends=0',
    // This is not the host's package system: its lock is not needed.
    'Debug::NoLocking=1',
  ].flatMap((option) => ['-o', option]);

/** The suite's lists, fetched once; returns apt's options that name them. */
async function listsOf(suite: DebianSuite): Promise<string[]> {
  const folder = join(cache, 'apt', suite);
  await madeOnce(join(folder, 'done'), async () => {
    mkdirSync(join(folder, 'lists/partial'), { recursive: true });
    mkdirSync(join(folder, 'cache'), { recursive: true });
    const key = '/usr/share/keyrings/debian-archive-keyring.gpg';
    writeFileSync(join(folder, 'sources.list'), `deb [signed-by=${key}] ${debianMirror()} ${suite} main\n`);
    await run('apt-get', [...settings(folder), 'update'], { maxBuffer: 16 << 20 });
    // Both forms of apt's own index, made now: several that use the lists at once would make it at once.
    await run('apt-cache', [...settings(folder), 'stats'], { maxBuffer: 16 << 20 });
    writeFileSync(join(folder, 'done'), '');
  });
  return settings(folder);
}

/**
 * Fetches the packages and what they need beyond what is installed by `status` (a file of dpkg, `/dev/null` for nothing) into the
 * folder `archives`; returns the packages' files.
 */
export async function downloadWithDependencies(
  suite: DebianSuite,
  packages: readonly string[],
  archives: string,
  status: string,
): Promise<readonly string[]> {
  rmSync(archives, { recursive: true, force: true });
  mkdirSync(join(archives, 'partial'), { recursive: true });
  const own = ['-o', `Dir::State::status=${status}`, '-o', `Dir::Cache::archives=${archives}/`];
  const options = [...(await listsOf(suite)), ...own];
  await run('apt-get', [...options, '--yes', '--download-only', 'install', ...packages], {
    maxBuffer: 16 << 20,
  });
  return readdirSync(archives)
    .filter((file) => file.endsWith('.deb'))
    .map((file) => join(archives, file));
}
