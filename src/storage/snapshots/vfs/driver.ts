/**
 * Snapshots that are whole trees: for filesystems on which no overlay can stand. Layers lie on disk as overlay2's do, each with
 * its own changes; a snapshot is one tree made of them: a copy that shares blocks with the layers where the filesystem can
 * (`vfs`), or a snapshot of its image's tree (`btrfs`). Nothing is mounted.
 */

import { mkdir, readdir, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { backgroundCtx, type Ctx } from '../../../core/ctx.ts';
import { conflict, invalid, isErrno, notFound } from '../../../core/errors.ts';
import { newId } from '../../../core/ids.ts';
import type { IdMapping } from '../../../core/model/id-mapping.ts';
import type { FileChange, MountedSnapshot, SnapshotDriver } from '../../../core/ports/snapshot-driver.ts';
import type { Trash } from '../../trash.ts';
import type { StorageWorkers } from '../../worker/pool.ts';
import type { Layers } from '../overlay2/layers.ts';
import type { Layout } from '../overlay2/layout.ts';
import { parentLink, readParentLink } from '../overlay2/parent-link.ts';
import { exists, type TreeMaker } from './tree-makers.ts';

/** The part of a driver that has to do with read-only layers. */
export type LayerStore = Pick<
  SnapshotDriver,
  | 'unpack'
  | 'unpackFile'
  | 'stage'
  | 'publish'
  | 'discard'
  | 'hasLayer'
  | 'layer'
  | 'remember'
  | 'sync'
  | 'diffLayer'
  | 'explore'
  | 'removeLayer'
  | 'describe'
  | 'list'
>;

export interface TreeDeps {
  readonly name: string;
  readonly status: readonly (readonly [string, string])[];
  readonly maker: TreeMaker;
  readonly workers: StorageWorkers;
  readonly trash: Trash;
  readonly layout: Layout;
  readonly layers: Layers;
  readonly store: LayerStore;
}

/** The same methods as the port's; `store` has those that are about layers alone. */
class Trees {
  readonly #deps: TreeDeps;

  constructor(deps: TreeDeps) {
    this.#deps = deps;
  }

  path(key: string): string {
    return join(this.#deps.layout.snapshot(key), 'root');
  }

  async #layersOf(parent: string | undefined): Promise<string[]> {
    const chain = await this.#deps.layers.chain(parent);
    return chain.map((chainId) => this.#deps.layers.diff(chainId));
  }

  parent = async (key: string): Promise<string | undefined> =>
    (await readParentLink(this.#deps.layout.snapshot(key)))?.chainId;

  /** Made beside the others and moved there when it is whole: a half-made one is never listed. */
  async prepare(key: string, parent: string | undefined, size: number | undefined): Promise<void> {
    const { layout, maker, trash } = this.#deps;
    const target = layout.snapshot(key);
    const layers = await this.#layersOf(parent);
    const taken = (): Error => conflict(`snapshot ${key} already exists`);
    if (await exists(target)) throw taken();
    const staged = join(layout.staging, newId());
    const root = join(staged, 'root');
    try {
      await mkdir(staged, { mode: 0o710 });
      if (size !== undefined) maker.limitAround?.(staged, size);
      if (parent !== undefined)
        await symlink(parentLink({ chainId: parent, set: undefined }), join(staged, 'parent'));
      await maker.make(root, parent, layers);
      if (size !== undefined) await maker.limit?.(root, size);
      await rename(staged, target);
    } catch (error) {
      await trash.discard(staged);
      throw isErrno(error, 'ENOTEMPTY') || isErrno(error, 'EEXIST') ? taken() : error;
    }
  }

  async mount(key: string, ids: IdMapping | undefined): Promise<MountedSnapshot> {
    const path = this.path(key);
    if (!(await exists(path))) throw notFound(`snapshot ${key} does not exist`);
    if (ids !== undefined)
      throw invalid(
        `storage driver ${this.#deps.name}: containers with a user namespace need the driver overlay2`,
      );
    return { path };
  }

  async #compared(key: string): Promise<{ readonly root: string; readonly layers: readonly string[] }> {
    return { root: this.path(key), layers: await this.#layersOf(await this.parent(key)) };
  }

  async changes(ctx: Ctx, key: string): Promise<readonly FileChange[]> {
    return (await this.#deps.workers.run(ctx, 'compare', await this.#compared(key))).changes;
  }

  async usage(key: string): Promise<number> {
    return (await this.#deps.workers.run(backgroundCtx(), 'compare', await this.#compared(key))).size;
  }

  async diff(ctx: Ctx, key: string, options: { readonly omit?: readonly string[] }): Promise<Readable> {
    return this.#deps.workers.stream(ctx, 'packChanges', { ...(await this.#compared(key)), ...options });
  }

  remove(key: string): Promise<void> {
    this.#deps.maker.release?.(this.#deps.layout.snapshot(key));
    return this.#deps.trash.discard(this.#deps.layout.snapshot(key));
  }

  list(): Promise<string[]> {
    return readdir(this.#deps.layout.snapshots);
  }
}

export function createTreeDriver(deps: TreeDeps): SnapshotDriver {
  const { store } = deps;
  const trees = new Trees(deps);
  const nothing = async (): Promise<void> => {};
  return {
    name: deps.name,
    status: () => deps.status,
    unpack: (...asked) => store.unpack(...asked),
    unpackFile: (...asked) => store.unpackFile(...asked),
    stage: (...asked) => store.stage(...asked),
    publish: (...asked) => store.publish(...asked),
    discard: (...asked) => store.discard(...asked),
    hasLayer: (...asked) => store.hasLayer(...asked),
    layer: (...asked) => store.layer(...asked),
    remember: (...asked) => store.remember(...asked),
    sync: () => store.sync(),
    diffLayer: (...asked) => store.diffLayer(...asked),
    explore: (...asked) => store.explore(...asked),
    removeLayer: async (chainId) => {
      await store.removeLayer(chainId);
      deps.layers.forget(chainId);
      await deps.maker.forget(chainId);
    },
    describe: async (of) => ('layer' in of ? store.describe(of) : { Dir: trees.path(of.snapshot) }),
    list: async () => ({ layers: (await store.list()).layers, snapshots: await trees.list() }),
    snapshotParent: trees.parent,
    // A tree has room for whatever the runtime makes in it; the changes leave that out.
    unlimited: deps.maker.unlimited,
    prepare: async (key, parent, { size } = {}) => {
      if (size !== undefined && deps.maker.unlimited !== undefined) throw invalid(deps.maker.unlimited);
      await trees.prepare(key, parent, size);
    },
    ownPlaces: nothing,
    mount: (key, { ids }) => trees.mount(key, ids),
    mountPath: (key) => trees.path(key),
    unmount: nothing,
    release: () => {},
    settle: nothing,
    changes: (ctx, key) => trees.changes(ctx, key),
    diff: (ctx, key, options = {}) => trees.diff(ctx, key, options),
    usage: (key) => trees.usage(key),
    removeSnapshot: (key) => trees.remove(key),
  };
}
