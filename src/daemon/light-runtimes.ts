/**
 * Libraries that go in front of crun's own. Distributions link it to libsystemd, which brings five more along; to map and relocate them
 * costs 3 of the 16 million instructions that crun needs for a container. Without systemd's cgroup driver it calls none of it, so
 * an empty library of the same name goes in front (native/no-systemd). Another one is for execs with a terminal (native/console-size).
 */

import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import type { ConfiguredRuntime } from '../runtime/index.ts';

const run = promisify(execFile);

/** Whether it runs with these variables, and says the same: a crun that wants more of a library does not come up at all. */
async function takes(runtime: ConfiguredRuntime, variables: NodeJS.ProcessEnv): Promise<boolean> {
  const program = runtime.startPath ?? runtime.path;
  const ask = (env: NodeJS.ProcessEnv): ReturnType<typeof run> =>
    run(program, ['--version'], { env, timeout: 20_000 });
  try {
    const [plain, changed] = await Promise.all([ask(process.env), ask({ ...process.env, ...variables })]);
    return plain.stdout !== '' && changed.stdout === plain.stdout && changed.stderr === plain.stderr;
  } catch {
    return false;
  }
}

const isCrun = ({ path }: ConfiguredRuntime): boolean => basename(path).startsWith('crun');

function mayGoWithout(runtime: ConfiguredRuntime): boolean {
  return isCrun(runtime) && !(runtime.args ?? []).some((arg) => arg.includes('systemd'));
}

/** The runtimes, with `change` those that are `wanted` and answer with the variables as they do without. */
async function changeThose(
  runtimes: readonly ConfiguredRuntime[],
  wanted: (runtime: ConfiguredRuntime) => boolean,
  variables: Parameters<typeof takes>[1],
  change: Partial<ConfiguredRuntime>,
): Promise<readonly ConfiguredRuntime[]> {
  return await Promise.all(
    runtimes.map(async (runtime) =>
      wanted(runtime) && (await takes(runtime, variables)) ? { ...runtime, ...change } : runtime,
    ),
  );
}

/** The runtimes; a crun that works without libsystemd with the directory of what stands in for it. */
export async function lightenRuntimes(
  runtimes: readonly ConfiguredRuntime[],
  libraryPath: string | undefined,
): Promise<readonly ConfiguredRuntime[]> {
  if (libraryPath === undefined) return runtimes;
  return await changeThose(runtimes, mayGoWithout, { LD_LIBRARY_PATH: libraryPath }, { libraryPath });
}

/** The runtimes; a crun that takes it with the library that sets the size of an exec's terminal before the program runs. */
export async function sizeConsoles(
  runtimes: readonly ConfiguredRuntime[],
  library: string | undefined,
): Promise<readonly ConfiguredRuntime[]> {
  if (library === undefined) return runtimes;
  return await changeThose(runtimes, isCrun, { LD_PRELOAD: library }, { execPreload: library });
}
