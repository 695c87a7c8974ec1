/** Where things lie below `<data root>/overlay2`. Names are derived from keys, so that what is there can be listed. */

import { join } from 'node:path';
import { invalid } from '../../../core/errors.ts';

export interface Layout {
  readonly root: string;
  readonly layers: string;
  readonly snapshots: string;
  readonly links: string;
  /** Layers that are being unpacked. */
  readonly staging: string;
  /** Removed snapshots that are still mounted. */
  readonly removed: string;
  /** Places for the runtime to mount over, by a name derived from the layer that lacks them. */
  readonly points: string;
  /** The lower directory of a snapshot without parent. */
  readonly empty: string;
  layer(chainId: string): string;
  snapshot(key: string): string;
  staged(key: string): string;
}

const stagedForm = /^[0-9a-f]{64}$/;
const chainForm = /^sha256:[0-9a-f]{64}$/;
const keyForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

export function createLayout(root: string): Layout {
  const [layers, snapshots] = [join(root, 'layers'), join(root, 'snapshots')];
  return {
    root,
    layers,
    snapshots,
    links: join(root, 'l'),
    staging: join(root, 'staging'),
    removed: join(root, 'removed'),
    points: join(root, 'points'),
    empty: join(root, 'empty'),
    layer: (chainId) => {
      if (!chainForm.test(chainId)) throw invalid(`invalid layer id ${JSON.stringify(chainId)}`);
      return join(layers, chainId.slice(7));
    },
    snapshot: (key) => {
      if (!keyForm.test(key)) throw invalid(`invalid snapshot key ${JSON.stringify(key)}`);
      return join(snapshots, key);
    },
    staged: (key) => {
      if (!stagedForm.test(key)) throw invalid(`invalid key of a staged layer ${JSON.stringify(key)}`);
      return join(root, 'staging', key);
    },
  };
}

/** Lower directories that are named from the overlay2 directory, named from a snapshot's. */
export const fromSnapshot = (lower: string): string =>
  lower
    .split(':')
    .map((path) => `../../${path}`)
    .join(':');
