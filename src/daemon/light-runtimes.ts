/**
 * A crun that starts quicker. Distributions link it to libsystemd, which brings five more libraries along; to map and relocate them
 * costs 3 of the 16 million instructions that crun needs for a container. Without systemd's cgroup driver it calls none of it, so
 * an empty library of the same name goes in front (native/no-systemd).
 */

import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import type { ConfiguredRuntime } from '../runtime/index.ts';

const run = promisify(execFile);

/** Whether it runs with the stand-in, and says the same: a crun that wants more of the library does not come up at all. */
async function takes(runtime: ConfiguredRuntime, libraryPath: string): Promise<boolean> {
  const program = runtime.startPath ?? runtime.path;
  const ask = (env: NodeJS.ProcessEnv): ReturnType<typeof run> =>
    run(program, ['--version'], { env, timeout: 20_000 });
  try {
    const [plain, light] = await Promise.all([
      ask(process.env),
      ask({ ...process.env, LD_LIBRARY_PATH: libraryPath }),
    ]);
    return plain.stdout !== '' && light.stdout === plain.stdout && light.stderr === plain.stderr;
  } catch {
    return false;
  }
}

function mayGoWithout({ path, args = [] }: ConfiguredRuntime): boolean {
  return basename(path).startsWith('crun') && !args.some((arg) => arg.includes('systemd'));
}

/** The runtimes; a crun that works without libsystemd with the directory of what stands in for it. */
export async function lightenRuntimes(
  runtimes: readonly ConfiguredRuntime[],
  libraryPath: string | undefined,
): Promise<readonly ConfiguredRuntime[]> {
  if (libraryPath === undefined) return runtimes;
  return await Promise.all(
    runtimes.map(async (runtime) =>
      mayGoWithout(runtime) && (await takes(runtime, libraryPath)) ? { ...runtime, libraryPath } : runtime,
    ),
  );
}
