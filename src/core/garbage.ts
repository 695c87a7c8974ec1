/**
 * Gives back the buffers that streams leave behind. They lie outside of the heap that V8 measures itself by, so it lets
 * tens of megabytes of them gather in every thread before it looks; collecting the young ones takes a fraction of a millisecond.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options?: { readonly type: 'minor' }) => void;
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

/** Counts bytes that went through buffers, and collects whenever `everyBytes` have. */
export function collectAsBytesPass(everyBytes: number): (bytes: number) => void {
  let passed = 0;
  return (bytes) => {
    passed += bytes;
    if (passed < everyBytes) return;
    passed = 0;
    collector()({ type: 'minor' });
  };
}
