import type { Stats } from 'node:fs';
import type { TarType } from './header.ts';

/** What a file is in a tar archive; `other` for what an archive cannot hold (sockets). */
export function tarTypeOf(stats: Stats): TarType {
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isCharacterDevice()) return 'char';
  if (stats.isBlockDevice()) return 'block';
  if (stats.isFIFO()) return 'fifo';
  return stats.isFile() ? 'file' : 'other';
}
