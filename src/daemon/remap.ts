/**
 * `--userns-remap`: from `default`, a user or numbers to the ids that containers get, by dockerd's rules and in its words. Ranges
 * come from /etc/subuid and /etc/subgid (subuid(5)), where they stand under the user's name or number.
 */

import { execFileSync } from 'node:child_process';
import { accessSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { internal, invalid } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { rootOf, type IdMapping, type IdRange, type Owner } from '../core/model/id-mapping.ts';

/** What `default` names; made when it is not there. */
const defaultUser = 'dockremap';
const rangeSize = 65_536;
const firstId = 100_000;

export interface Account {
  readonly name: string;
  readonly id: number;
}

/** The files and databases of the host; given so that tables can be tested. */
export interface Accounts {
  /** By name or number; undefined where there is none. */
  user(key: string): Account | undefined;
  group(key: string): Account | undefined;
  /** Text of /etc/subuid and /etc/subgid. */
  readonly subuid: () => string;
  readonly subgid: () => string;
  /** Makes the system user `name` with a group of that name and, where it has none, ranges of its own. */
  create(name: string): void;
}

const isNumber = (text: string): boolean => /^-?\d+$/.test(text);
const notFound = (key: string, database: string): string =>
  `getent unable to find entry ${JSON.stringify(key)} in ${database} database`;

function userOf(accounts: Accounts, given: string): Account {
  if (isNumber(given)) {
    const user = accounts.user(given);
    if (user !== undefined) return user;
    throw invalid(`uid ${given} has no entry in /etc/passwd: ${notFound(given, 'passwd')}`);
  }
  const name = given === 'default' ? defaultUser : given;
  const user = accounts.user(name);
  if (user !== undefined) return user;
  if (given !== 'default')
    throw invalid(`error during uid lookup for ${JSON.stringify(name)}: ${notFound(name, 'passwd')}`);
  try {
    accounts.create(name);
  } catch (error) {
    throw internal(
      `error during ${JSON.stringify(name)} user creation: ${error instanceof Error ? error.message : ''}`,
      error,
    );
  }
  const made = accounts.user(name);
  if (made === undefined)
    throw internal(`error during ${JSON.stringify(name)} user creation: it is not there`);
  return made;
}

/** Only looked up, as by dockerd: the ranges are those of the user. */
function checkGroup(
  accounts: Accounts,
  user: Account,
  userPart: string,
  groupPart: string | undefined,
): void {
  if (groupPart === undefined) {
    const key = isNumber(userPart) ? userPart : user.name;
    if (accounts.group(key) !== undefined) return;
    throw invalid(
      isNumber(userPart)
        ? `gid ${key} has no entry in /etc/group: ${notFound(key, 'group')}`
        : `error during gid lookup for ${JSON.stringify(key)}: ${notFound(key, 'group')}`,
    );
  }
  if (accounts.group(groupPart) !== undefined) return;
  throw invalid(
    isNumber(groupPart)
      ? `gid ${groupPart} has no entry in /etc/group: ${notFound(groupPart, 'group')}`
      : `error during groupname lookup for ${JSON.stringify(groupPart)}: ${notFound(groupPart, 'group')}`,
  );
}

/** Ranges of a user in the order of the file, put one after another from 0 on in the namespace. */
export function subordinateRanges(text: string, user: Account): readonly IdRange[] {
  const ranges: IdRange[] = [];
  let inside = 0;
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [owner = '', first = '', count = '', ...more] = line.split(':');
    if (more.length > 0 || !/^\d+$/.test(first) || !/^\d+$/.test(count))
      throw invalid(`Can't create ID mappings: cannot parse subuid/gid information: ${JSON.stringify(line)}`);
    if (owner !== user.name && owner !== String(user.id)) continue;
    const size = Number(count);
    if (size > 0) ranges.push({ inside, outside: Number(first), size });
    inside += size;
  }
  return ranges;
}

function mappingOf(accounts: Accounts, user: Account): IdMapping {
  const [uids, gids] = [
    subordinateRanges(accounts.subuid(), user),
    subordinateRanges(accounts.subgid(), user),
  ];
  const none = (kind: string): Error =>
    invalid(`Can't create ID mappings: no ${kind} ranges found for user ${JSON.stringify(user.name)}`);
  if (uids.length === 0) throw none('subuid');
  if (gids.length === 0) throw none('subgid');
  return { uids, gids };
}

/** Undefined where containers share the host's users: without the option, and for root. `invalid` in dockerd's words. */
export function resolveRemap(log: Logger, option: string, accounts: Accounts): IdMapping | undefined {
  if (option === '') return undefined;
  const [userPart = '', groupPart, ...more] = option.split(':');
  if (more.length > 0)
    throw invalid(`invalid user/group specification in --userns-remap: ${JSON.stringify(option)}`);
  const user = userOf(accounts, userPart);
  checkGroup(accounts, user, userPart, groupPart);
  if (user.name === 'root') {
    log.warn('User namespaces: root cannot be remapped with itself; user namespaces are OFF');
    return undefined;
  }
  log.info('User namespaces: ID ranges will be mapped to subuid/subgid ranges', { user: user.name });
  return mappingOf(accounts, user);
}

/** The first id from 100000 on behind all ranges of a file. */
export function nextFreeId(text: string): number {
  let next = firstId;
  for (const line of text.split('\n')) {
    const [, first = '', count = ''] = line.split(':');
    if (first !== '' && count !== '') next = Math.max(next, Number(first) + Number(count));
  }
  return next;
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** From the file, and where it is not there from whatever the host's name services know. */
function lookUp(database: 'passwd' | 'group', key: string): Account | undefined {
  const find = (text: string): Account | undefined => {
    for (const line of text.split('\n')) {
      const [name = '', , id = ''] = line.split(':');
      if (id !== '' && (name === key || id === key)) return { name, id: Number(id) };
    }
    return undefined;
  };
  const found = find(read(`/etc/${database}`));
  if (found !== undefined) return found;
  try {
    return find(
      execFileSync('getent', [database, key], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  } catch {
    return undefined;
  }
}

function createUser(name: string): void {
  const call = (program: string, args: readonly string[]): void => {
    execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  };
  call('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', name]);
  for (const [file, flag] of [
    ['/etc/subuid', '--add-subuids'],
    ['/etc/subgid', '--add-subgids'],
  ] as const) {
    const text = read(file);
    if (text.split('\n').some((line) => line.startsWith(`${name}:`))) continue;
    const next = nextFreeId(text);
    call('usermod', [flag, `${next}-${next + rangeSize - 1}`, name]);
  }
}

export const hostAccounts: Accounts = {
  user: (key) => lookUp('passwd', key),
  group: (key) => lookUp('group', key),
  subuid: () => read('/etc/subuid'),
  subgid: () => read('/etc/subgid'),
  create: createUser,
};

/** Whether this user may pass through a directory. */
function admits(path: string, { uid, gid }: Owner): boolean {
  const { mode, uid: owner, gid: group } = statSync(path);
  if (owner === uid) return (mode & 0o100) !== 0;
  if (group === gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

/** A container's first process reaches its files by their path, as its own root. `invalid` in dockerd's words. */
export function checkReachable(paths: readonly string[], mapping: IdMapping): void {
  const root = rootOf(mapping);
  for (const path of paths) {
    accessSync(path);
    for (let at = path; at !== '/'; at = dirname(at)) {
      if (admits(at, root)) continue;
      throw invalid(
        `a subdirectory in your graphroot path (${path}) restricts access to the remapped root uid/gid; please fix by allowing 'o+x' permissions on existing directories: ${at} is closed`,
      );
    }
  }
}
