/** The daemon's `--storage-driver` and `--storage-opt`. */

import { invalid } from '../core/errors.ts';
import { parseHumanSize } from '../core/human-size.ts';
import type { SnapshotDriver } from '../core/ports/snapshot-driver.ts';
import type { SnapshotDriverName } from '../storage/index.ts';

/** Drivers that other engines had or have, with what takes their place here. */
const others: ReadonlyMap<string, string> = new Map([
  ['aufs', 'AUFS never became part of Linux, and overlay2 replaced it: use overlay2'],
  ['devicemapper', 'it was removed everywhere: overlay2 replaced it: use overlay2'],
  ['overlay', 'overlay2 replaced it: use overlay2'],
]);

/** Undefined for what was used before, or works. `invalid` with what to use instead for a driver that is not there. */
export function parseStorageDriver(name: string): SnapshotDriverName | undefined {
  if (name === '') return undefined;
  if (name === 'overlay2' || name === 'btrfs' || name === 'vfs') return name;
  const why = others.get(name) ?? 'there is no such driver here: use overlay2, btrfs or vfs';
  throw invalid(`--storage-driver: ${name}: ${why}`);
}

/** Bytes that a container may write unless it says otherwise, from `overlay2.size=10G`; undefined without. `invalid` for anything else. */
export function parseStorageOptions(given: readonly string[]): number | undefined {
  let size: number | undefined;
  for (const text of given) {
    const [name = '', value = ''] = text.split('=', 2);
    // dockerd takes this one and does nothing about it.
    if (name.toLowerCase() === 'overlay2.override_kernel_check') continue;
    if (name.toLowerCase() !== 'overlay2.size')
      throw invalid(`--storage-opt: overlay2: unknown option ${name}`);
    size = parseHumanSize(value, 1024);
    if (size === undefined) throw invalid(`--storage-opt: invalid size: '${value}'`);
  }
  return size === 0 ? undefined : size;
}

/** Refuses a default that nothing could hold to, as dockerd does. */
export function checkWritableSize(snapshots: SnapshotDriver, size: number | undefined): void {
  if (size === undefined) return;
  if (snapshots.name !== 'overlay2')
    throw invalid(`storage option overlay2.size not supported: the storage driver is ${snapshots.name}`);
  if (snapshots.unlimited !== undefined)
    throw invalid(
      `storage option overlay2.size not supported. Filesystem does not support Project Quota: ${snapshots.unlimited}`,
    );
}
