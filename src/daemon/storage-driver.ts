/** The daemon's `--storage-driver`. */

import { invalid } from '../core/errors.ts';
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
