import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { internal } from '../core/errors.ts';
import type { DaemonOptions } from './options.ts';

/** Programs that the daemon starts, absolute. */
export interface Programs {
  readonly shim: string;
}

/** Bundled, the daemon lies in `lib/` beside `bin/`; from source two levels below the repository with its `dist/`. */
function besides(name: string): readonly string[] {
  const here = dirname(fileURLToPath(import.meta.url));
  return [join(here, '../bin', name), join(here, '../../dist/bin', name)];
}

export function locatePrograms(options: Pick<DaemonOptions, 'shimPath'>): Programs {
  const candidates = options.shimPath === undefined ? besides('slipway-shim') : [options.shimPath];
  const shim = candidates.find((path) => existsSync(path));
  if (shim === undefined)
    throw internal(`slipway-shim is not there (looked for ${candidates.join(', ')}): run make build`);
  return { shim };
}
