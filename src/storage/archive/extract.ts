/**
 * Unpacks one layer into a directory. Runs in a worker thread, synchronously: several calls a file, thousands of
 * files. Nobody else writes to that directory, so a path that was checked stays as it was, and each parent is walked
 * once, component by component, with symbolic links resolved inside the root as a chroot would.
 */

import {
  closeSync,
  constants as C,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lutimesSync,
  openSync,
  symlinkSync,
  writeSync,
  lchownSync,
  chmodSync,
} from 'node:fs';
import { invalid, isErrno } from '../../core/errors.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import type { SparseRange, TarHandler, TarHeader } from '../../core/tar/index.ts';
import { LayerTree } from './layer-tree.ts';
import { cleanName } from './names.ts';

export interface ExtractResult {
  /** Bytes of all regular files. */
  readonly size: number;
  readonly entries: number;
  /** Directories that the archive uses without holding them (byte strings): they take after the parent layer's. */
  readonly implicit: readonly string[];
}

const createFlags = C.O_WRONLY | C.O_CREAT | C.O_EXCL | C.O_NOFOLLOW;
const whiteout = '.wh.';
const opaqueMarker = '.wh..wh..opq';
const nodeTypes = { char: C.S_IFCHR, block: C.S_IFBLK, fifo: C.S_IFIFO } as const;
/** Attributes that mean something to overlayfs itself would let an archive redirect or hide files below it. */
const isOverlayAttribute = (name: string): boolean => /^(trusted|user)\.overlay\./.test(name);
/** Losing these only matters to the file's owner; losing a capability would break a program silently. */
const isOptionalAttribute = (name: string): boolean => name.startsWith('user.') || name.startsWith('system.');

interface OpenFile {
  readonly fd: number;
  readonly header: TarHeader;
  readonly path: string;
  /** Present range of a sparse file and how much of it is written. */
  range: number;
  written: number;
}

export class LayerExtractor implements TarHandler {
  readonly #tree: LayerTree;
  readonly #attributes: () => FileAttributes;
  readonly #umask: number;
  #open: OpenFile | undefined;
  #size = 0;
  #entries = 0;

  /**
   * `root`: an existing empty directory, as a byte string. `attributes` is asked for when a layer first needs it. `keep` may
   * move away what a later entry replaces; it is removed unless that returns true.
   */
  constructor(root: string, attributes: () => FileAttributes, keep?: (path: string) => boolean) {
    this.#tree = new LayerTree(root, attributes, keep);
    this.#attributes = attributes;
    this.#umask = process.umask();
  }

  /** The real path of the file whose data comes next; undefined when the entry is none. */
  get openPath(): string | undefined {
    return this.#open?.path;
  }

  entry(header: TarHeader): void {
    if (header.type === 'other') return;
    this.#entries++;
    const path = cleanName(header.name);
    try {
      this.#place(path, header);
    } catch (error) {
      throw describe(error, header.name);
    }
  }

  data(chunk: Buffer): void {
    const file = this.#open;
    if (file === undefined) return;
    try {
      if (file.header.sparse === undefined) writeAll(file.fd, chunk, file.written);
      else this.#writeSparse(file, file.header.sparse, chunk);
    } catch (error) {
      throw describe(error, file.header.name);
    }
    if (file.header.sparse === undefined) file.written += chunk.length;
  }

  end(): void {
    const file = this.#open;
    if (file === undefined) return;
    this.#open = undefined;
    try {
      this.#finishFile(file);
    } catch (error) {
      throw describe(error, file.header.name);
    } finally {
      closeSync(file.fd);
    }
  }

  /** Gives directories their final modes and times; to be called once, at the end. */
  finish(): ExtractResult {
    return { size: this.#size, entries: this.#entries, implicit: this.#tree.settle() };
  }

  /** Closes what is open after a failure. */
  abandon(): void {
    if (this.#open !== undefined) closeSync(this.#open.fd);
    this.#open = undefined;
  }

  #place(path: string, header: TarHeader): void {
    if (path === '') {
      if (header.type !== 'directory') throw invalid(`${JSON.stringify(header.name)} is no name for a file`);
      this.#directory('', header);
      return;
    }
    const slash = path.lastIndexOf('/');
    const parent = this.#tree.resolve(slash < 0 ? '' : path.slice(0, slash));
    const base = path.slice(slash + 1);
    if (base.startsWith(whiteout)) this.#whiteout(parent, base);
    else this.#create(parent === '' ? base : `${parent}/${base}`, header);
  }

  #whiteout(parent: string, base: string): void {
    if (base === opaqueMarker) {
      this.#tree.setOpaque(parent);
      return;
    }
    // AUFS kept its own bookkeeping under such names; it means nothing here.
    if (base.startsWith('.wh..wh.')) return;
    const name = base.slice(whiteout.length);
    if (name === '' || name === '.' || name === '..')
      throw invalid(`invalid whiteout ${JSON.stringify(base)}`);
    const path = parent === '' ? name : `${parent}/${name}`;
    // A whiteout hides what lower layers have, never what this layer brings.
    const present = this.#tree.kind(path);
    if (present === 'directory') this.#tree.setOpaque(path);
    else if (present === undefined) this.#attributes().mknod(this.#tree.bytes(path), C.S_IFCHR, 0, 0);
  }

