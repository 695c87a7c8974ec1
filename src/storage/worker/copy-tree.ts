/** Copies the content of one directory into another: owners, modes, times, attributes, links, nodes. */

import {
  chmodSync,
  constants as C,
  copyFileSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  type Stats,
} from 'node:fs';
import { deviceNumbers } from '../../core/device-numbers.ts';
import type { FileAttributes } from '../../core/ports/file-attributes.ts';
import type { JobIo } from './job-io.ts';
import { child } from './trees.ts';

export function copyAttributes(attributes: FileAttributes, from: Buffer, to: Buffer, stats: Stats): void {
  lchownSync(to, stats.uid, stats.gid);
  if (!stats.isSymbolicLink()) chmodSync(to, stats.mode & 0o7777);
  for (const name of attributes.listXattrs(from)) {
    if (name.startsWith('trusted.overlay.')) continue;
    const value = attributes.getXattr(from, name);
    if (value !== undefined) attributes.setXattr(to, name, value);
  }
  lutimesSync(to, stats.atimeMs / 1000, stats.mtimeMs / 1000);
}

export function copyEntry(attributes: FileAttributes, from: Buffer, to: Buffer, stats: Stats): void {
  if (stats.isDirectory()) mkdirSync(to);
  else if (stats.isSymbolicLink()) symlinkSync(readlinkSync(from, { encoding: 'buffer' }), to);
  else if (stats.isFile()) copyFileSync(from, to, C.COPYFILE_EXCL | C.COPYFILE_FICLONE);
  else {
    const { major, minor } = deviceNumbers(stats.rdev);
    attributes.mknod(to, stats.mode, major, minor);
  }
}

/** `to` exists; what it has under the same names is an error. Sockets are left out: nobody listens on a copy. */
export function copyTree(attributes: FileAttributes, io: JobIo, from: string, to: string): void {
  const links = new Map<number, Buffer>();
  const copyInto = (source: Buffer, target: Buffer): void => {
    for (const name of readdirSync(source, { encoding: 'buffer' })) {
      io.check();
      const [a, b] = [child(source, name), child(target, name)];
      const stats = lstatSync(a);
      if (stats.isSocket()) continue;
      const first = stats.nlink > 1 && !stats.isDirectory() ? links.get(stats.ino) : undefined;
      if (first !== undefined) {
        linkSync(first, b);
        continue;
      }
      if (stats.nlink > 1) links.set(stats.ino, b);
      copyEntry(attributes, a, b, stats);
      if (stats.isDirectory()) copyInto(a, b);
      copyAttributes(attributes, a, b, stats);
    }
  };
  const [source, target] = [Buffer.from(from), Buffer.from(to)];
  copyInto(source, target);
  copyAttributes(attributes, source, target, lstatSync(source));
}
