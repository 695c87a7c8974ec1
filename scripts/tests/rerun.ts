/**
 * One more try for files that failed on the real kernel. A machine that is short of time or memory for a moment fails a test now
 * and then, and a single such failure would hide what the other thousand said. A second failure counts; a pass after a
 * failure counts as a pass and is reported as flaky, with what the first run said, so that it gets mended and not forgotten.
 */

import type { Chunk, ChunkResult } from './run-chunk.ts';

/** More failures than this are no accident: then nothing is tried again. */
export const mostReruns = 3;

export interface Rerun {
  readonly first: ChunkResult;
  readonly second: ChunkResult;
}

/** The results that count, and which of them are those of a second run. `mayRerun` says which chunks depend on the kernel's mood. */
export async function rerunFailed(
  done: readonly { readonly chunk: Chunk; readonly result: ChunkResult }[],
  mayRerun: (chunk: Chunk) => boolean,
  run: (chunk: Chunk) => Promise<ChunkResult>,
): Promise<{ readonly results: readonly ChunkResult[]; readonly reruns: readonly Rerun[] }> {
  const failed = done.filter(({ result }) => result.failed > 0);
  if (failed.length > mostReruns) return { results: done.map(({ result }) => result), reruns: [] };
  const results: ChunkResult[] = [];
  const reruns: Rerun[] = [];
  for (const { chunk, result } of done) {
    if (result.failed === 0 || !mayRerun(chunk)) {
      results.push(result);
      continue;
    }
    // A chunk that can repeat what failed alone, as the virtual machine's can, is told so.
    const second = await run({ ...chunk, name: `${chunk.name} (again)`, env: { AGAIN: '1' } });
    reruns.push({ first: result, second });
    results.push(second);
  }
  return { results, reruns };
}
