// Loads the daemon with all its functions compiled, from the cache that `make build` left beside it where it fits this machine's Node.
// The build puts imports of Node's own modules in front: these come compiled with Node, but only under Node's own settings.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';

enableCompileCache({ directory: join(import.meta.dirname, 'compiled'), portable: true });
setFlagsFromString('--no-lazy');
await import('./daemon.js');
