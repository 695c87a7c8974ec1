/**
 * Gives the free pages of the C heap back to the kernel. glibc keeps what worker threads and decompression freed, as far
 * as anything above it is in use: after a gigabyte of image layers that is some hundred megabytes of nothing.
 */

import { libc } from '../ffi/libc.ts';

/** Takes a few milliseconds; to be called when work has ended. */
export function trimHeap(): void {
  libc.mallocTrim(0);
}
