/** Reads a file from beginning to end, also one that another thread is still writing. */

import { closeSync, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { isErrno } from '../../core/errors.ts';
import { Growth } from '../../core/growth.ts';
import type { LayerFile } from './protocol.ts';

const chunkSize = 512 << 10;

/** A growing file is at its second place once it is whole. */
function openAt({ path, growing }: LayerFile): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (growing === undefined || !isErrno(error, 'ENOENT')) throw error;
    return openSync(growing.movedTo, 'r');
  }
}

/**
 * The file's bytes in order. `check` is called between chunks and may throw. With `reuse` all chunks are parts of that
 * buffer. Reads block the thread: for workers only.
 */
export async function* chunksOf(
  file: LayerFile,
  check: () => void,
  reuse?: Buffer,
): AsyncGenerator<Buffer, void, undefined> {
  const growth = file.growing === undefined ? undefined : new Growth(file.growing.growth);
  const told = file.read === undefined ? undefined : new Growth(file.read);
  const fd = openAt(file);
  try {
    let at = 0;
    for (;;) {
      const reached = growth === undefined ? Number.POSITIVE_INFINITY : await growth.past(at, check);
      if (reached === at) return;
      check();
      const want = Math.min(reuse?.length ?? chunkSize, reached - at);
      // Not from a pool: whoever takes the chunk may keep it.
      const buffer = reuse ?? Buffer.allocUnsafeSlow(want);
      const read = readSync(fd, buffer, 0, want, at);
      if (read === 0) return;
      at += read;
      told?.reach(at);
      yield read === buffer.length ? buffer : buffer.subarray(0, read);
    }
  } finally {
    closeSync(fd);
  }
}

export function followFile(file: LayerFile, check: () => void): Readable {
  return Readable.from(chunksOf(file, check), { objectMode: false, highWaterMark: chunkSize });
}
