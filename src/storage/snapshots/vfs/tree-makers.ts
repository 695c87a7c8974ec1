/** How the tree of a snapshot comes about: a copy, or on btrfs a snapshot of a tree that is made once for each image. */

import { chmod, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { backgroundCtx } from '../../../core/ctx.ts';
import { isErrno } from '../../../core/errors.ts';
import { newId } from '../../../core/ids.ts';
import type { Logger } from '../../../core/log.ts';
import type { Subvolumes } from '../../../core/ports/subvolumes.ts';
import type { Trash } from '../../trash.ts';
import type { StorageWorkers } from '../../worker/pool.ts';
import type { Layout } from '../overlay2/layout.ts';
import { takeBack, usable, whyUnlimited, type Limits } from '../overlay2/limits.ts';

export interface TreeMaker {
  /** As `SnapshotDriver.unlimited`. */
  readonly unlimited: string | undefined;
  /** Limits the directory in which a tree will be made. */
  readonly limitAround?: (directory: string, bytes: number) => void;
  /** Limits a tree that was made. */
  readonly limit?: (root: string, bytes: number) => Promise<void>;
  /** The directory around a tree goes. */
  readonly release?: (directory: string) => void;
  /** Makes `root`, which does not exist, of layers (directories, topmost first); `parent` is the topmost one's chain id. */
  make(root: string, parent: string | undefined, layers: readonly string[]): Promise<void>;
  /** A layer is gone. Idempotent. */
  forget(chainId: string): Promise<void>;
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

interface CopyDeps {
  readonly workers: StorageWorkers;
  readonly limits?: Limits;
  readonly log: Logger;
}

export const copies = (deps: CopyDeps, layout: Layout, backing: string): TreeMaker => ({
  unlimited: whyUnlimited(deps.limits, layout.root, backing),
  limitAround: (directory, bytes) => usable(deps.limits)?.set(directory, bytes),
  release: (directory) => takeBack(deps, directory),
  make: async (root, _parent, layers) => {
    await mkdir(root, { mode: 0o755 });
    await deps.workers.run(backgroundCtx(), 'flatten', { layers, target: root });
  },
  forget: async () => {},
});

interface SubvolumeDeps {
  readonly workers: StorageWorkers;
  readonly trash: Trash;
  readonly layout: Layout;
  readonly subvolumes: Subvolumes;
}

class SubvolumeTrees implements TreeMaker {
  readonly unlimited = undefined;
  readonly #deps: SubvolumeDeps;
  readonly #folder: string;
  /** Trees of images under way, by chain id. */
  readonly #making = new Map<string, Promise<void>>();

  constructor(deps: SubvolumeDeps, folder: string) {
    this.#deps = deps;
    this.#folder = folder;
  }

  async make(root: string, parent: string | undefined, layers: readonly string[]): Promise<void> {
    const { subvolumes } = this.#deps;
    if (parent === undefined) {
      await subvolumes.create(root);
      await chmod(root, 0o755);
      return;
    }
    await this.#base(parent, layers);
    await subvolumes.snapshot(this.#path(parent), root);
  }

  limit(root: string, bytes: number): Promise<void> {
    return this.#deps.subvolumes.limit(root, bytes);
  }

  forget(chainId: string): Promise<void> {
    return this.#deps.trash.discard(this.#path(chainId));
  }

  #path(chainId: string): string {
    return join(this.#folder, chainId.slice(7));
  }

  #base(chainId: string, layers: readonly string[]): Promise<void> {
    const running = this.#making.get(chainId);
    if (running !== undefined) return running;
    const making = this.#makeBase(chainId, layers).finally(() => this.#making.delete(chainId));
    this.#making.set(chainId, making);
    return making;
  }

  /** Made beside the others and moved there when it is whole. */
  async #makeBase(chainId: string, layers: readonly string[]): Promise<void> {
    const { layout, workers, subvolumes, trash } = this.#deps;
    const path = this.#path(chainId);
    if (await exists(path)) return;
    const staged = join(layout.staging, newId());
    try {
      await subvolumes.create(staged);
      await workers.run(backgroundCtx(), 'flatten', { layers, target: staged });
      await rename(staged, path);
    } catch (error) {
      await trash.discard(staged);
      throw error;
    }
  }
}

export async function snapshotsOfSubvolumes(deps: SubvolumeDeps): Promise<TreeMaker> {
  const folder = join(deps.layout.root, 'trees');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return new SubvolumeTrees(deps, folder);
}
