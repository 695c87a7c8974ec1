/** Runs chunks side by side: some at once, those that want the machine for themselves alone. */

export interface LaneChunk {
  /** Nothing runs beside it. */
  readonly alone?: boolean;
}

/**
 * Runs each of `chunks` once, begun in their order, at most `lanes` at once; results in the same order. One that is `alone`
 * waits until all before it have ended, and all after it wait for its end.
 */
export async function runInLanes<T extends LaneChunk, R>(
  chunks: readonly T[],
  lanes: number,
  run: (chunk: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = Array.from<R>({ length: chunks.length });
  const running = new Set<Promise<void>>();
  for (const [index, chunk] of chunks.entries()) {
    const room = chunk.alone === true ? 1 : lanes;
    while (running.size >= room) await Promise.race(running);
    const one: Promise<void> = run(chunk).then((result) => {
      results[index] = result;
      running.delete(one);
    });
    running.add(one);
    if (chunk.alone === true) await one;
  }
  await Promise.all(running);
  return results;
}
