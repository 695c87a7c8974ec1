/**
 * The directories of a layer that is being unpacked: which exist, what their attributes will be, and how a path
 * resolves inside the root. Paths are byte strings relative to the root; '' is the root.
 */

import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  rmSync,
  unlinkSync,
  utimesSync,
  type PathLike,
  type Stats,
} from 'node:fs';
import { invalid, isErrno } from '../../core/errors.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';

export interface DirectoryAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
}

/** As the kernel's limit for one path. */
const maxLinks = 40;
// Nothing in it is readable by others, or has a setgid bit to inherit, until the layer is complete.
const workMode = 0o700;
const isWhiteout = (stats: Stats): boolean => stats.isCharacterDevice() && stats.rdev === 0;
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export class LayerTree {
  readonly #root: string;
  readonly #attributes: () => FileAttributes;
  readonly #keep: (path: string) => boolean;
  /** Real directories, with what they shall be in the end; undefined for those that the archive did not describe. */
  readonly #directories = new Map<string, DirectoryAttributes | undefined>([['', undefined]]);
  /** Path as written -> the real directory. */
  readonly #resolved = new Map<string, string>([['', '']]);

  /** `keep`: see LayerExtractor. */
  constructor(root: string, attributes: () => FileAttributes, keep: (path: string) => boolean = () => false) {
    this.#root = root;
    this.#attributes = attributes;
    this.#keep = keep;
  }

  /** The absolute path for Node's functions: a string where every byte is ASCII, since that is faster. */
  at(path: string): PathLike {
    const full = path === '' ? this.#root : `${this.#root}/${path}`;
    return /[^\0-\x7f]/.test(full) ? Buffer.from(full, 'latin1') : full;
  }

  bytes(path: string): Buffer {
    return Buffer.from(path === '' ? this.#root : `${this.#root}/${path}`, 'latin1');
  }

  /** What this layer has at a path (not resolved); a whiteout counts as nothing but is reported. */
  kind(path: string): 'directory' | 'other' | 'whiteout' | undefined {
    const stats = this.#lstat(path);
    if (stats === undefined) return undefined;
    if (stats.isDirectory()) return 'directory';
    return isWhiteout(stats) ? 'whiteout' : 'other';
  }

  /**
   * The real directory that a path leads to, with symbolic links resolved as in a chroot. What is missing on the way
   * is made. `invalid` when it leads through something that is no directory.
   */
  resolve(path: string): string {
    const known = this.#resolved.get(path);
    if (known !== undefined) return known;
    let real = '';
    let links = 0;
    const pending = path.split('/').toReversed();
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        real = parentOf(real);
        continue;
      }
      const next = real === '' ? part : `${real}/${part}`;
      const link = this.#directories.has(next) ? undefined : this.#enter(next, path);
      if (link === undefined) real = next;
      else {
        if (++links > maxLinks) throw invalid(`too many levels of symbolic links in ${JSON.stringify(path)}`);
        if (link.startsWith('/')) real = '';
        pending.push(...link.split('/').toReversed());
      }
    }
    this.#resolved.set(path, real);
    return real;
  }

  /** Makes sure that a directory is there; returns the target when it is a symbolic link instead. */
  #enter(path: string, whole: string): string | undefined {
    const stats = this.#lstat(path);
    if (stats?.isSymbolicLink() === true)
      return readlinkSync(this.at(path), { encoding: 'buffer' }).toString('latin1');
    if (stats === undefined) this.makeDirectory(path, undefined);
    else if (isWhiteout(stats)) {
      unlinkSync(this.at(path));
      this.makeDirectory(path, undefined);
      this.setOpaque(path);
    } else if (!stats.isDirectory())
      throw invalid(`not a directory: ${JSON.stringify(path)} in ${JSON.stringify(whole)}`);
    return undefined;
  }

  /** Makes a directory or takes over the one that is there; anything else there is replaced. */
  makeDirectory(path: string, attributes: DirectoryAttributes | undefined): void {
    const known = this.#directories.has(path);
    if (!known) {
      const hidden = this.kind(path) === 'whiteout';
      this.replacing(path, () => this.#mkdir(path));
      // Made where lower layers' things were hidden: they must stay hidden.
      if (hidden) this.setOpaque(path);
    }
    if (!known || attributes !== undefined) this.#directories.set(path, attributes);
  }

  #mkdir(path: string): void {
    try {
      mkdirSync(this.at(path), workMode);
    } catch (error) {
      if (!isErrno(error, 'EEXIST') || this.#lstat(path)?.isDirectory() !== true) throw error;
    }
  }

  /** Runs `create`, and when something is in the way, removes that and runs it again. */
  replacing<T>(path: string, create: () => T): T {
    try {
      return create();
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    this.#clear(path);
    return create();
  }

  #clear(path: string): void {
    const stats = this.#lstat(path);
    if (stats === undefined) return;
    const isKept = this.#keep(path);
    if (stats.isDirectory()) {
      if (!isKept) rmSync(this.at(path), { recursive: true, force: true });
      for (const known of this.#directories.keys())
        if (known === path || known.startsWith(`${path}/`)) this.#directories.delete(known);
    } else if (!isKept) unlinkSync(this.at(path));
    if (stats.isDirectory() || stats.isSymbolicLink()) {
      this.#resolved.clear();
      this.#resolved.set('', '');
    }
  }

  setOpaque(path: string): void {
    this.#attributes().setXattr(this.bytes(path), 'trusted.overlay.opaque', Buffer.from('y'));
  }

  /** Final owners, modes and times, children before parents; returns the directories that the archive did not describe. */
  settle(): string[] {
    const implicit: string[] = [];
    for (const [path, attributes] of [...this.#directories].toReversed()) {
      const at = this.at(path);
      const { mode, uid, gid, mtime } = attributes ?? { mode: 0o755, uid: 0, gid: 0, mtime: undefined };
      if (attributes === undefined) implicit.push(path);
      if (uid !== 0 || gid !== 0) chownSync(at, uid, gid);
      chmodSync(at, mode);
      if (mtime !== undefined) utimesSync(at, mtime, mtime);
    }
    return implicit.toReversed();
  }

  #lstat(path: string): Stats | undefined {
    return lstatSync(this.at(path), { throwIfNoEntry: false });
  }
}
