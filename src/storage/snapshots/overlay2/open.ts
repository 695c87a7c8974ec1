import { mkdir, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { internal } from '../../../core/errors.ts';
import type { SnapshotDriver } from '../../../core/ports/snapshot-driver.ts';
import { Overlay2Driver, type Overlay2Deps } from './driver.ts';
import { removeDanglingLinks } from './layers.ts';
import { createLayout, type Layout } from './layout.ts';
import { openMappedView } from './mapped-view.ts';

/** Magic numbers of statfs(2), with the names that Docker gives them. */
const filesystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'extfs'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
  [0x794c7630, 'overlayfs'],
]);

/** Makes a driver's directories and clears what an earlier daemon left half-unpacked. */
export async function openLayout(
  deps: Pick<Overlay2Deps, 'trash'>,
  name: string,
  root: string,
): Promise<{ readonly layout: Layout; readonly backing: string }> {
  const layout = createLayout(root);
  // Others may pass through, since containers with user namespaces reach their root this way, but not list.
  for (const path of [
    layout.root,
    layout.layers,
    layout.snapshots,
    layout.links,
    layout.staging,
    layout.removed,
    layout.points,
    layout.empty,
  ])
    await mkdir(path, { recursive: true, mode: 0o711 });
  const { type } = await statfs(layout.root);
  const backing = filesystems.get(type) ?? 'unknown';
  if (backing === 'overlayfs')
    throw internal(
      `storage driver ${name}: ${layout.root} lies on overlayfs, which can hold neither another overlay's upper directory nor the marks of removed files: use another data root`,
    );
  for (const each of await readdir(layout.staging)) await deps.trash.discard(join(layout.staging, each));
  await removeDanglingLinks(layout);
  return { layout, backing };
}

/** Opens `<data root>/overlay2`. */
export async function openOverlay2(deps: Overlay2Deps, dataRoot: string): Promise<SnapshotDriver> {
  const { layout, backing } = await openLayout(deps, 'overlay2', join(dataRoot, 'overlay2'));
  const view = deps.remap === undefined ? undefined : await openMappedView(deps.host, layout, deps.remap);
  const driver = new Overlay2Driver(deps, layout, backing, view);
  await driver.recover();
  return driver;
}
