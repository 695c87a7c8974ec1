/**
 * Layers and snapshots on overlayfs. A read-only layer is a directory under `layers/`; a container has `upper`,
 * `work` and `merged` under `snapshots/<key>`. All of a mount is named relative to that directory, the layers through
 * short links: absolute names overflow the one page of mount options near a hundred layers.
 */

import { chmod, chown, lstat, mkdir, readdir, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Ctx } from '../../../core/ctx.ts';
import { conflict, invalid, isErrno } from '../../../core/errors.ts';
import type { IdMapping } from '../../../core/model/id-mapping.ts';
import { chainIdOf } from '../../../core/model/image.ts';
import type { Logger } from '../../../core/log.ts';
import type { Host } from '../../../core/ports/host.ts';
import type {
  FileChange,
  MountedSnapshot,
  SnapshotDriver,
  StagedLayer,
} from '../../../core/ports/snapshot-driver.ts';
import { backgroundCtx } from '../../../core/ctx.ts';
import type { Trash } from '../../trash.ts';
import type { StorageWorkers } from '../../worker/pool.ts';
import { Layers } from './layers.ts';
import { limitsFor, takeBack, whyUnlimited, type Limits } from './limits.ts';
import { fromSnapshot, type Layout } from './layout.ts';
import { StagedLayers } from './staged.ts';
import { mountDirectory, showsIds, type MappedView, type Remap } from './mapped-view.ts';
import { copyPlacesUp } from './mount-places.ts';
import { MountPoints } from './mount-points.ts';
import { SnapshotMounts } from './mounts.ts';
import { parentLink, readParentLink } from './parent-link.ts';
import { Unpacking, type Unpacked } from './unpacking.ts';

export interface Overlay2Deps {
  readonly host: Pick<
    Host,
    | 'mount'
    | 'unmount'
    | 'mounts'
    | 'mountIdMapped'
    | 'createUserNamespace'
    | 'syncfs'
    | 'openInRoot'
    | 'closeFd'
  >;
  readonly workers: StorageWorkers;
  readonly trash: Trash;
  readonly log: Logger;
  readonly limits?: Limits;
  /** The ids of containers with a user namespace; without it there are none. */
  readonly remap?: Remap | undefined;
}

/** What one page of mount options leaves for lower directories: some 200 layers. */
const maxLower = 3600;

/** Said in so many words, so that a snapshot's upper directory holds all that was changed, whatever the kernel's defaults are. */
const features = 'index=off,redirect_dir=off,metacopy=off';

export class Overlay2Driver implements SnapshotDriver {
  readonly name = 'overlay2';
  readonly #deps: Overlay2Deps;
  readonly #layout: Layout;
  readonly #layers: Layers;
  readonly #staged: StagedLayers;
  readonly #backing: string;
  readonly #view: MappedView | undefined;
  readonly #mounts: SnapshotMounts;
  readonly #points: MountPoints;
  readonly #unpacking: Unpacking;

  constructor(deps: Overlay2Deps, layout: Layout, backing: string, view: MappedView | undefined) {
    this.#deps = deps;
    this.#view = view;
    this.#layout = layout;
    this.#layers = new Layers(layout, deps.trash);
    this.#unpacking = new Unpacking(deps.workers, this.#layers);
    this.#staged = new StagedLayers(deps.workers, layout, this.#layers);
    this.#backing = backing;
    this.#mounts = new SnapshotMounts(deps, layout);
    this.#points = new MountPoints(deps, layout, this.#layers, maxLower);
  }

