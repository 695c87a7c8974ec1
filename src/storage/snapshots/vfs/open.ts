import { join } from 'node:path';
import type { SnapshotDriver } from '../../../core/ports/snapshot-driver.ts';
import { Overlay2Driver, type Overlay2Deps } from '../overlay2/driver.ts';
import { Layers } from '../overlay2/layers.ts';
import { openLayout } from '../overlay2/open.ts';
import { createVfs } from './driver.ts';

/** Opens `<data root>/vfs`, and clears what an earlier daemon left half-made. */
export async function openVfs(deps: Omit<Overlay2Deps, 'remap'>, dataRoot: string): Promise<SnapshotDriver> {
  const { layout, backing } = await openLayout(deps, 'vfs', join(dataRoot, 'vfs'));
  const { workers, trash } = deps;
  const store = new Overlay2Driver(deps, layout, backing, undefined);
  return createVfs({ workers, trash, layout, layers: new Layers(layout, trash), store, backing });
}
