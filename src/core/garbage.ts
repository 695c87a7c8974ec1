/**
 * Gives back the buffers that streams leave behind. They lie outside of the heap that V8 measures itself by, so it lets
 * tens of megabytes of them gather in every thread before it looks; collecting the young ones takes a fraction of a millisecond.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

type Collect = (options: { readonly type: 'minor' | 'major' }) => void;
let collect: Collect | undefined;

function collector(): Collect {
  if (collect !== undefined) return collect;
  setFlagsFromString('--expose-gc');
  collect = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  // These heaps are small: waking helpers costs more than they help.
  setFlagsFromString('--no-parallel-scavenge');
  return collect;
}

/**
 * What was in use at two small collections in a row counts as old, and two megabytes of such buffers gather in a quarter of a gigabyte.
 * Finding them takes some milliseconds, which the main thread does not have.
 */
const allEvery = isMainThread ? Number.POSITIVE_INFINITY : 256 << 20;
let sinceAll = 0;

/** Counts bytes that went through buffers, and collects whenever `everyBytes` have. */
export function collectAsBytesPass(everyBytes: number): (bytes: number) => void {
  let passed = 0;
  return (bytes) => {
    passed += bytes;
    if (passed < everyBytes) return;
    sinceAll += passed;
    passed = 0;
    const isAll = sinceAll >= allEvery;
    if (isAll) sinceAll = 0;
    collector()({ type: isAll ? 'major' : 'minor' });
  };
}
