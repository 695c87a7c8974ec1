/** What a writable snapshot stands on, kept in the text of a link: one call, no file, and below 60 bytes no block either. */

import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../../core/errors.ts';

export interface StandsOn {
  readonly chainId: string;
  /** The set of mount points between the layer and the snapshot. */
  readonly set: string | undefined;
}

/** 43 bytes of the layer's name, and 15 more for the set. */
export function parentLink({ chainId, set }: StandsOn): string {
  const name = Buffer.from(chainId.slice(7), 'hex').toString('base64url');
  return set === undefined ? name : `${name}.${set}`;
}

/** Of the snapshot in this directory; undefined when it stands on nothing, or is not there. */
export async function readParentLink(directory: string): Promise<StandsOn | undefined> {
  try {
    const [name = '', set] = (await readlink(join(directory, 'parent'))).split('.');
    return { chainId: `sha256:${Buffer.from(name, 'base64url').toString('hex')}`, set };
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
