import { openBytes } from './byte-source.ts';
import type { Segment } from './segments.ts';

const blockSize = 64 * 1024;
const newline = 0x0a;

/** Where the last lines of a file begin, and how many they are. */
export interface Tail {
  readonly offset: number;
  readonly lines: number;
}

/**
 * Goes backwards through one file in blocks. Returns where the last `wanted` lines begin, and how many there are up to `wanted`. The
 * rest after the last newline is no line yet and is not counted.
 */
async function tailOfPlain(file: Segment, wanted: number): Promise<Tail> {
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

/** Calls `each` with the end of every line, in order, until it answers false. */
async function forLineEnds(file: Segment, each: (end: number) => boolean): Promise<void> {
  const source = await openBytes(file, 0);
  const block = Buffer.allocUnsafe(blockSize);
  try {
    for (let start = 0; ;) {
      const read = await source.read(block, 0, blockSize);
      if (read === 0) return;
      const view = block.subarray(0, read);
      for (let at = view.indexOf(newline); at >= 0; at = view.indexOf(newline, at + 1)) {
        if (!each(start + at + 1)) return;
      }
      start += read;
    }
  } finally {
    source.close();
  }
}

/** A compressed file can only be read forwards: once to count, once to find the place. */
async function tailOfCompressed(file: Segment, wanted: number): Promise<Tail> {
  let lines = 0;
  await forLineEnds(file, () => {
    lines += 1;
    return true;
  });
  if (lines <= wanted) return { offset: 0, lines };
  let before = lines - wanted;
  let offset = 0;
  await forLineEnds(file, (end) => {
    offset = end;
    before -= 1;
    return before > 0;
  });
  return { offset, lines: wanted };
}

/** The last `wanted` lines of one file; all of it when it has fewer. */
export async function tailOfFile(file: Segment, wanted: number): Promise<Tail> {
  return file.compressed ? await tailOfCompressed(file, wanted) : await tailOfPlain(file, wanted);
}
