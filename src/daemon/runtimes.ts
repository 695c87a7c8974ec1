/** Which OCI runtimes there are, which one serves by default, and which takes compiled seccomp filters. */

import { existsSync, readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Ctx } from '../core/ctx.ts';
import { invalid } from '../core/errors.ts';
import type { CgroupLayout } from '../core/ports/host.ts';
import type { RuntimeInfo } from '../core/ports/runtime.ts';
import { SeccompCache, type ConfiguredRuntime, type MachineFacts } from '../runtime/index.ts';
import type { DaemonOptions } from './options.ts';
import { runProgram } from './run-program.ts';

const searchPath = `${process.env['PATH'] ?? ''}${delimiter}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

export function findProgram(name: string): string | undefined {
  return searchPath
    .split(delimiter)
    .filter((directory) => directory !== '')
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
}

/** crun and runc where installed, and those of the flags, which replace them by name. */
export function configuredRuntimes(options: DaemonOptions): readonly ConfiguredRuntime[] {
  const found = new Map<string, ConfiguredRuntime>();
  for (const name of ['crun', 'runc']) {
    const path = findProgram(name);
    if (path !== undefined) found.set(name, { name, path });
  }
  for (const runtime of options.runtimes) {
    if (!existsSync(runtime.path)) throw invalid(`--add-runtime: ${runtime.path} does not exist`);
    found.set(runtime.name, runtime);
  }
  return [...found.values()];
}

/** crun works on every layout but a hybrid one whose v2 side still has controllers. */
export function chooseDefault(
  options: DaemonOptions,
  runtimes: readonly ConfiguredRuntime[],
  layout: CgroupLayout,
  unifiedControllers: string,
): string {
  const names = runtimes.map((runtime) => runtime.name);
  if (options.defaultRuntime !== undefined) {
    if (!names.includes(options.defaultRuntime)) {
      throw invalid(
        `--default-runtime: no runtime is named ${options.defaultRuntime}; there are: ${names.join(', ')}`,
      );
    }
    return options.defaultRuntime;
  }
  const crunWorks = layout.version !== 'hybrid' || unifiedControllers.trim() === '';
  if (names.includes('crun') && (crunWorks || !names.includes('runc'))) return 'crun';
  const [first] = names.includes('runc') ? ['runc'] : names;
  if (first === undefined)
    throw invalid('no OCI runtime is installed: install crun or runc, or give --add-runtime NAME=PATH');
  return first;
}

/** Version of libseccomp, which decides what a profile compiles to: the name of the file that the loader would take. */
function seccompLibrary(): string {
  for (const directory of [
    '/lib/x86_64-linux-gnu',
    '/lib/aarch64-linux-gnu',
    '/usr/lib64',
    '/usr/lib',
    '/lib',
  ]) {
    try {
      const name = readdirSync(directory)
        .filter((file) => file.startsWith('libseccomp.so.2.'))
        .sort()
        .at(-1);
      if (name !== undefined) return join(directory, name);
    } catch {
      // Not on this distribution.
    }
  }
  return 'static or unknown';
}

/** Filter caches of the runtimes that proved to take compiled filters. */
export async function seccompCaches(
  ctx: Ctx,
  input: {
    readonly runtimes: readonly ConfiguredRuntime[];
    readonly infos: readonly RuntimeInfo[];
    readonly facts: MachineFacts;
    readonly runRoot: string;
    /** A static program that ends at once when it is called with `--version`. */
    readonly probeProgram: string;
  },
): Promise<ReadonlyMap<string, SeccompCache>> {
  const caches = new Map<string, SeccompCache>();
  if (!input.facts.seccomp) return caches;
  const directory = join(input.runRoot, 'seccomp');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const runtime of input.runtimes) {
    const probed = await runProgram(runtime.path, ['--version']);
    if (!probed.stdout.startsWith('crun version ') || !probed.stdout.includes('+SECCOMP')) continue;
    const version = input.infos.find((info) => info.name === runtime.name)?.version ?? '';
    const cache = new SeccompCache({
      run: runProgram,
      crun: runtime.path,
      versions: [runtime.path, version, seccompLibrary(), input.facts.kernelRelease, input.facts.arch].join(
        '\n',
      ),
      directory,
    });
    const honoured = await cache.probe(ctx, input.probeProgram).catch((error: unknown) => {
      // A full run root costs speed, not the daemon.
      ctx.log.warn('compiled seccomp filters could not be tried', { error });
      return false;
    });
    if (honoured) caches.set(runtime.name, cache);
    else
      ctx.log.warn('this crun does not take compiled seccomp filters; starts will be slower', {
        runtime: runtime.name,
      });
  }
  return caches;
}
