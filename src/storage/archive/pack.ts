/**
 * A directory of overlayfs as a layer archive: 0/0 character devices become `.wh.` files, opaque directories get the
 * opaque marker. Runs in a worker thread, synchronously; entries are sorted, so that the same tree gives the same bytes.
 */

import {
  closeSync,
  constants as C,
  lstatSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  type Stats,
} from 'node:fs';
import { deviceNumbers } from '../../core/device-numbers.ts';
import { isErrno } from '../../core/errors.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import {
  encodeHeader,
  simpleHeader,
  tarEnd,
  tarPadding,
  tarTypeOf,
  type TarType,
  type TarHeader,
} from '../../core/tar/index.ts';

const chunkSize = 1 << 20;

/** The paths that are packed, and those of them that are a removal: byte strings without a slash in front. */
export type OnlyThese = ReadonlyMap<string, 'added' | 'modified' | 'deleted'>;

function whiteout(path: string): Buffer {
  const slash = path.lastIndexOf('/') + 1;
  return encodeHeader(simpleHeader(`${path.slice(0, slash)}.wh.${path.slice(slash)}`));
}

/** Names that are removed, by the directory (with a slash at its end) that they were in. */
function deletedNames(only: OnlyThese | undefined): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [path, kind] of only ?? []) {
    if (kind !== 'deleted') continue;
    const slash = path.lastIndexOf('/') + 1;
    const directory = path.slice(0, slash);
    const names = found.get(directory);
    if (names === undefined) found.set(directory, [path.slice(slash)]);
    else names.push(path.slice(slash));
  }
  return found;
}

class Packer {
  readonly #root: string;
  readonly #attributes: FileAttributes;
  readonly #omit: ReadonlySet<string>;
  readonly #only: OnlyThese | undefined;
  readonly #deleted: ReadonlyMap<string, readonly string[]>;
  readonly #links = new Map<number, string>();

  constructor(
    root: string,
    attributes: FileAttributes,
    omit: ReadonlySet<string>,
    only: OnlyThese | undefined,
  ) {
    this.#root = root;
    this.#only = only;
    this.#deleted = deletedNames(only);
    this.#attributes = attributes;
    this.#omit = omit;
  }

  *directory(path: string): Generator<Buffer> {
    const prefix = path === '' ? '' : `${path}/`;
    const names = readdirSync(this.#at(path), { encoding: 'buffer' }).map((name) => name.toString('latin1'));
    for (const name of [...names, ...this.#deletedIn(prefix)].sort()) yield* this.#entry(`${prefix}${name}`);
  }

  #deletedIn(prefix: string): readonly string[] {
    return this.#deleted.get(prefix) ?? [];
  }

  #at(path: string): Buffer {
    return Buffer.from(path === '' ? this.#root : `${this.#root}/${path}`, 'latin1');
  }

  *#entry(path: string): Generator<Buffer> {
    if (this.#omit.has(path)) return;
    const change = this.#only?.get(path);
    if (this.#only !== undefined && change === undefined) return;
    if (change === 'deleted') {
      yield whiteout(path);
      return;
    }
    const stats = lstatSync(this.#at(path), { throwIfNoEntry: false });
    if (stats === undefined) return;
    const type = tarTypeOf(stats);
    // A socket in an image is of no use: nobody listens.
    if (type === 'other') return;
    if (type === 'char' && stats.rdev === 0) {
      yield whiteout(path);
      return;
    }
    const first = stats.nlink > 1 && type !== 'directory' ? this.#links.get(stats.ino) : undefined;
    if (first !== undefined) {
      yield encodeHeader({ ...this.#header(path, 'hardlink', stats), size: 0, linkName: first });
      return;
    }
    if (stats.nlink > 1) this.#links.set(stats.ino, path);
    const header = this.#header(path, type, stats);
    if (type === 'file') yield* this.#file(path, header);
    else yield encodeHeader(header);
    if (type === 'directory') {
      if (this.#isOpaque(path)) yield encodeHeader(simpleHeader(`${path}/.wh..wh..opq`));
      yield* this.directory(path);
    }
  }

  #isOpaque(path: string): boolean {
    return this.#attributes.getXattr(this.#at(path), 'trusted.overlay.opaque')?.toString() === 'y';
  }

  #header(path: string, type: TarType, stats: Stats): TarHeader {
    const { major, minor } = deviceNumbers(stats.rdev);
    const isDevice = type === 'char' || type === 'block';
    return simpleHeader(type === 'directory' ? `${path}/` : path, {
      type,
      mode: stats.mode & 0o7777,
      uid: stats.uid,
      gid: stats.gid,
      size: type === 'file' ? stats.size : 0,
      mtime: Math.floor(stats.mtimeMs) / 1000,
      linkName:
        type === 'symlink' ? readlinkSync(this.#at(path), { encoding: 'buffer' }).toString('latin1') : '',
      deviceMajor: isDevice ? major : 0,
      deviceMinor: isDevice ? minor : 0,
      xattrs: type === 'hardlink' ? new Map() : this.#xattrs(path),
    });
  }

  #xattrs(path: string): Map<string, Buffer> {
    const found = new Map<string, Buffer>();
    const at = this.#at(path);
    for (const name of this.#attributes.listXattrs(at)) {
      if (/^(trusted|user)\.overlay\./.test(name) || name === 'security.selinux') continue;
      const value = this.#attributes.getXattr(at, name);
      if (value !== undefined) found.set(name, value);
    }
    return found;
  }

  /** Exactly as many bytes as the header says, whatever a running process does to the file meanwhile. */
  *#file(path: string, header: TarHeader): Generator<Buffer> {
    let fd: number;
    try {
      fd = openSync(this.#at(path), C.O_RDONLY | C.O_NOFOLLOW | C.O_NONBLOCK);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return;
      throw error;
    }
    try {
      yield encodeHeader(header);
      const buffer = Buffer.allocUnsafe(Math.min(chunkSize, Math.max(header.size, 1)));
      for (let left = header.size; left > 0;) {
        const length = readSync(fd, buffer, 0, Math.min(buffer.length, left), null);
        if (length === 0) buffer.fill(0);
        const part = buffer.subarray(0, length === 0 ? Math.min(buffer.length, left) : length);
        yield part;
        left -= part.length;
      }
      yield tarPadding(header.size);
    } finally {
      closeSync(fd);
    }
  }
}

/**
 * The archive in chunks of about a megabyte. A chunk is only valid until the next one is asked for. `root` and the paths in
 * `omit` (relative; left out with all below) are byte strings. `only`: what of it is packed; default everything.
 */
export function* packDirectory(
  root: string,
  attributes: FileAttributes,
  omit: ReadonlySet<string> = new Set(),
  only?: OnlyThese,
): Generator<Buffer> {
  let small: Buffer[] = [];
  let length = 0;
  for (const chunk of new Packer(root, attributes, omit, only).directory('')) {
    if (chunk.length < chunkSize / 4) {
      small.push(Buffer.from(chunk));
      length += chunk.length;
      if (length < chunkSize) continue;
    }
    if (length > 0) yield Buffer.concat(small);
    small = [];
    length = 0;
    if (chunk.length >= chunkSize / 4) yield chunk;
  }
  yield Buffer.concat([...small, tarEnd]);
}
