/** Layers that are unpacked before they have a place, and the recipes by which archives of layers are made again. */

import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import type { Ctx } from '../../../core/ctx.ts';
import { chainIdOf } from '../../../core/model/image.ts';
import type { SnapshotDriver, StagedLayer } from '../../../core/ports/snapshot-driver.ts';
import type { StorageWorkers } from '../../worker/pool.ts';
import type { Layers } from './layers.ts';
import type { Layout } from './layout.ts';

/** The methods of the same names of `SnapshotDriver`. */
export class StagedLayers {
  readonly #workers: StorageWorkers;
  readonly #layout: Layout;
  readonly #layers: Layers;

  constructor(workers: StorageWorkers, layout: Layout, layers: Layers) {
    this.#workers = workers;
    this.#layout = layout;
    this.#layers = layers;
  }

  async stage(ctx: Ctx, archive: Readable): Promise<StagedLayer> {
    const staged = await this.#layers.stage();
    try {
      const done = await this.#workers.run(ctx, 'stage', { directory: staged.path }, archive);
      const { diffId, size, bytes, implicit } = done;
      return { key: basename(staged.path), diffId, size, archiveSize: bytes, implicit };
    } catch (error) {
      await this.#layers.discardStaged(staged.path);
      throw error;
    }
  }

  async publish(staged: StagedLayer, parent: string | undefined): Promise<string> {
    const { key, diffId, size, archiveSize: bytes, implicit } = staged;
    const chainId = chainIdOf(parent, diffId);
    const archive = { diffId, bytes };
    const there = await this.#layers.find(chainId);
    if (there === undefined) {
      await this.#layers.publish(this.#layout.staged(key), chainId, parent, { size, implicit, archive });
      return chainId;
    }
    // The same files: what this one knows about their archive holds for those as well.
    if (there.archive === undefined)
      await this.#layers.takeRecipe(this.#layout.staged(key), chainId, archive);
    await this.discard(staged);
    return chainId;
  }

  async discard(staged: StagedLayer): Promise<void> {
    await this.#layers.discardStaged(this.#layout.staged(staged.key));
  }

  async remember(...[ctx, chainId, input]: Parameters<SnapshotDriver['remember']>): Promise<boolean> {
    if ((await this.#layers.get(chainId)).archive !== undefined) return true;
    const scratch = await this.#layers.stage();
    try {
      const job = { ...input, directory: this.#layout.layer(chainId), scratch: scratch.path };
      const { bytes } = await this.#workers.run(ctx, 'record', job);
      if (bytes === undefined) return false;
      await this.#layers.takeRecipe(scratch.path, chainId, { diffId: input.diffId, bytes });
      return true;
    } finally {
      await this.#layers.discardStaged(scratch.path);
    }
  }
}
