/**
 * Ends what the launcher began (packaging/lib/slipwayd.js): the daemon itself was compiled whole, or taken whole from the cache beside
 * it, so that the first container does not wait for the compiler. Worker threads and Node's own modules are compiled when they are
 * called. Imported before everything else.
 *
 * Machine code is made by one compiler less than V8 would by itself: after a start it would compile for some
 * 90 million instructions on its threads, beside the first container, and most of that for code that only starts run. What runs for long is
 * compiled all the same; a working daemon takes no more instructions for it.
 */

import { setFlagsFromString } from 'node:v8';

for (const flag of ['--lazy', '--no-sparkplug']) setFlagsFromString(flag);
