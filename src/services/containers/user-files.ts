/** Reading /etc/passwd and /etc/group as the C library would. Pure; what is malformed is passed over. */

import { internal } from '../../core/errors.ts';
import type { ResolvedUser } from '../../core/ports/spec-builder.ts';

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const maxId = 2_147_483_647;
const isNumber = (text: string): boolean => /^-?\d+$/.test(text);

function parsePasswd(text: string): readonly PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.trim().split(':');
    if (name === '' || name.startsWith('#') || !isNumber(uid) || !isNumber(gid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home }];
  });
}

function parseGroup(text: string): readonly GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , gid = '', members = ''] = line.trim().split(':');
    if (name === '' || name.startsWith('#') || !isNumber(gid)) return [];
    return [{ name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') }];
  });
}

function checkedId(text: string): number {
  const id = Number(text);
  if (id < 0 || id > maxId) throw internal(`uids and gids must be in range 0-${maxId}`);
  return id;
}

/** `words` begin what is said of a group that is not there: Docker has a capital for the further ones. */
function findGroup(groups: readonly GroupEntry[], wanted: string, words = 'unable'): number {
  const named = groups.find((group) => group.name === wanted);
  if (named !== undefined) return named.gid;
  if (isNumber(wanted)) return checkedId(wanted);
  throw internal(`${words} to find group ${wanted}: no matching entries in group file`);
}

export interface UserQuery {
  /** `name`, `uid`, `name:group`, `uid:gid` or empty for root. */
  readonly user: string;
  readonly groupAdd: readonly string[];
  /** Contents; empty when the container has no such file. */
  readonly passwd: string;
  readonly group: string;
}

/** Who a process runs as. Numbers need no entry; names do (`unable to find user x: no matching entries in passwd file`). */
export function resolveUser(query: UserQuery): ResolvedUser {
  const [userPart = '', groupPart = ''] = query.user.split(':', 2);
  const wanted = userPart === '' ? '0' : userPart;
  const groups = parseGroup(query.group);
  const users = parsePasswd(query.passwd);
  const entry =
    users.find((user) => user.name === wanted) ??
    (isNumber(wanted) ? users.find((user) => user.uid === Number(wanted)) : undefined);
  if (entry === undefined && !isNumber(wanted)) {
    throw internal(`unable to find user ${wanted}: no matching entries in passwd file`);
  }
  const uid = entry?.uid ?? checkedId(wanted);
  const gid = groupPart === '' ? (entry?.gid ?? 0) : findGroup(groups, groupPart);
  // An explicit group stands alone, as with Docker; else the user's memberships come along.
  const memberships =
    groupPart === '' && entry !== undefined
      ? groups.filter((group) => group.members.includes(entry.name)).map((group) => group.gid)
      : [];
  const added = query.groupAdd.map((name) => findGroup(groups, name, 'Unable'));
  return {
    uid,
    gid,
    // The primary group is listed too, so that a setgid program cannot shed it and escape a deny by group.
    additionalGids: [...new Set([gid, ...memberships, ...added])],
    home: entry?.home || '/',
  };
}
