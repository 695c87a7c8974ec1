/**
 * Ends what the launcher began (packaging/lib/slipwayd.js): the daemon itself was compiled whole, or taken whole from the cache beside
 * it, so that the first container does not wait for the compiler. Worker threads and Node's own modules are compiled when they are
 * called. Imported before everything else.
 */

import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--lazy');
