/** Worker threads that keep a processor busy for long must not hold up the main thread, which answers people. */

import { setPriority } from 'node:os';

/** A third of what a thread that does not give way gets of a contended processor. */
const niceness = 5;

/** Of the calling thread alone (Linux counts them singly), and of the processes that it starts. */
export function giveWay(): void {
  try {
    setPriority(0, niceness);
  } catch {
    // Where it is forbidden all are equal, and work.
  }
}
