/** Which driver keeps the layers of a data root: the one that was asked for, else the one that was used before, else what works. */

import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, isErrno } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Host } from '../../core/ports/host.ts';

export type SnapshotDriverName = 'overlay2' | 'btrfs' | 'vfs';
export const snapshotDriverNames: readonly SnapshotDriverName[] = ['overlay2', 'btrfs', 'vfs'];

/** Whether a driver has anything in a data root. */
async function isUsed(dataRoot: string, name: SnapshotDriverName): Promise<boolean> {
  for (const part of ['layers', 'snapshots']) {
    try {
      if ((await readdir(join(dataRoot, name, part))).length > 0) return true;
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
  return false;
}

/** Tries what overlay2 does: a mount over two directories of the data root. */
async function canOverlay(
  host: Pick<Host, 'mount' | 'unmount'>,
  dataRoot: string,
): Promise<string | undefined> {
  const probe = join(dataRoot, 'overlay2-probe');
  const target = join(probe, 'merged');
  try {
    for (const part of ['lower', 'upper', 'work', 'merged'])
      await mkdir(join(probe, part), { recursive: true });
    const data = 'lowerdir=lower,upperdir=upper,workdir=work';
    await host.mount({ source: 'overlay', target, fstype: 'overlay', flags: [], data, cwd: probe });
    await host.unmount(target);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** What a daemon left that was killed while it tried. */
async function clearProbe(host: Pick<Host, 'mount' | 'unmount'>, dataRoot: string): Promise<void> {
  const probe = join(dataRoot, 'overlay2-probe');
  if (!(await readdir(dataRoot)).includes('overlay2-probe')) return;
  await host.unmount(join(probe, 'merged')).catch(() => {});
  await rm(probe, { recursive: true, force: true });
}

/** `invalid` when the one asked for would hide what another one holds. */
export async function chooseDriver(
  deps: { readonly host: Pick<Host, 'mount' | 'unmount'>; readonly log: Logger },
  dataRoot: string,
  asked: SnapshotDriverName | undefined,
): Promise<SnapshotDriverName> {
  await clearProbe(deps.host, dataRoot);
  const used: SnapshotDriverName[] = [];
  for (const name of snapshotDriverNames) if (await isUsed(dataRoot, name)) used.push(name);
  const [before] = used;
  if (asked !== undefined) {
    if (before === undefined || used.includes(asked)) return asked;
    throw invalid(
      `storage driver ${asked}: the images and containers in ${dataRoot} were made with ${before} and would not be there: start with --storage-driver ${before}, or with another --data-root, or remove ${join(dataRoot, before)} and what the records say of it with ${join(dataRoot, 'state.db')}`,
    );
  }
  if (before !== undefined) return before;
  const why = await canOverlay(deps.host, dataRoot);
  if (why === undefined) return 'overlay2';
  deps.log.warn('overlay2 does not work here: containers get whole copies of their images (vfs)', { why });
  return 'vfs';
}