  status(): readonly (readonly [string, string])[] {
    return [
      ['Backing Filesystem', this.#backing],
      ['Supports d_type', 'true'],
      ['Using metacopy', 'false'],
      ['Native Overlay Diff', 'true'],
      ['userxattr', 'false'],
    ];
  }

  unpack(
    ...[ctx, chainId, parent, archive]: Parameters<SnapshotDriver['unpack']>
  ): Promise<{ size: number }> {
    return this.#unpacking.unpack(ctx, chainId, parent, archive);
  }

  unpackFile(...[ctx, input]: Parameters<SnapshotDriver['unpackFile']>): Promise<Unpacked> {
    return this.#unpacking.unpackFile(ctx, input);
  }

  stage(ctx: Ctx, archive: Readable): Promise<StagedLayer> {
    return this.#staged.stage(ctx, archive);
  }

  async publish(staged: StagedLayer, parent: string | undefined): Promise<string> {
    await this.#unpacking.underWay(chainIdOf(parent, staged.diffId))?.catch(() => {});
    return this.#staged.publish(staged, parent);
  }

  discard(staged: StagedLayer): Promise<void> {
    return this.#staged.discard(staged);
  }

  remember(...[ctx, chainId, archive]: Parameters<SnapshotDriver['remember']>): Promise<boolean> {
    return this.#staged.remember(ctx, chainId, archive);
  }

  async hasLayer(chainId: string): Promise<boolean> {
    return (await this.#layers.find(chainId)) !== undefined;
  }

  async layer(chainId: string): ReturnType<SnapshotDriver['layer']> {
    const facts = await this.#layers.find(chainId);
    if (facts === undefined) return undefined;
    return { parent: facts.parent, size: facts.size, archiveSize: facts.archive?.bytes };
  }

  async snapshotParent(key: string): Promise<string | undefined> {
    return (await readParentLink(this.#layout.snapshot(key)))?.chainId;
  }

  sync(): Promise<void> {
    return this.#deps.host.syncfs(this.#layout.root);
  }

  get unlimited(): string | undefined {
    return whyUnlimited(this.#deps.limits, this.#layout.root, this.#backing);
  }

  async prepare(...[key, parent, options = {}]: Parameters<SnapshotDriver['prepare']>): Promise<void> {
    const { places = [], size } = options;
    const limits = limitsFor(this, this.#deps.limits, size);
    const path = this.#layout.snapshot(key);
    if (parent !== undefined) await this.#layers.get(parent);
    const set = parent === undefined ? undefined : this.#points.choose(parent, places);
    const rootOf = parent === undefined ? undefined : stat(this.#layers.diff(parent));
    try {
      await mkdir(path, { mode: 0o710 });
    } catch (error) {
      await rootOf;
      if (isErrno(error, 'EEXIST')) throw conflict(`snapshot ${key} already exists`);
      throw error;
    }
    // What is made in it counts from here on; the link and the directories do not matter.
    if (limits !== undefined) limits.set(path, size ?? 0);
    const [root] = await Promise.all([
      rootOf,
      mkdir(join(path, 'upper'), { mode: 0o755 }),
      mkdir(join(path, 'work'), { mode: 0o700 }),
      mkdir(join(path, 'merged'), { mode: 0o700 }),
      parent === undefined ? undefined : symlink(parentLink({ chainId: parent, set }), join(path, 'parent')),
    ]);
    // The upper directory is the container's `/`: it takes after the image's.
    if (root !== undefined && (root.mode & 0o7777) !== 0o755)
      await chmod(join(path, 'upper'), root.mode & 0o7777);
    if (root !== undefined && (root.uid !== 0 || root.gid !== 0))
      await chown(join(path, 'upper'), root.uid, root.gid);
  }

  mountPath(key: string): string {
    return join(this.#layout.snapshot(key), 'merged');
  }

  async mount(
    key: string,
    options: { readonly volatile: boolean; readonly ids?: IdMapping | undefined },
  ): Promise<MountedSnapshot> {
    const target = this.mountPath(key);
    if (await this.#mounts.keep(key)) {
      if (showsIds(this.#layout.snapshot(key), options.ids)) return { path: target };
      await this.#mounts.unmount(key);
    }
    const below = await readParentLink(this.#layout.snapshot(key));
    const lower = below === undefined ? fromSnapshot('empty') : await this.#lowerOf(below.chainId, below.set);
    if (lower.length > maxLower)
      throw invalid(`max depth exceeded: snapshot ${key} stands on too many layers for one mount`);
    const data = `lowerdir=${lower},upperdir=upper,workdir=work,${features}`;
    const request = {
      source: 'overlay',
      target,
      fstype: 'overlay',
      flags: [],
      data: options.volatile ? `${data},volatile` : data,
      cwd: await mountDirectory(this.#layout, this.#view, key, options.ids),
    };
    try {
      await this.#deps.host.mount(request);
    } catch (error) {
      // A volatile mount that was never unmounted (the machine went down) leaves a mark that forbids the next one.
      const mark = join(this.#layout.snapshot(key), 'work', 'work', 'incompat');
      if (
        !(await lstat(mark).then(
          () => true,
          () => false,
        ))
      )
        throw error;
      await rm(mark, { recursive: true, force: true });
      await this.#deps.host.mount(request);
    }
    return { path: target };
  }

  async #lowerOf(parent: string, set: string | undefined): Promise<string> {
    const { lower } = await this.#layers.get(parent);
    const points = this.#points.of(parent, set);
    return fromSnapshot(points === undefined ? lower : `${points}:${lower}`);
  }

  async ownPlaces(key: string): Promise<void> {
    const directory = this.#layout.snapshot(key);
    const below = await readParentLink(directory);
    if (below?.set === undefined) return;
    const points = this.#points.of(below.chainId, below.set);
    if (points === undefined) return;
    await copyPlacesUp(this.#deps.host, {
      layer: join(this.#layout.root, points),
      upper: join(directory, 'upper'),
      merged: join(directory, 'merged'),
    });
  }

  unmount(key: string): Promise<void> {
    return this.#mounts.unmount(key);
  }

  release(key: string): void {
    this.#mounts.release(key);
  }

  async settle(): Promise<void> {
    await Promise.all([this.#mounts.settle(), this.#points.settle()]);
  }

  /** Goes on with what a daemon before this one did not finish. */
  async recover(): Promise<void> {
    await this.#mounts.recover();
    await this.#points.recover(() => this.#setsInUse());
  }

  async #setsInUse(): Promise<ReadonlySet<string>> {
    const sets = new Set<string>();
    for (const parent of [this.#layout.snapshots, this.#layout.removed]) {
      for (const name of await readdir(parent)) {
        const set = (await readParentLink(join(parent, name)))?.set;
        if (set !== undefined) sets.add(set);
      }
    }
    return sets;
  }

  async changes(ctx: Ctx, key: string): Promise<readonly FileChange[]> {
    await this.#mounts.isMounted(key);
    const chain = await this.#layers.chain(await this.snapshotParent(key));
    const lowers = chain.map((chainId) => this.#layers.diff(chainId));
    const upper = join(this.#layout.snapshot(key), 'upper');
    return (await this.#deps.workers.run(ctx, 'changes', { upper, lowers })).changes;
  }

  async diff(ctx: Ctx, key: string, options: { omit?: readonly string[] } = {}): Promise<Readable> {
    await this.#mounts.isMounted(key);
    const directory = join(this.#layout.snapshot(key), 'upper');
    return this.#deps.workers.stream(ctx, 'pack', { directory, ...options });
  }

  async diffLayer(ctx: Ctx, chainId: string): Promise<Readable> {
    const { archive } = await this.#layers.get(chainId);
    if (archive !== undefined) {
      const input = { directory: this.#layout.layer(chainId), diffId: archive.diffId };
      return this.#deps.workers.stream(ctx, 'remake', input);
    }
    return this.#deps.workers.stream(ctx, 'pack', { directory: this.#layers.diff(chainId) });
  }

  async explore(
    ctx: Ctx,
    chainIds: readonly string[],
    options: { readonly files: boolean },
  ): Promise<Readable> {
    for (const chainId of chainIds) await this.#layers.get(chainId);
    const layers = chainIds.map((chainId) => this.#layers.diff(chainId));
    return this.#deps.workers.stream(ctx, 'explore', { layers, ...options });
  }

  async usage(key: string): Promise<number> {
    await this.#mounts.isMounted(key);
    const directory = join(this.#layout.snapshot(key), 'upper');
    return (await this.#deps.workers.run(backgroundCtx(), 'usage', { directory })).size;
  }

  async list(): Promise<{ layers: readonly string[]; snapshots: readonly string[] }> {
    const [layers, snapshots] = await Promise.all([this.#layers.list(), readdir(this.#layout.snapshots)]);
    return { layers, snapshots };
  }

  async removeSnapshot(key: string): Promise<void> {
    // Its number is nobody's only when the last file is deleted: the filesystem knows.
    takeBack(this.#deps, this.#layout.snapshot(key));
    await this.#mounts.remove(key);
  }

  async removeLayer(chainId: string): Promise<void> {
    await this.#layers.remove(chainId);
    await this.#points.remove(chainId);
  }

  async describe(
    of: { readonly layer: string } | { readonly snapshot: string },
  ): Promise<Readonly<Record<string, string>>> {
    const paths = (chain: readonly string[]): string =>
      chain.map((each) => this.#layers.diff(each)).join(':');
    if ('layer' in of) {
      const [top, ...below] = await this.#layers.chain(of.layer);
      const upper = top === undefined ? '' : this.#layers.diff(top);
      return { ...(below.length > 0 && { LowerDir: paths(below) }), UpperDir: upper };
    }
    const path = this.#layout.snapshot(of.snapshot);
    const chain = await this.#layers.chain(await this.snapshotParent(of.snapshot));
    return {
      ID: of.snapshot,
      LowerDir: paths(chain),
      MergedDir: join(path, 'merged'),
      UpperDir: join(path, 'upper'),
      WorkDir: join(path, 'work'),
    };
  }
}
