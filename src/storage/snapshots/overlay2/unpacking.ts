/** Archives become layers: each chain once, however many ask for it at the same time. */

import type { Readable } from 'node:stream';
import type { Compression } from '../../../core/compression.ts';
import type { Ctx } from '../../../core/ctx.ts';
import { invalid, isKind, notFound } from '../../../core/errors.ts';
import { chainIdOf } from '../../../core/model/image.ts';
import type { SnapshotDriver } from '../../../core/ports/snapshot-driver.ts';
import type { StorageWorkers } from '../../worker/pool.ts';
import type { LayerFile } from '../../worker/protocol.ts';
import type { Layers } from './layers.ts';

export type Unpacked = { readonly chainId: string; readonly diffId: string; readonly size: number };
type Source = {
  readonly file: LayerFile | undefined;
  readonly compression: Compression | undefined;
  readonly parentReady?: Promise<unknown> | undefined;
};

export class Unpacking {
  readonly #workers: StorageWorkers;
  readonly #layers: Layers;
  /** Layers under way, by chain id: a second request waits, and so does a layer that stands on one. */
  readonly #flights = new Map<string, Promise<Unpacked>>();

  constructor(workers: StorageWorkers, layers: Layers) {
    this.#workers = workers;
    this.#layers = layers;
  }

  /** The layer's end, one way or the other, when it is being unpacked. */
  underWay(chainId: string): Promise<Unpacked> | undefined {
    return this.#flights.get(chainId);
  }

  async unpack(
    ...[ctx, chainId, parent, archive]: Parameters<SnapshotDriver['unpack']>
  ): Promise<{ size: number }> {
    const there = await this.#layers.find(chainId);
    if (there !== undefined || this.#flights.has(chainId)) {
      for await (const chunk of archive) void chunk;
      const { size } = there ?? (await this.#unpackOnce(ctx, chainId, undefined, parent, undefined));
      return { size };
    }
    const source: Source = { file: undefined, compression: 'none' };
    const { size } = await this.#unpackOnce(ctx, chainId, source, parent, archive);
    return { size };
  }

  async unpackFile(...[ctx, input]: Parameters<SnapshotDriver['unpackFile']>): Promise<Unpacked> {
    const { compression, growing, read, parent, parentReady, diffId } = input;
    const file: LayerFile = {
      path: input.file,
      ...(growing !== undefined && { growing }),
      ...(read !== undefined && { read }),
    };
    const source: Source = { file, compression, parentReady };
    if (diffId === undefined) return this.#unpack(ctx, undefined, source, parent, undefined);
    const chainId = chainIdOf(parent, diffId);
    for (;;) {
      const there = await this.#layers.find(chainId);
      if (there !== undefined) return { chainId, diffId, size: there.size };
      const isOurs = !this.#flights.has(chainId);
      try {
        return await this.#unpackOnce(ctx, chainId, source, parent, undefined);
      } catch (error) {
        // Another caller's cancellation is not ours.
        if (isOurs || ctx.signal.aborted || !isKind(error, 'unavailable')) throw error;
      }
    }
  }

  #unpackOnce(
    ctx: Ctx,
    chainId: string,
    source: Source | undefined,
    parent: string | undefined,
    archive: Readable | undefined,
  ): Promise<Unpacked> {
    const running = this.#flights.get(chainId);
    if (running !== undefined) return running;
    if (source === undefined) throw notFound(`layer ${chainId} does not exist`);
    const flight = this.#unpack(ctx, chainId, source, parent, archive).finally(() =>
      this.#flights.delete(chainId),
    );
    this.#flights.set(chainId, flight);
    return flight;
  }

  async #unpack(
    ctx: Ctx,
    wanted: string | undefined,
    source: Source,
    parent: string | undefined,
    archive: Readable | undefined,
  ): Promise<Unpacked> {
    const staged = await this.#layers.stage();
    try {
      const { file, compression } = source;
      const job = { file, compression, target: staged.diff };
      const done = await this.#workers.run(ctx, 'unpack', job, archive);
      const chainId = chainIdOf(parent, done.diffId);
      if (wanted !== undefined && wanted !== chainId)
        throw invalid(
          `layer content has diff id ${done.diffId}, which is not what the image says (chain id ${wanted})`,
        );
      await source.parentReady;
      if (parent !== undefined) await this.#flights.get(parent);
      await this.#layers.publish(staged.path, chainId, parent, done);
      return { chainId, diffId: done.diffId, size: done.size };
    } catch (error) {
      await this.#layers.discardStaged(staged.path);
      throw error;
    }
  }
}
