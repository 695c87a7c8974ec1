import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { internal } from '../core/errors.ts';
import type { DaemonOptions } from './options.ts';

/** Programs that the daemon starts, absolute. */
export interface Programs {
  readonly shim: string;
  /** slipway-net: this runtime, flags that keep it small, and its file. */
  readonly net: { readonly path: string; readonly args: readonly string[] };
  /** A directory with what stands in for libsystemd; undefined where it was not built. */
  readonly noSystemd: string | undefined;
  /** The library that sets the size of an exec's terminal in time; undefined where it was not built. */
  readonly consoleSize: string | undefined;
}

/** Bundled, the daemon lies in `lib/` beside `bin/`; from source two levels below the repository with its `dist/`. */
function besides(name: string): readonly string[] {
  const here = dirname(fileURLToPath(import.meta.url));
  return [join(here, '../bin', name), join(here, '../../dist/bin', name)];
}

/** Bundled beside the daemon; from source in the room of its own. */
function locateNet(): Programs['net'] {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = [join(here, 'slipway-net.js'), join(here, '../netd/main.ts')];
  const file = candidates.find((path) => existsSync(path));
  if (file === undefined)
    throw internal(`slipway-net is not there (looked for ${candidates.join(', ')}): run make build`);
  return { path: process.execPath, args: [...netFlags, file] };
}

/**
 * The process holds little; without limits V8 grows its heap before it collects. And V8's list of JIT pages, which it keeps where the
 * processor has memory protection keys, has checks that abort the process.
 */
const netFlags = [
  '--no-memory-protection-keys',
  '--max-semi-space-size=1',
  '--max-old-space-size=64',
  '--disable-warning=ExperimentalWarning',
];

/** In `lib/`, where the bundled daemon lies itself. */
function locateLibrary(name: string): string | undefined {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = [join(here, name), join(here, '../../dist/lib', name)];
  return candidates.find((path) => existsSync(path));
}

export function locatePrograms(options: Pick<DaemonOptions, 'shimPath'>): Programs {
  const candidates = options.shimPath === undefined ? besides('slipway-shim') : [options.shimPath];
  const shim = candidates.find((path) => existsSync(path));
  if (shim === undefined)
    throw internal(`slipway-shim is not there (looked for ${candidates.join(', ')}): run make build`);
  return {
    shim,
    net: locateNet(),
    noSystemd: locateLibrary('no-systemd'),
    consoleSize: locateLibrary('console-size.so'),
  };
}
