/** Which ids of the host the users and groups of a user namespace are (user_namespaces(7)). Pure. */

/** `size` ids from `inside` on in the namespace are those from `outside` on on the host. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly size: number;
}

export interface IdMapping {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What the kernel shows for an id that has no counterpart. */
export const overflowId = 65_534;

/** The host's number of an id in the namespace; undefined where it has none. */
export function toHostId(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ inside, size }) => id >= inside && id < inside + size);
  return range === undefined ? undefined : range.outside + (id - range.inside);
}

/** The namespace's number of an id of the host; undefined where it has none. */
export function toContainerId(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ outside, size }) => id >= outside && id < outside + size);
  return range === undefined ? undefined : range.inside + (id - range.outside);
}

/** The namespace's root as the host counts it; the host's own root without a mapping. */
export function rootOf(mapping: IdMapping | undefined): Owner {
  if (mapping === undefined) return { uid: 0, gid: 0 };
  return { uid: toHostId(mapping.uids, 0) ?? overflowId, gid: toHostId(mapping.gids, 0) ?? overflowId };
}

/** How many ids from 0 on the namespace has without a gap. */
export function idsFromZero(ranges: readonly IdRange[]): number {
  let next = 0;
  for (const { inside, size } of [...ranges].sort((a, b) => a.inside - b.inside)) {
    if (inside > next) break;
    next = Math.max(next, inside + size);
  }
  return next;
}

/** In the form of /proc/PID/uid_map. */
export const formatIdMap = (ranges: readonly IdRange[]): string =>
  ranges.map(({ inside, outside, size }) => `${inside} ${outside} ${size}\n`).join('');

export function parseIdMap(text: string): readonly IdRange[] {
  return text.split('\n').flatMap((line) => {
    const [inside, outside, size, more] = line.trim().split(/\s+/).map(Number);
    if (inside === undefined || outside === undefined || size === undefined || more !== undefined) return [];
    return [{ inside, outside, size }];
  });
}

/** Whether this is the map of the host's own namespace: every id is itself. */
export const isIdentity = (ranges: readonly IdRange[]): boolean =>
  ranges.every(({ inside, outside }) => inside === outside);
