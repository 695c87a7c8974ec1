import type { HeldFile } from './files.ts';

const blockSize = 64 * 1024;
const newline = 0x0a;

/** Where to begin: files before `index` are skipped, and `offset` bytes of that one. */
export interface Position {
  readonly index: number;
  readonly offset: number;
}

/**
 * Goes backwards through one file in blocks. Returns where the last `wanted` lines begin, and how many there are up to `wanted`. The
 * rest after the last newline is no line yet and is not counted.
 */
async function tailOfFile(file: HeldFile, wanted: number): Promise<{ offset: number; lines: number }> {
  const block = Buffer.allocUnsafe(blockSize);
  let newlines = 0;
  let end = file.size;
  while (end > 0) {
    const start = Math.max(0, end - blockSize);
    const { bytesRead } = await file.handle.read(block, 0, end - start, start);
    const view = block.subarray(0, bytesRead);
    for (
      let at = view.lastIndexOf(newline);
      at >= 0;
      at = at === 0 ? -1 : view.lastIndexOf(newline, at - 1)
    ) {
      // The newline before the wanted lines is one more than they are.
      if (newlines === wanted) return { offset: start + at + 1, lines: wanted };
      newlines += 1;
    }
    end = start;
  }
  return { offset: 0, lines: newlines };
}

/** Where the last `lines` lines of all files together begin. Reads no more than it must. */
export async function tailPosition(files: readonly HeldFile[], lines: number): Promise<Position> {
  let wanted = lines;
  for (let index = files.length - 1; index >= 0; index -= 1) {
    const file = files[index];
    if (!file) break;
    const found = await tailOfFile(file, wanted);
    if (found.lines === wanted) return { index, offset: found.offset };
    wanted -= found.lines;
  }
  return { index: 0, offset: 0 };
}