  #create(path: string, header: TarHeader): void {
    switch (header.type) {
      case 'directory':
        this.#directory(path, header);
        return;
      case 'file':
        this.#file(path, header);
        return;
      case 'symlink':
        this.#tree.replacing(path, () =>
          symlinkSync(Buffer.from(header.linkName, 'latin1'), this.#tree.at(path)),
        );
        break;
      case 'hardlink':
        this.#hardlink(path, header);
        return;
      case 'char':
      case 'block':
      case 'fifo': {
        const mode = nodeTypes[header.type] | (header.mode & 0o777);
        const { deviceMajor, deviceMinor } = header;
        this.#tree.replacing(path, () =>
          this.#attributes().mknod(this.#tree.bytes(path), mode, deviceMajor, deviceMinor),
        );
        break;
      }
      case 'other':
        return;
    }
    this.#describeNode(path, header);
  }

  #directory(path: string, header: TarHeader): void {
    this.#tree.makeDirectory(path, {
      mode: header.mode,
      uid: header.uid,
      gid: header.gid,
      mtime: header.mtime,
    });
    this.#setXattrs(path, header);
  }

  /** Attributes of symbolic links and nodes; of a link never those of its target. */
  #describeNode(path: string, header: TarHeader): void {
    const at = this.#tree.at(path);
    if (header.uid !== 0 || header.gid !== 0) lchownSync(at, header.uid, header.gid);
    if (header.type !== 'symlink') chmodSync(at, header.mode);
    this.#setXattrs(path, header);
    lutimesSync(at, header.mtime, header.mtime);
  }

  #hardlink(path: string, header: TarHeader): void {
    const target = cleanName(header.linkName);
    const slash = target.lastIndexOf('/');
    const parent = this.#tree.resolve(slash < 0 ? '' : target.slice(0, slash));
    const base = target.slice(slash + 1);
    const from = parent === '' ? base : `${parent}/${base}`;
    if (from === path) return;
    this.#tree.replacing(path, () => linkSync(this.#tree.at(from), this.#tree.at(path)));
  }

  #file(path: string, header: TarHeader): void {
    const at = this.#tree.at(path);
    const fd = this.#tree.replacing(path, () => openSync(at, createFlags, header.mode & 0o777));
    this.#open = { fd, header, path, range: 0, written: 0 };
    this.#size += header.size;
  }

  #writeSparse(file: OpenFile, ranges: readonly SparseRange[], chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const range = ranges[file.range];
      if (range === undefined) return;
      const part = chunk.subarray(at, at + range.length - file.written);
      writeAll(file.fd, part, range.offset + file.written);
      at += part.length;
      file.written += part.length;
      if (file.written === range.length) {
        file.range++;
        file.written = 0;
      }
    }
  }

  #finishFile({ fd, header, path }: OpenFile): void {
    if (header.sparse !== undefined) ftruncateSync(fd, header.size);
    // The directory has no setgid bit until the end, so a root-owned file is root's already.
    if (header.uid !== 0 || header.gid !== 0) fchownSync(fd, header.uid, header.gid);
    // After chown, which clears setuid; creating it has set the plain bits that the umask lets through.
    if ((header.mode & 0o7000) !== 0 || (header.mode & this.#umask) !== 0) fchmodSync(fd, header.mode);
    if (header.xattrs.size > 0) this.#setXattrs(path, header);
    futimesSync(fd, header.mtime, header.mtime);
  }

  #setXattrs(path: string, header: TarHeader): void {
    for (const [name, value] of header.xattrs) {
      if (isOverlayAttribute(name)) continue;
      try {
        this.#attributes().setXattr(this.#tree.bytes(path), name, value);
      } catch (error) {
        const refused = isErrno(error, 'ENOTSUP') || isErrno(error, 'EOPNOTSUPP') || isErrno(error, 'EPERM');
        if (!(refused && isOptionalAttribute(name))) throw error;
      }
    }
  }
}

function writeAll(fd: number, data: Buffer, position: number): void {
  let done = 0;
  while (done < data.length) done += writeSync(fd, data, done, data.length - done, position + done);
}

/** Errors that the archive itself causes are the caller's fault, not the engine's. */
const archiveErrors = new Set([
  'ENAMETOOLONG',
  'ELOOP',
  'ENOTDIR',
  'EISDIR',
  'ENOENT',
  'EPERM',
  'EEXIST',
  'EINVAL',
  'EMLINK',
  // Attributes that no file can have, or none of that name here.
  'ERANGE',
  'E2BIG',
  'ENOTSUP',
  'EOPNOTSUPP',
  // Owners beyond 32 bits.
  'ERR_OUT_OF_RANGE',
]);

function describe(error: unknown, name: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === undefined || !archiveErrors.has(code)) return error;
  // Without the paths: they are the host's, not the archive's.
  const [why = ''] = (error as Error).message.replace(/^E[A-Z0-9]+: /, '').split(', ');
  return invalid(`cannot unpack ${JSON.stringify(name)}: ${why}`, error);
}
