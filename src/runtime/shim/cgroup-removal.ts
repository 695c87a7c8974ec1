import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ctx } from '../../core/ctx.ts';
import { internal, isErrno } from '../../core/errors.ts';
import type { Host } from '../../core/ports/host.ts';

async function killMembers(host: Host, path: string): Promise<void> {
  const text = await readFile(join(path, 'cgroup.procs'), 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    const pid = Number(line);
    if (!(pid > 0)) continue;
    // The pidfd is opened while the process is a member; one that left and whose number was reused would have to do so in between.
    const pidfd = host.openPidfd(pid);
    if (pidfd < 0) continue;
    host.signalPidfd(pidfd, 9);
    host.closeFd(pidfd);
  }
}

async function removeOnce(host: Host, path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (!isErrno(error, 'EBUSY') && !isErrno(error, 'ENOTEMPTY')) throw error;
  }
  // Busy: children that the container made (a nested engine), or processes that outlived its first one (`--pid=host`).
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeOnce(host, join(path, entry.name));
  await killMembers(host, path);
  return false;
}

const patienceMs = 5000;

/** Removes one cgroup with what is below it, killing what is still in it. Idempotent. */
export async function removeCgroup(ctx: Ctx, host: Host, path: string): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 100)) {
    if (await removeOnce(host, path)) return;
    if (Date.now() > deadline || ctx.signal.aborted)
      throw internal(`cgroup ${path} cannot be removed: it is still busy`);
    await delay(waitMs);
  }
}
