import { join } from 'node:path';
import { invalid } from '../../../core/errors.ts';
import type { SnapshotDriver } from '../../../core/ports/snapshot-driver.ts';
import type { Subvolumes } from '../../../core/ports/subvolumes.ts';
import { Overlay2Driver, type Overlay2Deps } from '../overlay2/driver.ts';
import { Layers } from '../overlay2/layers.ts';
import { openLayout } from '../overlay2/open.ts';
import { createTreeDriver } from './driver.ts';
import { copies, snapshotsOfSubvolumes } from './tree-makers.ts';

type Deps = Omit<Overlay2Deps, 'remap'>;

/** Opens `<data root>/vfs`, and clears what an earlier daemon left half-made. */
export async function openVfs(deps: Deps, dataRoot: string): Promise<SnapshotDriver> {
  const { layout, backing } = await openLayout(deps, 'vfs', join(dataRoot, 'vfs'));
  const { workers, trash } = deps;
  const store = new Overlay2Driver(deps, layout, backing, undefined);
  const status = [['Backing Filesystem', backing]] as const;
  const layers = new Layers(layout, trash);
  return createTreeDriver({
    name: 'vfs',
    status,
    workers,
    trash,
    layout,
    layers,
    store,
    maker: copies(deps, layout, backing),
  });
}

/** The same for `<data root>/btrfs`. `invalid` when that is not on btrfs. */
export async function openBtrfs(
  deps: Deps & { readonly subvolumes: Subvolumes },
  dataRoot: string,
): Promise<SnapshotDriver> {
  const { layout, backing } = await openLayout(deps, 'btrfs', join(dataRoot, 'btrfs'));
  if (backing !== 'btrfs')
    throw invalid(`storage driver btrfs: ${layout.root} lies on ${backing}, not on btrfs`);
  const { workers, trash } = deps;
  const store = new Overlay2Driver(deps, layout, backing, undefined);
  const maker = await snapshotsOfSubvolumes({ ...deps, layout });
  const layers = new Layers(layout, trash);
  return createTreeDriver({
    name: 'btrfs',
    status: [['Btrfs', '']],
    workers,
    trash,
    layout,
    layers,
    store,
    maker,
  });
}
