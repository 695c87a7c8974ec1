/**
 * What an engine can leave in the kernel, found by the names that derive from its instance and its folders, and taken
 * away. Works without a daemon. Each function tells what it removed; a thing that is gone already is no error.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess, pidOf } from './daemon.ts';

/** Output of a command, or empty when it fails. */
function output(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

const unescapeMount = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Mount points at or below the folders, deepest first. */
export function findMounts(mountinfo: string, folders: readonly string[]): string[] {
  return mountinfo
    .split('\n')
    .map((line) => unescapeMount(line.split(' ')[4] ?? ''))
    .filter((path) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`)))
    .toReversed();
}

export function unmountAll(folders: readonly string[]): number {
  const mounts = findMounts(readFileSync('/proc/self/mountinfo', 'utf8'), folders);
  for (const mount of mounts) output('umount', ['-l', mount]);
  return mounts.length;
}

/** The instance's cgroup folders, one a hierarchy: v1 controllers, or v2's one; and containers that are scopes of systemd. */
function cgroupRoots(instance: string): string[] {
  const own = ['/sys/fs/cgroup', ...globSync('/sys/fs/cgroup/*/')]
    .map((root) => join(root, instance))
    .filter((path) => existsSync(path));
  const scope = new RegExp(`/${instance}-[0-9a-f]{64}\\.scope$`);
  const scopes = globSync(`/sys/fs/cgroup/**/*.slice/${instance}-*.scope`).filter((path) => scope.test(path));
  return [...own, ...scopes];
}

function cgroupTree(instance: string): string[] {
  const folders = cgroupRoots(instance).flatMap((root) => {
    const below = readdirSync(root, { recursive: true, withFileTypes: true });
    return [
      root,
      ...below.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name)),
    ];
  });
  return folders.sort((a, b) => b.length - a.length);
}

function processesIn(folders: readonly string[]): number[] {
  const pids = new Set<number>();
  for (const folder of folders) {
    try {
      for (const line of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n')) {
        if (Number(line) > 1) pids.add(Number(line));
      }
    } catch {
      // The folder went meanwhile.
    }
  }
  return [...pids];
}

/** Ends what runs in the instance's cgroups and removes them. */
export async function removeCgroups(instance: string): Promise<number> {
  const ended = processesIn(cgroupTree(instance));
  for (let tries = 0; tries < 100; tries++) {
    const folders = cgroupTree(instance);
    if (folders.length === 0) break;
    for (const pid of processesIn(folders)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Ended by itself.
      }
    }
    for (const folder of folders) {
      try {
        rmdirSync(folder);
      } catch {
        // Busy until the kernel has collected its processes: the next round.
      }
    }
    if (cgroupTree(instance).length > 0) await delay(50);
  }
  return ended.length;
}

/** Ends the processes whose numbers stand in pid files of the run root, if they still are the engine's. */
export async function endByPidFiles(runRoot: string): Promise<number> {
  let ended = 0;
  for (const file of globSync('**/*.pid', { cwd: runRoot })) {
    const pid = pidOf(join(runRoot, file), 'slipway');
    if (pid === undefined) continue;
    await endProcess(pid, 3000);
    ended += 1;
  }
  return ended;
}

interface Link {
  readonly ifname: string;
  readonly ifalias?: string;
}

/** Bridges and host ends of veths: the instance's own bridge, and links whose alias says whose they are. */
export function removeLinks(instance: string): number {
  const links = JSON.parse(output('ip', ['-j', 'link', 'show']) || '[]') as Link[];
  const ours = links.filter(
    (link) => link.ifname === `${instance}0` || link.ifalias?.startsWith(`slipway:${instance}:`) === true,
  );
  for (const link of ours) output('ip', ['link', 'delete', link.ifname]);
  return ours.length;
}

interface Ruleset {
  readonly nftables: readonly {
    readonly table?: { readonly family: string; readonly name: string };
    readonly rule?: {
      readonly family: string;
      readonly table: string;
      readonly chain: string;
      readonly handle: number;
      readonly comment?: string;
    };
  }[];
}

/** The nft commands that take the instance's rules away: its tables, and its marked rules in tables of others. */
export function planFirewallRemoval(ruleset: string, instance: string): string[][] {
  const { nftables } = JSON.parse(ruleset || '{"nftables":[]}') as Ruleset;
  return nftables.flatMap(({ table, rule }) => {
    if (table?.name === instance) return [['delete', 'table', table.family, instance]];
    if (rule === undefined || rule.table === instance || rule.comment?.startsWith(`${instance}: `) !== true)
      return [];
    return [['delete', 'rule', rule.family, rule.table, rule.chain, 'handle', String(rule.handle)]];
  });
}

export function removeFirewall(instance: string): number {
  const removals = planFirewallRemoval(output('nft', ['-j', 'list', 'ruleset']), instance);
  for (const removal of removals) output('nft', removal);
  return removals.length;
}
