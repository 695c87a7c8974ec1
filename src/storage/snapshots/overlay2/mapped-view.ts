/**
 * The layers and snapshots a second time, under the ids that containers with a user namespace have (`--userns-remap`): one
 * idmapped mount of the whole directory, over which their overlays stand. On disk every file keeps the id of its image, so that
 * nothing is changed in owner, and images, commits and containers without a namespace share it all.
 */

import { lstatSync } from 'node:fs';
import { chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { internal, unavailable } from '../../../core/errors.ts';
import { newId } from '../../../core/ids.ts';
import {
  overflowId,
  rootOf,
  toContainerId,
  toHostId,
  type IdMapping,
  type IdRange,
} from '../../../core/model/id-mapping.ts';
import type { Host } from '../../../core/ports/host.ts';
import { createLayout, type Layout } from './layout.ts';

export interface Remap {
  readonly mapping: IdMapping;
  /** Where the view is mounted: a directory of the run root. */
  readonly view: string;
}

export interface MappedView {
  readonly mapping: IdMapping;
  readonly layout: Layout;
}

type Deps = Pick<Host, 'mount' | 'unmount' | 'mounts' | 'mountIdMapped' | 'createUserNamespace' | 'closeFd'>;

/**
 * On disk, what the engine itself makes in such a container's files before it gives it to somebody, and what overlayfs makes for
 * itself. The host's root has to be some id there; images do not use this one, and the container has no name for it.
 */
const engineId = 4_294_967_294;
/** A group of the host that is nobody's: the kernel lets not even root into a directory whose group has no counterpart. */
const noGroup = 4_294_967_293;

function withEngine(ranges: readonly IdRange[]): readonly IdRange[] {
  if (toContainerId(ranges, 0) !== undefined) return ranges;
  return [...ranges, { inside: engineId, outside: 0, size: 1 }];
}

/** Snapshots' directories belong to the container's root group, so that it may pass through them on the host's side. */
function withPassage(ranges: readonly IdRange[], group: number): readonly IdRange[] {
  if (toHostId(ranges, group) !== undefined) return ranges;
  return [...ranges, { inside: group, outside: noGroup, size: 1 }];
}

const cannot = (what: string, error: unknown): Error =>
  unavailable(
    `--userns-remap: ${what}: ${error instanceof Error ? error.message : String(error)}. ` +
      'User namespaces need idmapped mounts below overlayfs: Linux 5.19 or later, and a filesystem that has them (ext4, xfs, btrfs)',
    error,
  );

async function mountView(host: Deps, layout: Layout, { mapping, view }: Remap): Promise<void> {
  const namespace = await host.createUserNamespace({
    uids: withEngine(mapping.uids),
    gids: withPassage(withEngine(mapping.gids), rootOf(mapping).gid),
  });
  try {
    await host.mountIdMapped({ source: layout.root, target: view, userNamespace: namespace.user.fd });
  } finally {
    host.closeFd(namespace.user.fd);
    host.closeFd(namespace.network.fd);
  }
}

/** Whether the kernel stacks an overlay on it: until 5.19 it did not. */
async function probe(host: Deps, layout: Layout, view: Layout): Promise<void> {
  const key = newId();
  const path = layout.staged(key);
  for (const name of ['upper', 'work', 'merged']) await mkdir(join(path, name), { recursive: true });
  try {
    await host.mount({
      source: 'overlay',
      target: join(path, 'merged'),
      fstype: 'overlay',
      flags: [],
      data: 'lowerdir=../../empty,upperdir=upper,workdir=work',
      cwd: view.staged(key),
    });
    await host.unmount(join(path, 'merged'));
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

/** Takes a former daemon's view away: its ids may be others. Idempotent; overlays that stand on it stay. */
export async function closeMappedView(host: Pick<Host, 'unmount' | 'mounts'>, view: string): Promise<void> {
  for (const { target } of await host.mounts(view)) await host.unmount(target, { detach: true });
}

/** `unavailable` in words for the person who started the daemon. */
export async function openMappedView(host: Deps, layout: Layout, remap: Remap): Promise<MappedView> {
  await closeMappedView(host, remap.view);
  await mkdir(remap.view, { recursive: true, mode: 0o700 });
  try {
    await mountView(host, layout, remap);
  } catch (error) {
    throw cannot('this host has no idmapped mounts', error);
  }
  const view = createLayout(remap.view);
  try {
    await probe(host, layout, view);
  } catch (error) {
    await closeMappedView(host, remap.view);
    throw cannot('overlayfs does not stand on an idmapped mount', error);
  }
  return { mapping: remap.mapping, layout: view };
}

/** Whether a mounted snapshot shows the ids of this mapping (undefined: those on disk). */
export function showsIds(snapshot: string, mapping: IdMapping | undefined): boolean {
  const [disk, shown] = [lstatSync(join(snapshot, 'upper')), lstatSync(join(snapshot, 'merged'))];
  if (mapping === undefined) return shown.uid === disk.uid && shown.gid === disk.gid;
  return (
    shown.uid === (toHostId(mapping.uids, disk.uid) ?? overflowId) &&
    shown.gid === (toHostId(mapping.gids, disk.gid) ?? overflowId)
  );
}

/** Where the relative names of a mount start. With a mapping the container's root may pass through to what is mounted. */
export async function mountDirectory(
  layout: Layout,
  view: MappedView | undefined,
  key: string,
  mapping: IdMapping | undefined,
): Promise<string> {
  if (mapping === undefined) return layout.snapshot(key);
  if (view === undefined) throw internal('the storage was opened without user namespaces');
  await chown(layout.snapshot(key), 0, rootOf(mapping).gid);
  return view.layout.snapshot(key);
}
