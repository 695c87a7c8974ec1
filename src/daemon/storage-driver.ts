/** The daemon's `--storage-driver`. */

import { invalid } from '../core/errors.ts';

/** Drivers that other engines had or have, with what takes their place here. */
const others: ReadonlyMap<string, string> = new Map([
  ['aufs', 'AUFS never became part of Linux, and overlay2 replaced it'],
  ['devicemapper', 'it was removed everywhere: overlay2 replaced it'],
  ['overlay', 'overlay2 replaced it'],
]);

/** `invalid` with what to use instead for anything but overlay2. */
export function parseStorageDriver(name: string): 'overlay2' {
  if (name === 'overlay2' || name === '') return 'overlay2';
  const why = others.get(name) ?? 'there is no such driver here';
  throw invalid(`--storage-driver: ${name}: ${why}: use overlay2`);
}
