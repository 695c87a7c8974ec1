/**
 * A directory tree as a tar archive, read while others may write to it. Every directory is opened once and its entries are
 * reached through its descriptor without following a link, so nothing outside the tree can be slipped in.
 */

import {
  closeSync,
  constants as C,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  read as readCallback,
  type Stats,
} from 'node:fs';
import { promisify } from 'node:util';
import { deviceNumbers } from '../../core/device-numbers.ts';
import { isErrno } from '../../core/errors.ts';
import { capabilityForContainer } from '../../core/model/file-capability.ts';
import {
  overflowId,
  rootOf,
  toContainerId,
  type IdMapping,
  type IdRange,
} from '../../core/model/id-mapping.ts';
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

const read = promisify(readCallback);
const chunkSize = 1 << 20;

const openFlags = C.O_RDONLY | C.O_NOFOLLOW | C.O_NONBLOCK;
/** Byte strings, as tar headers hold them. */
const at = (directory: number, name: string): Buffer =>
  Buffer.from(`/proc/self/fd/${directory}/${name}`, 'latin1');

/** Undefined where the entry vanished or was swapped for something that may not be opened. */
function openEntry(directory: number, name: string, flags: number): number | undefined {
  try {
    return openSync(at(directory, name), flags);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO'].some((code) => isErrno(error, code))) return undefined;
    throw error;
  }
}

export interface TreeOptions {
  readonly attributes: FileAttributes;
  /** Leave out what lies on other filesystems. */
  readonly oneFilesystem: boolean;
  /** Under which of the host's ids the container's are there; the archive names the container's. */
  readonly ids: IdMapping | undefined;
}

/** As the container sees it: somebody of the host's is nobody there. */
const inside = (ranges: readonly IdRange[] | undefined, id: number): number =>
  ranges === undefined ? id : (toContainerId(ranges, id) ?? overflowId);

class TreeReader {
  readonly #options: TreeOptions;
  readonly #links = new Map<string, string>();
  readonly #device: number;

  constructor(options: TreeOptions, device: number) {
    this.#options = options;
    this.#device = device;
  }

  async *children(directory: number, prefix: string): AsyncGenerator<Buffer> {
    const names = readdirSync(`/proc/self/fd/${directory}`, { encoding: 'buffer' }).map((name) =>
      name.toString('latin1'),
    );
    for (const name of names.sort())
      yield* this.entry(
        directory,
        name,
        prefix === '' || prefix === '/' ? `${prefix}${name}` : `${prefix}/${name}`,
      );
  }

  async *entry(directory: number, name: string, path: string): AsyncGenerator<Buffer> {
    const stats = lstatSync(at(directory, name), { throwIfNoEntry: false });
    if (stats === undefined || (this.#options.oneFilesystem && stats.dev !== this.#device)) return;
    const type = tarTypeOf(stats);
    if (type === 'other') return;
    if (type === 'directory') {
      const fd = openEntry(directory, name, openFlags | C.O_DIRECTORY);
      if (fd === undefined) return;
      try {
        yield encodeHeader(this.#header(path === '/' ? path : `${path}/`, type, stats, at(directory, name)));
        yield* this.children(fd, path);
      } finally {
        closeSync(fd);
      }
      return;
    }
    const earlier = this.#linked(stats, path);
    if (earlier !== undefined) {
      yield encodeHeader({
        ...this.#header(path, 'hardlink', stats, at(directory, name)),
        linkName: earlier,
      });
      return;
    }
    if (type === 'file') yield* this.#file(directory, name, path);
    else yield encodeHeader(this.#special(directory, name, path, type, stats));
  }

  /** The name under which this inode already went into the archive. */
  #linked(stats: Stats, path: string): string | undefined {
    if (stats.nlink < 2) return undefined;
    const key = `${stats.dev}:${stats.ino}`;
    const earlier = this.#links.get(key);
    if (earlier === undefined) this.#links.set(key, path);
    return earlier;
  }

  #special(directory: number, name: string, path: string, type: TarType, stats: Stats): TarHeader {
    const header = this.#header(path, type, stats, at(directory, name));
    if (type === 'symlink') {
      return {
        ...header,
        linkName: readlinkSync(at(directory, name), { encoding: 'buffer' }).toString('latin1'),
      };
    }
    const { major, minor } = deviceNumbers(stats.rdev);
    return { ...header, deviceMajor: major, deviceMinor: minor };
  }

  async *#file(directory: number, name: string, path: string): AsyncGenerator<Buffer> {
    const fd = openEntry(directory, name, openFlags);
    if (fd === undefined) return;
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) return;
      yield encodeHeader(this.#header(path, 'file', stats, at(directory, name)));
      let left = stats.size;
      while (left > 0) {
        const buffer = Buffer.allocUnsafe(Math.min(chunkSize, left));
        const { bytesRead } = await read(fd, buffer, 0, buffer.length, null);
        // It shrank while it was read: the header's promise is kept with zeros.
        const chunk = bytesRead === 0 ? Buffer.alloc(buffer.length) : buffer.subarray(0, bytesRead);
        left -= chunk.length;
        yield chunk;
      }
      yield tarPadding(stats.size);
    } finally {
      closeSync(fd);
    }
  }

  #header(name: string, type: TarType, stats: Stats, path: Buffer): TarHeader {
    return simpleHeader(name, {
      type,
      mode: stats.mode & 0o7777,
      uid: inside(this.#options.ids?.uids, stats.uid),
      gid: inside(this.#options.ids?.gids, stats.gid),
      size: type === 'file' ? stats.size : 0,
      mtime: Math.floor(stats.mtimeMs / 1000),
      xattrs: this.#xattrs(path, type),
    });
  }

  #xattrs(path: Buffer, type: TarType): ReadonlyMap<string, Buffer> {
    const kept = new Map<string, Buffer>();
    if (type !== 'file' && type !== 'directory') return kept;
    // As Docker: capabilities travel, labels and overlay's own marks do not.
    const value = this.#options.attributes.getXattr(path, 'security.capability');
    if (value !== undefined)
      kept.set('security.capability', capabilityForContainer(value, rootOf(this.#options.ids).uid));
    return kept;
  }
}

/** One entry of a directory with everything below it, named `as` in the archive. */
export async function* tarEntry(
  directory: number,
  name: string,
  as: string,
  options: TreeOptions,
): AsyncGenerator<Buffer> {
  const reader = new TreeReader(options, fstatSync(directory).dev);
  yield* reader.entry(directory, name, as);
  yield tarEnd;
}

/** Everything in a directory, without the directory itself. */
export async function* tarChildren(directory: number, options: TreeOptions): AsyncGenerator<Buffer> {
  const reader = new TreeReader(options, fstatSync(directory).dev);
  yield* reader.children(directory, '');
  yield tarEnd;
}
