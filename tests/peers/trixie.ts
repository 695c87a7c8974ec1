/**
 * A tree of Debian 13 with its docker.io, unpacked from the packages that apt picks and never configured: enough to run dockerd
 * in it, and nothing of it touches this host. Its docker compose, for the tests of clients, is unpacked likewise.
 */

import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { downloadWithDependencies } from '../helpers/images/apt.ts';
import { madeOnce } from '../helpers/made-once.ts';

const run = promisify(execFile);
const cache = join(import.meta.dirname, '../../.cache/trixie');

const dockerPackages = [
  'docker.io',
  'iptables',
  'procps',
  'dash',
  'coreutils',
  'mount',
  'kmod',
  'base-files',
];

/** What configuring the packages would have done, as far as dockerd looks at it. */
function settle(tree: string): void {
  for (const name of ['peer', 'old', 'proc', 'sys', 'dev', 'run', 'tmp'])
    mkdirSync(join(tree, name), { recursive: true });
  for (const name of ['iptables', 'ip6tables', 'iptables-save', 'ip6tables-save']) {
    rmSync(join(tree, 'usr/sbin', name), { force: true });
    symlinkSync('xtables-nft-multi', join(tree, 'usr/sbin', name));
  }
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(tree, 'etc/hosts'), '127.0.0.1 localhost\n');
  writeFileSync(join(tree, 'etc/resolv.conf'), 'nameserver 192.0.2.53\n');
}

/** Unpacks packages of Debian 13, with all that they depend on, into `folder/tree` once; returns that. */
export async function unpackTrixiePackages(
  folder: string,
  packages: readonly string[],
  settleTree: (tree: string) => void = () => {},
): Promise<string> {
  const tree = join(folder, 'tree');
  return await madeOnce(tree, async () => {
    const files = await downloadWithDependencies('trixie', packages, join(folder, 'archives'), '/dev/null');
    const temporary = `${tree}.tmp`;
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary, { recursive: true });
    // Its links (/bin, /lib) must be there before files are put through them.
    const first = (file: string): number => (file.includes('/base-files_') ? 0 : 1);
    for (const file of files.toSorted((a, b) => first(a) - first(b)))
      await run('dpkg-deb', ['-x', file, temporary]);
    settleTree(temporary);
    renameSync(temporary, tree);
  });
}

/** Makes the tree with dockerd once; returns its folder. */
export const unpackTrixie = (): Promise<string> => unpackTrixiePackages(cache, dockerPackages, settle);

const composeCache = join(import.meta.dirname, '../../.cache/trixie-compose');

/** The folder of CLI plugins with Debian 13's `docker compose`, unpacked once. */
export async function unpackCompose(): Promise<string> {
  const tree = await unpackTrixiePackages(composeCache, ['base-files', 'docker-compose']);
  return join(tree, 'usr/libexec/docker/cli-plugins');
}

/** A program of the tree that runs on any host, with its own C library: the path of a command in the folder `bin`. */
export function withOwnLibraries(tree: string, program: string, bin: string): string {
  const command = join(bin, basename(program));
  if (existsSync(command)) return command;
  mkdirSync(bin, { recursive: true });
  const libraries = join(tree, 'usr/lib/x86_64-linux-gnu');
  const loader = join(libraries, 'ld-linux-x86-64.so.2');
  const temporary = `${command}.${process.pid}`;
  const run = `${loader} --library-path ${libraries} ${join(tree, program)}`;
  writeFileSync(temporary, `#!/bin/sh\nexec ${run} "$@"\n`);
  chmodSync(temporary, 0o755);
  renameSync(temporary, command);
  return command;
}

const cliCache = join(import.meta.dirname, '../../.cache/trixie-cli');

/** The folder of Debian 13's `docker` command, 26.1. */
export async function unpackDockerCli(): Promise<string> {
  const tree = await unpackTrixiePackages(cliCache, ['base-files', 'docker-cli']);
  return dirname(withOwnLibraries(tree, 'usr/bin/docker', join(cliCache, 'bin')));
}
