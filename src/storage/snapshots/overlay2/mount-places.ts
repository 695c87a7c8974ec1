/** Making places to mount over, inside of a mount of an image that nobody runs in, and handing them to a snapshot later. */

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
} from 'node:fs';
import { join, posix } from 'node:path';
import { isErrno } from '../../../core/errors.ts';
import { engineFile, mtab } from '../../../core/model/system-paths.ts';
import type { Host } from '../../../core/ports/host.ts';
import type { MountPlace } from '../../../core/ports/snapshot-driver.ts';

type Opener = Pick<Host, 'openInRoot' | 'closeFd'>;

/** What every container has mounted, and Docker's mark: nobody's change, wherever it was made. */
export const basePlaces: readonly MountPlace[] = [
  ...['/dev', '/proc', '/sys', '/etc'].map((path) => ({ path, kind: 'directory' }) as const),
  ...['/etc/hosts', '/etc/hostname', '/etc/resolv.conf', engineFile].map(
    (path) => ({ path, kind: 'file' }) as const,
  ),
];
const isBase = new Set([...basePlaces.map(({ path }) => path), `${mtab.directory}/${mtab.name}`]);

const mostPlaces = 64;
const deepest = 16;

/**
 * Those that a layer can hold, sorted, so that the same ones are the same list. What lies in /dev, /proc or /sys is made in the filesystems that are
 * mounted there; an odd number of them is not worth a layer.
 */
export function worthwhile(places: readonly MountPlace[]): readonly MountPlace[] {
  if (places.length > mostPlaces) return [];
  const byPath = new Map(
    places.map((place) => {
      const path = posix.normalize(place.path).replace(/\/$/, '');
      return [path, { ...place, path }];
    }),
  );
  return [...byPath.values()]
    .filter(({ path }) => /^\/./.test(path) && path.split('/').length <= deepest)
    .filter(({ path }) => !/^\/(dev|proc|sys)(\/|$)/.test(path))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Whether it was made; false when anything has that name. Nothing is followed. */
function unlessThere(make: () => void): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** With a path that leads to this directory and nowhere else; false where an image has a link or a file there. */
async function within(
  host: Opener,
  root: string,
  path: string,
  work: (at: string) => boolean,
): Promise<boolean> {
  let fd: number;
  try {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY;
    fd = await host.openInRoot(root, path, { flags, noSymlinks: true });
  } catch {
    return false;
  }
  try {
    return work(`/proc/self/fd/${fd}`);
  } finally {
    host.closeFd(fd);
  }
}

const makeFile = (path: string): void =>
  closeSync(openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o755));

function makeDirectory(path: string, mode = 0o755): void {
  mkdirSync(path, { mode });
  // Whatever the umask is.
  if (mode !== 0o755) chmodSync(path, mode);
}

function makerOf({ kind, mode }: MountPlace): (path: string) => void {
  return kind === 'file' ? makeFile : (path) => makeDirectory(path, mode);
}

/** Makes the link unless the image has something there. */
export async function makeMtab(host: Opener, root: string): Promise<void> {
  await within(host, root, mtab.directory, (directory) =>
    unlessThere(() => symlinkSync(mtab.target, `${directory}/${mtab.name}`)),
  );
}

/** Makes what is missing of a place, with its parents, below `root`; whether there was anything to make. */
export async function makePlace(host: Opener, root: string, place: MountPlace): Promise<boolean> {
  const names = place.path.split('/').slice(1);
  let [made, at] = [false, '/'];
  for (const [index, name] of names.entries()) {
    const make = index < names.length - 1 ? makeDirectory : makerOf(place);
    const making = await within(host, root, at, (directory) =>
      unlessThere(() => make(`${directory}/${name}`)),
    );
    made ||= making;
    at = posix.join(at, name);
  }
  return made;
}

/** Paths in a layer of places that hold nothing themselves: the places. Those of every container are left out. */
function placesIn(layer: string, directory = '/'): readonly string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(layer, directory), { withFileTypes: true })) {
    const path = posix.join(directory, entry.name);
    const below = entry.isDirectory() ? placesIn(layer, path) : [];
    if (below.length > 0) found.push(...below);
    else if (!isBase.has(path)) found.push(path);
  }
  return found;
}

/**
 * Gives a mounted snapshot the places of a layer below it: setting the owner that they have makes overlayfs copy them, and the directories above them,
 * into the upper directory. What the container has made of one meanwhile stays.
 */
export async function copyPlacesUp(
  host: Opener,
  of: { readonly layer: string; readonly upper: string; readonly merged: string },
): Promise<void> {
  for (const path of placesIn(of.layer)) {
    if (lstatSync(join(of.upper, path), { throwIfNoEntry: false }) !== undefined) continue;
    let fd: number;
    try {
      fd = await host.openInRoot(of.merged, path, { noSymlinks: true });
    } catch {
      continue;
    }
    try {
      const { uid, gid } = fstatSync(fd);
      chownSync(`/proc/self/fd/${fd}`, uid, gid);
    } finally {
      host.closeFd(fd);
    }
  }
}
