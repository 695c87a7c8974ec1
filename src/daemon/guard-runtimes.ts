/**
 * Read-only views of the OCI runtimes. crun and runc copy themselves and start anew at every call, so that no container can write
 * to their file through /proc/PID/exe (CVE-2019-5736), unless that file lies on a read-only mount already. A read-only bind
 * mount guards as well and saves the second start of the program: 3 ms of each container's.
 */

import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Ctx } from '../core/ctx.ts';
import type { Host } from '../core/ports/host.ts';
import type { ConfiguredRuntime } from '../runtime/index.ts';

type Deps = Pick<Host, 'mount' | 'unmount' | 'mounts'>;

/** Whether both names lead to one file: after an update of the package the view still shows the former program. */
function isSameFile(a: string, b: string): boolean {
  const [one, other] = [statSync(a), statSync(b)];
  return one.ino === other.ino && one.dev === other.dev;
}

async function view(host: Deps, path: string, target: string): Promise<void> {
  const standing = (await host.mounts(target)).filter((mount) => mount.target === target);
  const readOnly = standing.at(-1)?.mountOptions.split(',').includes('ro') === true;
  if (readOnly && isSameFile(path, target)) return;
  // Detached: a shim may be running the former one at this moment.
  for (const _ of standing) await host.unmount(target, { detach: true });
  writeFileSync(target, '');
  await host.mount({ source: path, target, fstype: '', flags: ['bind', 'ro', 'nosuid', 'nodev'] });
}

/** The runtimes, those of a known kind with the path of their view; where the host allows none, as they were. */
export async function guardRuntimes(
  host: Deps,
  ctx: Ctx,
  runtimes: readonly ConfiguredRuntime[],
  runRoot: string,
): Promise<readonly ConfiguredRuntime[]> {
  const directory = join(runRoot, 'bin');
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  const guarded: ConfiguredRuntime[] = [];
  for (const runtime of runtimes) {
    const target = join(directory, basename(runtime.path));
    if (!/^(crun|runc)$/.test(basename(runtime.path)) || runtime.name !== basename(runtime.path)) {
      guarded.push(runtime);
      continue;
    }
    try {
      await view(host, runtime.path, target);
      guarded.push({ ...runtime, startPath: target });
    } catch (error) {
      ctx.log.warn('no read-only view of the runtime; each start copies it anew', {
        runtime: runtime.name,
        error,
      });
      await host.unmount(target, { detach: true });
      guarded.push(runtime);
    }
  }
  return guarded;
}

/** Takes the views away. Idempotent. */
export async function releaseRuntimes(host: Deps, runRoot: string): Promise<void> {
  const directory = join(runRoot, 'bin');
  for (const { target } of await host.mounts(directory)) await host.unmount(target, { detach: true });
}
